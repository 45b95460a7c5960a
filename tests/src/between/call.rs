//! What a request of the operator is, as far as a fault cares.

use http::{Method, Request};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A stream of changes.
    Watch,
    /// What a watch begins with: all objects of a kind, in every namespace.
    List,
    /// Any other look. The API server answers these with what is so now, or not at all.
    Look,
    /// A change.
    Write,
    /// Leases and Events: never counted, and disturbed only where everything is.
    Aside,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub kind: Kind,
    pub method: Method,
    pub path: String,
    query: String,
}

impl Call {
    pub fn of<B>(request: &Request<B>) -> Self {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let is_watch = query.split('&').any(|part| part == "watch=true");
        let kind = match *request.method() {
            _ if path.contains("/leases") || path.contains("/events") => Kind::Aside,
            Method::GET if is_watch => Kind::Watch,
            Method::GET if !path.contains("/namespaces/") => Kind::List,
            Method::GET => Kind::Look,
            _ => Kind::Write,
        };
        Self {
            kind,
            method: request.method().clone(),
            path,
            query,
        }
    }

    /// What a later request for the same has in common with this one.
    pub fn target(&self) -> String {
        format!("{}?{}", self.path, self.query)
    }

    /// The version that a watch goes on from.
    pub fn version(&self) -> Option<&str> {
        let mut parts = self.query.split('&');
        parts.find_map(|part| part.strip_prefix("resourceVersion="))
    }

    /// It is about an object of this namespace.
    pub fn is_in(&self, namespace: &str) -> bool {
        self.path.contains(&format!("/namespaces/{namespace}/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(method: &str, target: &str) -> Kind {
        Call::of(
            &Request::builder()
                .method(method)
                .uri(target)
                .body(())
                .unwrap(),
        )
        .kind
    }

    #[test]
    fn tells_watches_lists_looks_and_writes_apart_and_leaves_leases_and_events_alone() {
        assert_eq!(kind("GET", "/api/v1/pods?limit=500"), Kind::List);
        assert_eq!(
            kind("GET", "/api/v1/pods?watch=true&allowWatchBookmarks=true"),
            Kind::Watch
        );
        assert_eq!(kind("GET", "/api/v1/namespaces/a/secrets/b"), Kind::Look);
        assert_eq!(kind("POST", "/api/v1/namespaces/a/secrets"), Kind::Write);
        let lease = "/apis/coordination.k8s.io/v1/namespaces/a/leases/b";
        assert_eq!(kind("PUT", lease), Kind::Aside);
        let events = "/apis/events.k8s.io/v1/namespaces/a/events";
        assert_eq!(kind("POST", events), Kind::Aside);
    }

    #[test]
    fn knows_the_namespace_by_its_whole_name() {
        let request = Request::get("/api/v1/namespaces/e2e-1/pods/b").body(());
        let call = Call::of(&request.unwrap());
        assert!(call.is_in("e2e-1") && !call.is_in("e2e") && !call.is_in("2e-1"));
    }
}
