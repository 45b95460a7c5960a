//! A replica that may not lead any more writes nothing, whatever it is in the middle of.

use std::sync::{Arc, Mutex, PoisonError};

use http::Request;
use kube::Client;
use kube::client::{Body, ClientBuilder};
use tokio::time::Instant;
use tower::BoxError;
use tower::filter::{FilterLayer, Predicate};

use crate::cluster::Busy;

/// Lets writes pass while this replica leads: each is judged when it goes out, so that one that was decided before the process
/// stood still is not made after.
#[derive(Clone, Debug, Default)]
pub struct Fence(Arc<Mutex<Option<Instant>>>);

/// A write was not made.
#[derive(Debug, thiserror::Error)]
#[error("this replica does not lead, so it writes nothing")]
pub struct Closed;

impl Fence {
    /// Writes may pass until then.
    pub fn open(&self, until: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// No write passes any more.
    pub fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A write that went out now would pass.
    pub fn is_open(&self) -> bool {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// A client whose every write goes through here, once the API server wants it.
    pub fn guard(&self, cluster: kube::Config, busy: &Busy) -> kube::Result<Client> {
        let fence = FilterLayer::new(self.clone());
        let client = ClientBuilder::try_from(cluster)?;
        Ok(client.with_layer(&fence).with_layer(busy).build())
    }
}

impl Predicate<Request<Body>> for Fence {
    type Request = Request<Body>;

    fn check(&mut self, request: Request<Body>) -> Result<Request<Body>, BoxError> {
        if request.method().is_safe() || self.is_open() {
            Ok(request)
        } else {
            Err(Closed.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;

    use super::*;

    fn passes(fence: &Fence, method: Method) -> bool {
        let request = Request::builder().method(method).body(Body::empty());
        fence.clone().check(request.unwrap()).is_ok()
    }

    const WRITES: [Method; 4] = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

    #[tokio::test(start_paused = true)]
    async fn lets_every_write_pass_until_its_time_is_up_and_no_longer() {
        let fence = Fence::default();
        assert!(!passes(&fence, Method::PATCH), "it was never opened");
        let second = Duration::from_secs(1);
        fence.open(Instant::now() + second);
        assert!(WRITES.into_iter().all(|write| passes(&fence, write)));
        tokio::time::advance(second).await;
        assert!(!WRITES.into_iter().any(|write| passes(&fence, write)));
        fence.open(Instant::now() + second);
        fence.close();
        assert!(!WRITES.into_iter().any(|write| passes(&fence, write)));
    }

    #[tokio::test]
    async fn who_does_not_lead_may_look() {
        assert!(passes(&Fence::default(), Method::GET));
    }
}
