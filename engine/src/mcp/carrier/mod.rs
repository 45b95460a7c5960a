//! Carries HTTP requests to one server, each with the credential of that moment.

mod refusal;

use std::mem;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use url::Url;

pub use refusal::refusal;

use super::{Credential, CredentialSource, McpError, room};
use crate::egress::{Body, Egress, FetchError, Profile, Target};

/// How many redirects of a request are followed.
const REDIRECTS: usize = 3;

/// Carries requests to one server.
#[derive(Debug)]
pub struct Carrier {
    egress: Egress,
    credentials: Arc<dyn CredentialSource>,
    host: String,
    target: RwLock<Arc<Target>>,
}

/// An answer, and which credential its request carried.
#[derive(Debug)]
pub struct Reply {
    /// The answer's head; its body as it arrives.
    pub response: Response<Body>,
    /// [`Credential::generation`], 0 without a credential.
    pub generation: u64,
}

impl Carrier {
    /// Carries requests to this URL.
    pub fn new(
        egress: &Egress,
        credentials: &Arc<dyn CredentialSource>,
        url: &Url,
    ) -> Result<Self, McpError> {
        let target = egress.target(Profile::Catalog, url.as_str())?;
        Ok(Self {
            egress: egress.clone(),
            credentials: credentials.clone(),
            host: url.host_str().unwrap_or_default().to_owned(),
            target: RwLock::new(Arc::new(target)),
        })
    }

    /// The server's host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Posts a message. `head` is the time until the head of the answer.
    pub async fn post(
        &self,
        headers: HeaderMap,
        message: Bytes,
        head: Duration,
    ) -> Result<Reply, McpError> {
        self.carry(Method::POST, headers, message, head).await
    }

    /// Opens a stream of events.
    pub async fn open(&self, headers: HeaderMap, head: Duration) -> Result<Reply, McpError> {
        self.carry(Method::GET, headers, Bytes::new(), head).await
    }

    /// Sends a request. A redirect within the server's origin is followed and remembered: a server that answers 307
    /// or 308 has not looked at the request.
    pub async fn carry(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
        head: Duration,
    ) -> Result<Reply, McpError> {
        for _ in 0..=REDIRECTS {
            let credential = self
                .credentials
                .credential()
                .map_err(McpError::Credential)?;
            let generation = credential.as_ref().map_or(0, |c| c.generation);
            let request = request(&method, &headers, &body, credential)?;
            let target = self.target();
            let response = self.egress.send(&target, request, head).await?;
            match self.moved(&target, &response)? {
                Some(moved) => {
                    *self.target.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(moved);
                }
                None => {
                    return Ok(Reply {
                        response,
                        generation,
                    });
                }
            }
        }
        Err(self.redirected())
    }

    fn target(&self) -> Arc<Target> {
        let target = self.target.read().unwrap_or_else(PoisonError::into_inner);
        target.clone()
    }

    fn moved(&self, from: &Target, response: &Response<Body>) -> Result<Option<Target>, McpError> {
        if !matches!(response.status().as_u16(), 307 | 308) {
            return Ok(None);
        }
        let location = response.headers().get(LOCATION);
        let url = location.and_then(|location| from.url().join(location.to_str().ok()?).ok());
        let url = url.filter(|url| url.origin() == from.url().origin());
        let url = url.ok_or_else(|| self.redirected())?;
        Ok(Some(self.egress.target(Profile::Catalog, url.as_str())?))
    }

    fn redirected(&self) -> McpError {
        let host = self.host.clone();
        let why = "not within its own origin, or too often".to_owned();
        FetchError::Redirect { host, why }.into()
    }

    /// The connection broke while an answer was awaited.
    pub fn broken(&self, why: &str) -> McpError {
        let (host, why) = (self.host.clone(), why.to_owned());
        FetchError::Broken { host, why }.into()
    }

    /// An answer or event is beyond the limit.
    pub fn too_large(&self, limit: usize) -> McpError {
        let host = self.host.clone();
        FetchError::TooLarge { host, limit }.into()
    }

    /// Collects a body of at most `limit` bytes.
    pub async fn collect(&self, response: Response<Body>, limit: usize) -> Result<Bytes, McpError> {
        let announced = response.headers().get(CONTENT_LENGTH);
        let announced: Option<usize> = announced.and_then(|size| size.to_str().ok()?.parse().ok());
        if announced.is_some_and(|size| size > limit) {
            return Err(self.too_large(limit));
        }
        let mut body = response.into_body();
        let (mut first, mut all) = (Bytes::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let data = frame?.into_data().unwrap_or_default();
            if first.len() + all.len() + data.len() > limit {
                return Err(self.too_large(limit));
            }
            // Nearly every answer is one piece, which then is not copied.
            if first.is_empty() && all.is_empty() {
                first = data;
            } else {
                room::append(&mut all, &mem::take(&mut first), limit);
                room::append(&mut all, &data, limit);
            }
        }
        Ok(if all.is_empty() { first } else { all.into() })
    }
}

const AGENT: &str = concat!("userengine/", env!("CARGO_PKG_VERSION"));

fn request(
    method: &Method,
    headers: &HeaderMap,
    body: &Bytes,
    credential: Option<Credential>,
) -> Result<Request<Bytes>, McpError> {
    let mut request = Request::new(body.clone());
    *request.method_mut() = method.clone();
    *request.headers_mut() = headers.clone();
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if *method == Method::GET {
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    } else if *method == Method::POST {
        let both = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(ACCEPT, both);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(credential) = credential {
        let (name, value) = header(&credential)?;
        headers.insert(name, value);
    }
    Ok(request)
}

/// The credential as a header that no log prints.
fn header(credential: &Credential) -> Result<(HeaderName, HeaderValue), McpError> {
    let unfit = || McpError::Credential("it does not fit into a header".to_owned());
    let name = HeaderName::try_from(credential.name.as_str()).map_err(|_| unfit())?;
    let value = credential.value.expose_secret();
    let mut value = HeaderValue::from_str(value).map_err(|_| unfit())?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Is the answer of this type?
pub fn is_type(response: &Response<Body>, expected: &str) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(expected))
}

/// What an answer of another type is called in an error.
pub fn odd_type(response: &Response<Body>) -> McpError {
    let content_type = response.headers().get(CONTENT_TYPE);
    let shown = content_type.and_then(|value| value.to_str().ok());
    McpError::Protocol(format!(
        "an answer {} with content type {:?}",
        response.status().as_u16(),
        super::rpc::words(shown.unwrap_or("none"))
    ))
}
