//! An API server that has too much to do names a time, and is left alone until then (RFC 9110 §10.2.3,
//! <https://kubernetes.io/docs/concepts/cluster-administration/flow-control/>).

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use tokio::time::{Instant, Sleep, sleep_until};
use tower::{Layer, Service};

/// Longest wait, whatever is asked for.
const MOST: Duration = Duration::from_mins(1);

/// What the clients of one API server know of it: nothing is sent to it before this time.
#[derive(Clone, Debug, Default)]
pub struct Busy(Arc<Mutex<Option<Instant>>>);

impl Busy {
    /// Takes note of an answer that asks for a wait. The shorter of two wishes is part of the longer one.
    fn hear<B>(&self, answer: &Response<B>) {
        let busy = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        let wait = answer.headers().get(RETRY_AFTER);
        let wait = wait.and_then(|wait| wait.to_str().ok()?.trim().parse().ok());
        if let Some(seconds) = wait.filter(|_| busy.contains(&answer.status())) {
            let until = Instant::now() + Duration::from_secs(seconds).min(MOST);
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *known = known.max(Some(until));
        }
    }

    fn until(&self) -> Option<Instant> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.filter(|until| Instant::now() < *until)
    }
}

impl<S> Layer<S> for Busy {
    type Service = Patient<S>;

    fn layer(&self, service: S) -> Patient<S> {
        Patient {
            service,
            busy: self.clone(),
            wait: None,
        }
    }
}

/// Is not ready while the API server wants to be left alone: whatever is sent after that is judged then, and not before.
pub struct Patient<S> {
    service: S,
    busy: Busy,
    wait: Option<Pin<Box<Sleep>>>,
}

impl<S, A, B> Service<Request<A>> for Patient<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<B>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        loop {
            if let Some(wait) = &mut self.wait {
                ready!(wait.poll_unpin(context));
            }
            self.wait = self.busy.until().map(|until| Box::pin(sleep_until(until)));
            if self.wait.is_none() {
                return self.service.poll_ready(context);
            }
        }
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let busy = self.busy.clone();
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            busy.hear(&answer);
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use k8s_openapi::api::core::v1::Pod;
    use kube::client::Body;
    use kube::{Api, Client};
    use tower::BoxError;

    use super::*;

    /// How long a look takes that follows one which was answered with this, once the wait is over that nobody asks for.
    async fn next_look_after(status: u16, retry_after: &'static str) -> Duration {
        let asked = Arc::new(AtomicUsize::new(0));
        let server = tower::service_fn(move |_: Request<Body>| {
            let is_first = asked.fetch_add(1, Ordering::Relaxed) == 0;
            let answer = Response::builder().status(if is_first { status } else { 404 });
            let answer = answer.header(RETRY_AFTER, retry_after).body(Body::empty());
            std::future::ready(answer.map_err(BoxError::from))
        });
        let client = Client::new(Busy::default().layer(server), "team");
        let pods: Api<Pod> = Api::default_namespaced(client);
        assert!(pods.get_opt("alice-0").await.is_err());
        let began = Instant::now();
        pods.get_opt("alice-0").await.unwrap_or_default();
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_has_too_much_to_do_is_left_alone_for_as_long_as_it_asks_and_no_longer() {
        let asked = Duration::from_secs(7);
        let little_more = asked + Duration::from_millis(10);
        for status in [429, 503] {
            let took = next_look_after(status, "7").await;
            assert!((asked..little_more).contains(&took), "{status}: {took:?}");
        }
        let took = next_look_after(429, "86400").await;
        assert!((MOST..MOST + asked).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_was_not_asked_for() {
        for (status, retry_after) in [(500, "7"), (429, "soon"), (429, "-1")] {
            let took = next_look_after(status, retry_after).await;
            assert!(
                took < Duration::from_secs(1),
                "{status} {retry_after}: {took:?}"
            );
        }
    }
}
