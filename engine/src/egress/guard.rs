//! Where a request may go: the decision, without a socket.

use std::net::IpAddr;

use http::Uri;
use url::{Host, Url};

use super::ranges::{metadata, special};
use super::{Allowed, FetchError, Profile};

/// The rules of one profile.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    /// Empty for [`Profile::Untrusted`], whatever `EGRESS_ALLOW` has.
    allow: Vec<Allowed>,
    profile: Profile,
}

/// A URL that may be called, in the one spelling that everything below uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) profile: Profile,
    pub(super) url: Url,
    pub(super) uri: Uri,
    /// A name, or an address without brackets.
    pub(super) host: String,
}

impl Target {
    /// The URL.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl Guard {
    pub(super) fn new(profile: Profile, allow: &[Allowed]) -> Self {
        let allow = match profile {
            Profile::Catalog => allow.to_vec(),
            Profile::Untrusted => Vec::new(),
        };
        Self { allow, profile }
    }

    /// Parses and checks a URL. A name is not resolved here.
    pub(super) fn target(&self, text: &str) -> Result<Target, FetchError> {
        let forbidden = |host: &str, why: &str| FetchError::Forbidden {
            host: host.to_owned(),
            why: why.to_owned(),
        };
        let url = Url::parse(text).map_err(|_| forbidden("", "this is not a URL"))?;
        let (host, address) = match url.host() {
            None => return Err(forbidden("", "the URL has no host")),
            Some(Host::Domain(name)) => (name.to_owned(), None),
            Some(Host::Ipv4(v4)) => (v4.to_string(), Some(IpAddr::V4(v4))),
            Some(Host::Ipv6(v6)) => (v6.to_string(), Some(IpAddr::V6(v6))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(forbidden(&host, "the URL holds a user name or a password"));
        }
        let port = url.port_or_known_default().unwrap_or_default();
        self.check_scheme(url.scheme(), &host, port)?;
        if let Some(address) = address {
            self.check_address(&host, port, address)?;
        }
        let uri = url.as_str().parse();
        let uri = uri.map_err(|_| forbidden(&host, "this is not a URL that HTTP can carry"))?;
        Ok(Target {
            profile: self.profile,
            url,
            uri,
            host,
        })
    }

    fn check_scheme(&self, scheme: &str, host: &str, port: u16) -> Result<(), FetchError> {
        let plain = || {
            self.allow
                .iter()
                .any(|entry| entry.permits_plain(host, port))
        };
        let why = match (scheme, self.profile) {
            ("https", _) => return Ok(()),
            ("http", Profile::Catalog) if plain() => return Ok(()),
            ("http", Profile::Catalog) => {
                format!("plain HTTP needs http://{host}:{port} in EGRESS_ALLOW")
            }
            _ => "only https is called".to_owned(),
        };
        Err(FetchError::Forbidden {
            host: host.to_owned(),
            why,
        })
    }

    /// May a connection be opened to this address of that host of a URL?
    pub(super) fn check_address(
        &self,
        host: &str,
        port: u16,
        address: IpAddr,
    ) -> Result<(), FetchError> {
        let Some(range) = special(address) else {
            return Ok(());
        };
        let any = |opens: &dyn Fn(&Allowed) -> bool| self.allow.iter().any(opens);
        let open = if let Some(metadata) = metadata(address) {
            // A name may come to point there; an address that somebody wrote down is meant.
            any(&|entry| entry.covers_within(address, metadata.net))
                || (host.parse() == Ok(address) && any(&|entry| entry.names(host, port)))
        } else {
            any(&|entry| entry.names(host, port) || entry.covers(address))
        };
        if open {
            return Ok(());
        }
        let class = range.class;
        let why = match self.profile {
            Profile::Catalog => {
                format!(
                    "its address is {class} ({}); an entry of EGRESS_ALLOW opens it",
                    range.source
                )
            }
            Profile::Untrusted => format!("its address is {class} ({})", range.source),
        };
        Err(FetchError::Forbidden {
            host: host.to_owned(),
            why,
        })
    }
}
