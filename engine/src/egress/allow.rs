//! What `EGRESS_ALLOW` opens.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use url::{Host, Url};

/// One entry: addresses beyond the public internet that the catalog's servers may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Every address of a network, any port, TLS only.
    Network(IpNet),
    /// One host and port, as written in URLs, whatever it resolves to; `plain` permits `http://` there.
    Host {
        /// A name or an address in its canonical spelling: lower case, no brackets.
        host: String,
        /// The port.
        port: u16,
        /// Is plain HTTP allowed?
        plain: bool,
    },
}

impl Allowed {
    /// Does this entry permit plain HTTP to the host and port of that URL?
    pub fn opens_plain(&self, url: &Url) -> bool {
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return false,
        };
        self.permits_plain(&host, url.port_or_known_default().unwrap_or_default())
    }

    /// Does this entry name that host of a URL and that port?
    pub(super) fn names(&self, wanted: &str, wanted_port: u16) -> bool {
        matches!(self, Self::Host { host, port, .. } if host == wanted && *port == wanted_port)
    }

    /// Is this an entry for that host and port that permits plain HTTP?
    pub(super) fn permits_plain(&self, host: &str, port: u16) -> bool {
        self.names(host, port) && matches!(self, Self::Host { plain: true, .. })
    }

    /// Is the address in this entry's network?
    pub(super) fn covers(&self, address: IpAddr) -> bool {
        matches!(self, Self::Network(network) if network.contains(&address))
    }

    /// Is this a network that lies wholly inside `range`, and has the address in it? A wide network such as
    /// `0.0.0.0/0` does not mean the metadata service.
    pub(super) fn covers_within(&self, address: IpAddr, range: IpNet) -> bool {
        match self {
            Self::Network(network) => {
                network.contains(&address)
                    && (range.contains(network) || network.prefix_len() == network.max_prefix_len())
            }
            Self::Host { .. } => false,
        }
    }
}

impl FromStr for Allowed {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        let (plain, rest) = match text.strip_prefix("http://") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (host, port) = rest.rsplit_once(':').ok_or(())?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(())?;
        let host = canonical(host)?;
        Ok(Self::Host { host, port, plain })
    }
}

/// The spelling that a URL has after parsing. A wildcard is refused: it would match nothing.
fn canonical(host: &str) -> Result<String, ()> {
    match Host::parse(host).map_err(|_| ())? {
        Host::Domain(name) => {
            let plausible = |c: u8| c.is_ascii_alphanumeric() || b".-_".contains(&c);
            name.bytes().all(plausible).then_some(name).ok_or(())
        }
        Host::Ipv4(address) => Ok(address.to_string()),
        Host::Ipv6(address) => Ok(address.to_string()),
    }
}
