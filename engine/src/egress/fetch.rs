//! Redirects, and answers as a whole.

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_LANGUAGE, LOCATION, USER_AGENT};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use url::Url;

use super::deadline::Deadline;
use super::guard::Target;
use super::lane::Lane;
use super::{Body, FetchError, Wait};

const MOST_REDIRECTS: usize = 3;

impl Lane {
    pub(super) async fn fetch(
        &self,
        request: Request<Bytes>,
        wait: Wait,
    ) -> Result<Response<Bytes>, FetchError> {
        let total = Deadline::after(wait.total);
        let head = Deadline::after(wait.head).earlier(total);
        let mut target = self.guard.target(&request.uri().to_string())?;
        let mut request = request;
        let mut redirects = 0;
        loop {
            let again = (request.method() == Method::GET).then(|| request.clone());
            let answer = self.send(&target, request, head).await;
            let answer = answer.map_err(|error| after_redirects(redirects, error))?;
            let host = &target.host;
            let (Some(again), Some(location)) = (again, location(&answer)) else {
                return collect(host, answer, wait.body, total).await;
            };
            redirects += 1;
            let next = self.next(&target, &location, redirects)?;
            request = carry_over(again, &target.url, &next.url);
            target = next;
        }
    }

    fn next(&self, from: &Target, location: &str, redirects: usize) -> Result<Target, FetchError> {
        let refused = |why: String| FetchError::Redirect {
            host: from.host.clone(),
            why,
        };
        if redirects > MOST_REDIRECTS {
            return Err(refused(format!("more than {MOST_REDIRECTS} of them")));
        }
        let url = from.url.join(location);
        let url = url.map_err(|_| refused("not a URL".to_owned()))?;
        self.guard
            .target(url.as_str())
            .map_err(|error| refused(error.to_string()))
    }
}

/// The first server has seen the request by then, so an error that means "never sent" would be a lie.
fn after_redirects(redirects: usize, error: FetchError) -> FetchError {
    if redirects > 0 && error.never_sent() {
        FetchError::Redirect {
            host: error.host().to_owned(),
            why: error.to_string(),
        }
    } else {
        error
    }
}

fn location(answer: &Response<Body>) -> Option<String> {
    let is_redirect = matches!(
        answer.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = answer.headers().get(LOCATION).filter(|_| is_redirect)?;
    location.to_str().ok().map(str::to_owned)
}

/// What goes along to the next hop. A static credential may be in any header, so another origin gets only those that
/// never hold one.
fn carry_over(request: Request<Bytes>, from: &Url, to: &Url) -> Request<Bytes> {
    if from.origin() == to.origin() {
        return request;
    }
    let (mut head, _) = request.into_parts();
    let mut kept = http::HeaderMap::new();
    for name in [ACCEPT, ACCEPT_LANGUAGE, USER_AGENT] {
        if let Some(value) = head.headers.remove(&name) {
            kept.insert(name, value);
        }
    }
    head.headers = kept;
    Request::from_parts(head, Bytes::new())
}

async fn collect(
    host: &str,
    answer: Response<Body>,
    limit: usize,
    deadline: Deadline,
) -> Result<Response<Bytes>, FetchError> {
    let (head, body) = answer.into_parts();
    let collected = deadline.keep(bounded(host, body, limit)).await;
    let collected = collected.ok_or_else(|| deadline.missed_by(host))??;
    Ok(Response::from_parts(head, collected))
}

async fn bounded(host: &str, mut body: Body, limit: usize) -> Result<Bytes, FetchError> {
    let too_large = || FetchError::TooLarge {
        host: host.to_owned(),
        limit,
    };
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > limit) {
        return Err(too_large());
    }
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if data.len() > limit - collected.len() {
            return Err(too_large());
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected.freeze())
}
