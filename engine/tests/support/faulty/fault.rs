//! What can be wrong with an answer.

use std::time::Duration;

/// One of the 23 ways in which a server or the network fails. Those marked † happen after the server has done what it was
/// asked for: a code is spent, a refresh token rotated, a tool has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody listens.
    Refuse,
    /// The connection is taken and closed at once.
    CloseOnAccept,
    /// † RST in the middle of the answer's head.
    ResetInHead,
    /// † RST in the middle of the answer's body.
    ResetInBody,
    /// † No byte comes, and the connection stays.
    Hang,
    /// † One byte of the answer each time this long has gone by.
    Trickle(Duration),
    /// † The answer, this much later.
    Latency(Duration),
    /// † An event stream that ends in the middle of its first event.
    TruncatedSse,
    /// † An event stream that goes on for ever, without the answer.
    EndlessSse,
    /// † An event of 64 MiB.
    HugeEvent,
    /// † More is announced than comes.
    WrongContentLength,
    /// † JSON that ends too early, of the announced length.
    InvalidJson,
    /// † The answer to another request; of OAuth's endpoints a JSON document of no use.
    WrongId,
    /// † The answer twice.
    DuplicateAnswer,
    /// 401, with or without `WWW-Authenticate`.
    Unauthorized {
        /// Is there a challenge?
        challenge: bool,
    },
    /// 403 with the challenge `insufficient_scope`, which names [`SCOPE_WANTED`].
    InsufficientScope,
    /// 404, by which a server says that it no longer knows a session.
    SessionGone,
    /// 429 with `Retry-After` in seconds.
    TooManyRequests {
        /// The seconds.
        retry_after: u64,
    },
    /// 503.
    Unavailable,
    /// 307 to [`PRIVATE`].
    RedirectToPrivate,
    /// A certificate for another host.
    WrongCertificate,
    /// A certificate of the past.
    ExpiredCertificate,
    /// † Gzip that unpacks to about 64 MiB.
    GzipBomb,
    /// The name has no address; only who asks [`super::Faulty::resolver`] sees it.
    DnsFailure,
}

/// The scope that [`Fault::InsufficientScope`] asks for.
pub const SCOPE_WANTED: &str = "tools:more";

/// Where [`Fault::RedirectToPrivate`] leads.
pub const PRIVATE: &str = "http://169.254.169.254/latest/meta-data/";

/// How large [`Fault::HugeEvent`] is, in bytes.
pub(super) const HUGE: usize = 64 * 1024 * 1024;

/// What happens to a new connection, and to those that stand when this changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Open,
    Refusing,
    Closing,
    WrongCertificate,
    ExpiredCertificate,
}

impl Fault {
    /// Each once, as far as it takes no variant.
    pub const ALL: [Self; 25] = [
        Self::Refuse,
        Self::CloseOnAccept,
        Self::ResetInHead,
        Self::ResetInBody,
        Self::Hang,
        Self::Trickle(Duration::from_secs(1)),
        Self::Latency(Duration::from_secs(2)),
        Self::TruncatedSse,
        Self::EndlessSse,
        Self::HugeEvent,
        Self::WrongContentLength,
        Self::InvalidJson,
        Self::WrongId,
        Self::DuplicateAnswer,
        Self::Unauthorized { challenge: true },
        Self::Unauthorized { challenge: false },
        Self::InsufficientScope,
        Self::SessionGone,
        Self::TooManyRequests { retry_after: 1 },
        Self::Unavailable,
        Self::RedirectToPrivate,
        Self::WrongCertificate,
        Self::ExpiredCertificate,
        Self::GzipBomb,
        Self::DnsFailure,
    ];

    /// What it does before a request can be sent, if it does.
    pub(super) fn door(self) -> Option<Door> {
        match self {
            Self::Refuse => Some(Door::Refusing),
            Self::CloseOnAccept => Some(Door::Closing),
            Self::WrongCertificate => Some(Door::WrongCertificate),
            Self::ExpiredCertificate => Some(Door::ExpiredCertificate),
            // The name fails elsewhere; here only the connections that stand must go.
            Self::DnsFailure => Some(Door::Open),
            _ => None,
        }
    }

    /// Does it keep the client waiting?
    pub(super) fn dawdles(self) -> bool {
        matches!(
            self,
            Self::Hang | Self::Trickle(_) | Self::Latency(_) | Self::EndlessSse
        )
    }

    /// Does the server do what it was asked for before it fails?
    pub fn takes_effect(self) -> bool {
        let turned_away = matches!(
            self,
            Self::Unauthorized { .. }
                | Self::InsufficientScope
                | Self::SessionGone
                | Self::TooManyRequests { .. }
                | Self::Unavailable
                | Self::RedirectToPrivate
        );
        !turned_away && self.door().is_none()
    }
}
