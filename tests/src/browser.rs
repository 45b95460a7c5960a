//! A person's browser, and the ingress between it and what the cluster publishes.

use anyhow::{Context as _, bail};

use crate::{Answer, Probe};

/// Most redirects that are followed.
const HOPS: usize = 8;

/// Follows redirects. It runs in a pod that the ingress's rules apply to.
pub struct Browser<'a> {
    probe: &'a Probe,
    ca: String,
    published: Vec<(String, String)>,
}

/// Where a browser came to rest.
#[derive(Debug, Clone)]
pub struct Page {
    /// Every address on the way, the last one included.
    pub trail: Vec<String>,
    /// The last answer's status.
    pub status: u16,
    /// The last answer's body.
    pub body: String,
}

impl Page {
    /// The address on the way that begins so.
    pub fn passed(&self, begin: &str) -> Option<&str> {
        let mut trail = self.trail.iter().map(String::as_str);
        trail.find(|url| url.starts_with(begin))
    }
}

impl<'a> Browser<'a> {
    /// A browser that trusts these authorities, in PEM.
    pub fn new(probe: &'a Probe, ca: &str) -> Self {
        Self {
            probe,
            ca: ca.to_owned(),
            published: Vec::new(),
        }
    }

    /// What is published under `https://host` is the plain HTTP of this Service.
    pub fn publish(&mut self, host: &str, service: &str) {
        self.published.push((host.to_owned(), service.to_owned()));
    }

    /// Opens an address and follows where it leads.
    pub async fn open(&self, url: &str) -> anyhow::Result<Page> {
        let mut trail = vec![url.to_owned()];
        while trail.len() <= HOPS {
            let url = trail.last().cloned().unwrap_or_default();
            let answer = self.get(&url).await?;
            let status = answer
                .status()
                .with_context(|| format!("no answer from {url}: {}", answer.text))?;
            let (location, body) = answer.body().split_once('\n').unwrap_or_default();
            if !(300..400).contains(&status) || location.is_empty() {
                return Ok(Page {
                    trail,
                    status,
                    body: body.to_owned(),
                });
            }
            trail.push(location.to_owned());
        }
        bail!("more than {HOPS} redirects: {trail:#?}")
    }

    async fn get(&self, url: &str) -> anyhow::Result<Answer> {
        let rest = url
            .strip_prefix("https://")
            .with_context(|| format!("not https: {url}"))?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let service = self
            .published
            .iter()
            .find(|(published, _)| published == host);
        let target = service.map_or_else(
            || url.to_owned(),
            |(_, service)| format!("http://{service}/{path}"),
        );
        let host = format!("Host: {host}");
        let arguments = [
            "http",
            "--timeout",
            "20s",
            "--ca",
            &self.ca,
            "--want",
            "Location",
            "-H",
            &host,
            &target,
        ];
        self.probe.run(&arguments).await
    }
}
