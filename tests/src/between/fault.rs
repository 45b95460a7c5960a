//! What may be wrong with an API server.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::call::Kind;

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A write is answered with 409 and not carried out.
    Conflict,
    /// A write is carried out, and the connection is cut before its answer.
    AnswerLost,
    /// 429 with `Retry-After: 2`: for longer than the fault lasts.
    TooMany,
    /// 500.
    Failure,
    /// No answer comes, not even after the fault is gone.
    NoAnswer,
    /// A watch is told that its version is too old.
    Gone,
    /// A watch ends in the middle of an event.
    Cut,
    /// A watch stays open and says nothing more, not even after the fault is gone.
    Silent,
    /// Events are missing from a watch that stays open; it is told so afterwards.
    Dropped,
    /// Events come twice.
    Duplicated,
    /// In the place of each event a watch gets a bookmark of its version, and ends, so that it comes again from there: past what
    /// it never saw. It is told so afterwards.
    BookmarksOnly,
    /// A watch is told that its version is too old, and the list that it asks for then is an old one.
    StaleList,
    /// Nothing at all is answered, the renewing of the lease neither, for so long that the leader has to give up.
    CutOff,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Conflict,
        Self::AnswerLost,
        Self::TooMany,
        Self::Failure,
        Self::NoAnswer,
        Self::Gone,
        Self::Cut,
        Self::Silent,
        Self::Dropped,
        Self::Duplicated,
        Self::BookmarksOnly,
        Self::StaleList,
        Self::CutOff,
    ];

    /// How long it lasts.
    pub fn lasts(self) -> Duration {
        if self == Self::CutOff {
            Duration::from_secs(20)
        } else {
            Duration::from_millis(1500)
        }
    }

    /// It strikes wherever it can, not here and there.
    pub(super) fn is_everywhere(self) -> bool {
        // Some events would be more than bookmarks.
        matches!(self, Self::BookmarksOnly | Self::CutOff)
    }

    /// What a reader of the table is told.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Conflict => "409 to a write",
            Self::AnswerLost => "write carried out, its answer lost",
            Self::TooMany => "429 with `Retry-After: 2`",
            Self::Failure => "500",
            Self::NoAnswer => "no answer, ever",
            Self::Gone => "410 to a watch",
            Self::Cut => "watch cut in the middle of an event",
            Self::Silent => "watch open and silent, for good",
            Self::Dropped => "events missing",
            Self::Duplicated => "events twice",
            Self::BookmarksOnly => "bookmarks only",
            Self::StaleList => "410, and then a stale list",
            Self::CutOff => "cut off for 20 s, the lease too",
        }
    }

    /// Requests of this kind may be struck before they reach the server, or on their way back.
    pub(super) fn concerns(self, kind: Kind) -> bool {
        match self {
            Self::Conflict | Self::AnswerLost => kind == Kind::Write,
            Self::TooMany | Self::Failure => kind != Kind::Aside,
            // A watch that nobody answers is the silent one.
            Self::NoAnswer => !matches!(kind, Kind::Aside | Kind::Watch),
            Self::Gone => kind == Kind::Watch,
            Self::StaleList => kind == Kind::List,
            Self::CutOff => true,
            Self::Cut | Self::Silent | Self::Dropped | Self::Duplicated | Self::BookmarksOnly => {
                false
            }
        }
    }

    /// What is answered instead of asking the server.
    pub(super) fn answer(self) -> Option<Response> {
        let (code, reason) = match self {
            Self::Conflict => (StatusCode::CONFLICT, "Conflict"),
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
            Self::Failure => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
            Self::Gone => (StatusCode::GONE, "Expired"),
            _ => return None,
        };
        let mut answer = (code, status(code, reason)).into_response();
        if self == Self::TooMany {
            let wait = http::HeaderValue::from_static("2");
            answer.headers_mut().insert("retry-after", wait);
        }
        Some(answer)
    }
}

fn status(code: StatusCode, reason: &str) -> String {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "a fault of the test", "reason": reason, "code": code.as_u16(),
    });
    status.to_string()
}

/// The event by which a watch is told that its version is too old.
pub(super) fn expired() -> String {
    let object = status(StatusCode::GONE, "Expired");
    format!("{{\"type\":\"ERROR\",\"object\":{object}}}\n")
}

/// An answer that ends before it has begun.
pub(super) fn cut() -> Response {
    let nothing = futures::stream::once(async { Err::<String, _>(std::io::Error::other("cut")) });
    Response::new(Body::from_stream(nothing))
}

/// A number that is always the same for the same seed and place.
pub fn draw(seed: u64, place: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, place).hash(&mut hasher);
    hasher.finish()
}
