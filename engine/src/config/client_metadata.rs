//! Whether providers are offered the client metadata document.

use url::{Host, Url};
use userengine_api::layout::env;

use super::{ConfigError, Environment};
use crate::egress::is_special;

/// Endings of names that only a network of one's own resolves (RFC 6761, 6762 and 8375, and the `internal` that ICANN set aside;
/// `svc` is how Kubernetes shortens its own).
const INTERNAL: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "svc"];

const EXPECTED: &str = "auto (unless OAUTH_REDIRECT_BASE_URL is plainly internal), always or never";

/// Reads `CLIENT_METADATA_DOCUMENT`. A document that a provider cannot fetch fails the person at the provider, with an error
/// that the engine never sees; an engine that does not offer it registers itself instead.
pub(super) fn offered(environment: &Environment, base: &Url) -> Result<bool, ConfigError> {
    match environment.text(env::CLIENT_METADATA_DOCUMENT)?.as_deref() {
        None | Some("auto") => Ok(!is_internal(base)),
        Some("always") => Ok(true),
        Some("never") => Ok(false),
        Some(_) => Err(ConfigError::Invalid {
            variable: env::CLIENT_METADATA_DOCUMENT,
            expected: EXPECTED,
        }),
    }
}

/// Does the host itself say that nobody outside can reach it?
fn is_internal(base: &Url) -> bool {
    match base.host() {
        Some(Host::Ipv4(address)) => is_special(address.into()),
        Some(Host::Ipv6(address)) => is_special(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            let ends_in = |ending: &&str| {
                name.strip_suffix(*ending)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            };
            !name.contains('.') || INTERNAL.iter().any(ends_in)
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered_at(base: &str, setting: Option<&str>) -> Result<bool, ConfigError> {
        let variables: Vec<_> = setting
            .map(|word| (env::CLIENT_METADATA_DOCUMENT, word))
            .into_iter()
            .collect();
        offered(&Environment::of(&variables), &base.parse().unwrap())
    }

    #[test]
    fn a_base_that_is_plainly_internal_is_not_offered_unless_somebody_says_so() {
        for base in [
            "https://localhost:8443",
            "https://engine",
            "https://relay.userengine-system.svc",
            "https://relay.userengine-system.svc.cluster.local/base",
            "https://connect.corp.internal.",
            "https://10.0.0.7",
            "https://[fd00::7]",
        ] {
            assert_eq!(offered_at(base, None), Ok(false), "{base}");
            assert_eq!(offered_at(base, Some("auto")), Ok(false), "{base}");
            assert_eq!(offered_at(base, Some("always")), Ok(true), "{base}");
        }
        for base in [
            "https://connect.example.com",
            "https://internal.example.com",
            "https://notlocal.example",
            "https://8.8.8.8",
        ] {
            assert_eq!(offered_at(base, None), Ok(true), "{base}");
            assert_eq!(offered_at(base, Some("never")), Ok(false), "{base}");
        }
        assert!(offered_at("https://connect.example.com", Some("yes")).is_err());
    }
}
