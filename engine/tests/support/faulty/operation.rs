//! What a request to the server is for.

use super::wire::Request;

/// What is done at the server. A fault is set for one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Metadata of the resource (RFC 9728) and of the authorization server (RFC 8414).
    Discovery,
    /// Dynamic registration (RFC 7591).
    Registration,
    /// A code for tokens.
    CodeExchange,
    /// A refresh token for tokens.
    Refresh,
    /// `initialize`, and `server/discover` of later revisions.
    Initialize,
    /// `tools/list`.
    ToolsList,
    /// `tools/call`.
    ToolsCall,
    /// A browser at the consent page. Never faulty.
    Authorize,
    /// A token is given back (RFC 7009). Never faulty.
    Revocation,
    /// Everything else. Never faulty.
    Other,
}

impl Operation {
    /// Those that can be faulty.
    pub const ALL: [Self; 7] = [
        Self::Discovery,
        Self::Registration,
        Self::CodeExchange,
        Self::Refresh,
        Self::Initialize,
        Self::ToolsList,
        Self::ToolsCall,
    ];

    /// Is it a message of MCP, and not of OAuth?
    pub fn is_mcp(self) -> bool {
        matches!(self, Self::Initialize | Self::ToolsList | Self::ToolsCall)
    }

    /// Where it happens.
    pub(super) fn part(self) -> Part {
        match self {
            Self::Registration => Part::Registration,
            Self::CodeExchange | Self::Refresh => Part::Tokens,
            Self::Discovery | Self::Authorize | Self::Revocation => Part::Issuer,
            Self::Initialize | Self::ToolsList | Self::ToolsCall | Self::Other => Part::Resource,
        }
    }

    pub(super) fn of(request: &Request) -> Self {
        let path = request.path();
        match (request.method.as_str(), path) {
            ("GET", path) if path.starts_with("/.well-known/") => Self::Discovery,
            ("GET", "/authorize") => Self::Authorize,
            ("POST", "/register") => Self::Registration,
            ("POST", "/revoke") => Self::Revocation,
            ("POST", "/token") => match request.form("grant_type").as_deref() {
                Some("authorization_code") => Self::CodeExchange,
                Some("refresh_token") => Self::Refresh,
                _ => Self::Other,
            },
            ("POST", "/mcp") => match request.json()["method"].as_str() {
                Some("initialize" | "server/discover") => Self::Initialize,
                Some("tools/list") => Self::ToolsList,
                Some("tools/call") => Self::ToolsCall,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// The listeners. Each is an origin of its own, so that one can refuse connections while the others go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The MCP server and its metadata.
    Resource,
    /// The authorization server's metadata, consent page and revocation.
    Issuer,
    /// Its registration endpoint.
    Registration,
    /// Its token endpoint.
    Tokens,
}

impl Part {
    pub(super) const ALL: [Self; 4] = [
        Self::Resource,
        Self::Issuer,
        Self::Registration,
        Self::Tokens,
    ];
}
