//! Where the engines are.

use std::str::FromStr;

use url::{Host, Url};
use userengine_api::address::{NAME, NAMESPACE, tells_engines_apart};

use super::engine::EngineAddress;
use crate::config::parse_web_url;

/// A URL with `{name}` and `{namespace}` in its host or path: the `publicURL` of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineUrlTemplate(String);

impl FromStr for EngineUrlTemplate {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let sample = fill(text, "a", "b");
        // Whatever stands in scheme, port, user, query or fragment does not survive this.
        let url = parse_web_url(&sample).ok_or(())?;
        let plain = sample
            .bytes()
            .all(|c| c.is_ascii_graphic() && !b"{}%\\\"<>|^`".contains(&c));
        if tells_engines_apart(text) && plain && has_its_path(&url, &sample) {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err(())
        }
    }
}

impl EngineUrlTemplate {
    /// The engine's base URL, without a slash at its end. `None` if the names make another kind of host of it: a name of
    /// digits alone can turn a host into an address.
    pub(super) fn render(&self, engine: &EngineAddress) -> Option<String> {
        let text = fill(&self.0, engine.name.as_str(), engine.namespace.as_str());
        let sample = parse_web_url(&fill(&self.0, "a", "b"))?;
        let url = parse_web_url(&text)?;
        let same_kind = match (sample.host()?, url.host()?) {
            (Host::Domain(_), Host::Domain(_)) => true,
            (sample, host) => sample == host,
        };
        same_kind.then_some(text)
    }
}

fn fill(text: &str, name: &str, namespace: &str) -> String {
    text.replace(NAME, name).replace(NAMESPACE, namespace)
}

/// The parser resolves `..`: then what was checked would not be what a browser opens.
fn has_its_path(url: &Url, text: &str) -> bool {
    let path = text
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or("", |(_, path)| path);
    url.path().strip_prefix('/') == Some(path)
}
