//! What a request to an API server is about
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris>).

use axum::extract::Query;
use axum::http::request::Parts;
use axum::http::{Method, header};
use serde::Deserialize;

use super::mould::Form;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Group and version.
    pub api_version: String,
    /// `None`: the cluster's, or those of all namespaces.
    pub namespace: Option<String>,
    /// The kind, as paths have it.
    pub plural: String,
    /// One object; else all of them.
    pub name: Option<String>,
    /// A part of the object.
    pub part: Option<String>,
}

impl Target {
    /// `None` if there is no such path.
    pub fn parse(path: &str) -> Option<Self> {
        let parts: Vec<_> = path.strip_prefix('/')?.split('/').collect();
        let (api_version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ((*version).to_owned(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
            rest => (None, rest),
        };
        let (plural, name, part) = match rest {
            [plural] => (plural, None, None),
            [plural, name] => (plural, Some(*name), None),
            [plural, name, part] => (plural, Some(*name), Some(*part)),
            _ => return None,
        };
        Some(Self {
            api_version,
            namespace: namespace.map(str::to_owned),
            plural: (*plural).to_owned(),
            name: name.map(str::to_owned),
            part: part.map(str::to_owned),
        })
    }
}

/// How much of a collection is asked for, and how.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Extent {
    /// A stream of changes.
    pub watch: Option<String>,
    /// Objects of a page.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub r#continue: Option<String>,
    /// Changes after this.
    pub resource_version: Option<String>,
    /// How long.
    pub timeout_seconds: Option<u64>,
}

/// A request.
pub struct Asked {
    /// What it does.
    pub method: Method,
    /// What it is about.
    pub target: Target,
    /// How much of it.
    pub extent: Extent,
    /// How it is to be shown.
    pub form: Form,
}

impl Asked {
    /// `None` if it is none that an API server knows.
    pub fn parse(head: &Parts) -> Option<Self> {
        let accepted = head.headers.get(header::ACCEPT);
        let accepted = accepted.and_then(|accepted| accepted.to_str().ok());
        let form = if accepted.is_some_and(|accepted| accepted.contains("as=PartialObjectMetadata"))
        {
            Form::Metadata
        } else {
            Form::Whole
        };
        Some(Self {
            method: head.method.clone(),
            target: Target::parse(head.uri.path())?,
            extent: Query::try_from_uri(&head.uri).ok()?.0,
            form,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str) -> Target {
        Target::parse(path).unwrap()
    }

    #[test]
    fn a_path_names_group_namespace_kind_object_and_part() {
        let status = target("/apis/userengine.dev/v1alpha1/namespaces/acme/userengines/a/status");
        assert_eq!(status.api_version, "userengine.dev/v1alpha1");
        assert_eq!(status.namespace.as_deref(), Some("acme"));
        assert_eq!(status.plural, "userengines");
        assert_eq!(status.name.as_deref(), Some("a"));
        assert_eq!(status.part.as_deref(), Some("status"));
        let all = target("/api/v1/services");
        assert_eq!(
            (all.api_version.as_str(), all.plural.as_str()),
            ("v1", "services")
        );
        assert_eq!((all.namespace, all.name), (None, None));
    }

    #[test]
    fn a_namespace_is_an_object_too() {
        let namespace = target("/api/v1/namespaces/acme");
        assert_eq!(namespace.plural, "namespaces");
        assert_eq!(namespace.name.as_deref(), Some("acme"));
        assert_eq!(target("/api/v1/namespaces").plural, "namespaces");
        for none in ["/", "/healthz", "/apis/apps", "/api/v1/a/b/c/d"] {
            assert_eq!(Target::parse(none), None, "{none}");
        }
    }
}
