//! Fetching a metadata document.

use bytes::Bytes;
use http::header::ACCEPT;
use http::{Request, StatusCode};
use serde_json::{Map, Value};
use url::Url;

use crate::domain::Scopes;
use crate::egress::{Egress, FetchError, Profile};
use crate::oauth::answer::unwell;
use crate::oauth::{METADATA, OauthError};

/// Longest URL that metadata may name.
const LONGEST_URL: usize = 2048;
/// Most scopes that are taken over from metadata, and the longest text of them: they end up in a URL.
const MOST_SCOPES: usize = 128;
const LONGEST_SCOPES: usize = 4096;

/// A metadata document. Members of a wrong type count as absent.
pub(super) struct Document(Map<String, Value>);

/// Gets the document at a place. `None` if there is none: any answer but a success, and anything but a JSON object, for
/// servers answer unknown paths with all sorts of pages. A server in trouble is an error: what it will say later may differ.
pub(super) async fn fetch(http: &Egress, place: &Url) -> Result<Option<Document>, OauthError> {
    let request = Request::get(place.as_str())
        .header(ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|_| OauthError::unusable("its metadata are at a URL that no request can have"))?;
    let answer = match http.fetch(Profile::Catalog, request, METADATA).await {
        Ok(answer) => answer,
        // To a sign-in page, most likely.
        Err(FetchError::Redirect { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match answer.status() {
        StatusCode::OK => Ok(Document::parse(answer.body())),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Err(unwell(&answer))
        }
        _ => Ok(None),
    }
}

impl Document {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().map(Self)
    }

    pub(super) fn text(&self, member: &str) -> Option<&str> {
        self.0.get(member).and_then(Value::as_str)
    }

    pub(super) fn flag(&self, member: &str) -> bool {
        self.0.get(member).and_then(Value::as_bool) == Some(true)
    }

    /// The texts of an array; `None` if there is no such array.
    pub(super) fn texts(&self, member: &str) -> Option<Vec<&str>> {
        let values = self.0.get(member)?.as_array()?;
        Some(values.iter().filter_map(Value::as_str).collect())
    }

    /// The scopes that are listed, unless they are too many to ask for.
    pub(super) fn scopes(&self, member: &str) -> Option<Scopes> {
        let listed = self.texts(member)?;
        let length: usize = listed.iter().map(|scope| scope.len() + 1).sum();
        if listed.len() > MOST_SCOPES || length > LONGEST_SCOPES {
            return None;
        }
        Some(listed.into_iter().map(str::to_owned).collect())
    }

    /// A URL of the web without user, password and fragment (RFC 6749 §3.1). `None` if the member is absent.
    pub(super) fn url(&self, member: &str) -> Option<Result<Url, OauthError>> {
        let text = self.text(member)?;
        let url = Url::parse(text).ok().filter(|url| {
            text.len() <= LONGEST_URL
                && matches!(url.scheme(), "https" | "http")
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        Some(url.ok_or_else(|| {
            OauthError::unusable(format!(
                "its metadata have a {member} that is no URL of the web"
            ))
        }))
    }
}
