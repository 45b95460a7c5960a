//! Addresses, and how long a stop may take.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use url::{Host, Url};
use userengine_api::layout::{API_PORT, INTERNAL_PORT, env};

use super::{ConfigError, Environment};

/// Both listeners.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Address of the API.
    pub listen: SocketAddr,
    /// Address of probes, metrics and `/keys`.
    pub internal: SocketAddr,
    /// Where the outside reaches this engine; the only source of URLs in answers.
    pub public_url: Option<Url>,
    /// How long a stop waits for requests in flight.
    pub grace: Duration,
}

const ADDRESS: &str = "an address and a port, such as 0.0.0.0:8080 or [::1]:8080";
const SECONDS: &str = "a whole number of seconds, 1 to 600";

impl HttpConfig {
    /// Reads `LISTEN_ADDR`, `INTERNAL_ADDR`, `PUBLIC_URL` and `SHUTDOWN_GRACE_SECONDS`.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let listen = environment.parsed(env::LISTEN_ADDR, ADDRESS, on_every_interface(API_PORT))?;
        let internal = environment.parsed(
            env::INTERNAL_ADDR,
            ADDRESS,
            on_every_interface(INTERNAL_PORT),
        )?;
        if listen == internal && listen.port() != 0 {
            return Err(ConfigError::Invalid {
                variable: env::INTERNAL_ADDR,
                expected: "another address than LISTEN_ADDR: what it serves is not for callers of the API",
            });
        }
        let public_url = environment
            .text(env::PUBLIC_URL)?
            .map(|text| web_url(env::PUBLIC_URL, &text))
            .transpose()?;
        let seconds: u64 = environment.parsed(env::SHUTDOWN_GRACE_SECONDS, SECONDS, 25)?;
        if !(1..=600).contains(&seconds) {
            return Err(ConfigError::Invalid {
                variable: env::SHUTDOWN_GRACE_SECONDS,
                expected: SECONDS,
            });
        }
        Ok(Self {
            listen,
            internal,
            public_url,
            grace: Duration::from_secs(seconds),
        })
    }
}

fn on_every_interface(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)
}

/// The address of a server of ours: https, or http on loopback.
pub(super) fn web_url(variable: &'static str, text: &str) -> Result<Url, ConfigError> {
    parse_web_url(text).ok_or(ConfigError::Invalid {
        variable,
        expected: "https://host[:port][/path] (http only for localhost), without query, fragment, user or password",
    })
}

/// The same without a variable to blame.
pub fn parse_web_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let on_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let scheme_ok = url.scheme() == "https" || (url.scheme() == "http" && on_loopback);
    let bare = url.query().is_none() && url.fragment().is_none();
    // The text is looked at as well: the parser drops an empty user (`https://@host`).
    let anonymous = url.username().is_empty() && url.password().is_none() && !text.contains('@');
    (scheme_ok && bare && anonymous).then_some(url)
}
