//! A namespace for one test: restricted, and gone afterwards.

use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;
use futures::FutureExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1 as core;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::Resource;
use kube::{Api, Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// One test's namespace.
#[derive(Clone)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// The cluster.
    pub client: Client,
}

/// A kind whose objects live in a namespace.
pub trait Kind:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
{
}

impl<K> Kind for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
{
}

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Runs a test in a namespace of its own. If it fails, prints the state first, and keeps the namespace if
/// `USERENGINE_KEEP` is set.
pub async fn in_namespace<F>(test: &str, body: impl FnOnce(Namespace) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let namespace = Namespace::create(test, &[]).await?;
    let result = AssertUnwindSafe(body(namespace.clone()))
        .catch_unwind()
        .await;
    // The reason comes before the state as well: of a long output the end may be cut.
    if let Ok(Err(error)) = &result {
        eprintln!("---- {}: {error:#}", namespace.name);
    }
    if !matches!(result, Ok(Ok(()))) {
        namespace.dump().await;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch for whoever debugs a test"
    )]
    let keep = std::env::var_os("USERENGINE_KEEP").is_some();
    if !keep {
        namespace.delete().await?;
    }
    match result {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

impl Namespace {
    /// Creates a namespace under the restricted Pod Security Standard, with these labels besides.
    pub async fn create(test: &str, labels: &[(&str, &str)]) -> anyhow::Result<Self> {
        let client = crate::client().await?;
        let name = format!(
            "e2e-{test}-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let mut object: core::Namespace = serde_json::from_value(json!({
            "metadata": { "name": name, "labels": { "pod-security.kubernetes.io/enforce": "restricted" } }
        }))?;
        object.labels_mut().extend(
            labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        Api::<core::Namespace>::all(client.clone())
            .create(&PostParams::default(), &object)
            .await?;
        Ok(Self { name, client })
    }

    /// Deletes the namespace, without waiting for it to be gone.
    pub async fn delete(&self) -> anyhow::Result<()> {
        let all: Api<core::Namespace> = Api::all(self.client.clone());
        all.delete(&self.name, &DeleteParams::default())
            .await
            .context("failed to delete the namespace")?;
        Ok(())
    }

    /// The objects of one kind in this namespace.
    pub fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Creates an object from JSON.
    pub async fn create_object<K: Kind>(&self, object: Value) -> anyhow::Result<K> {
        let object: K = serde_json::from_value(object)?;
        Ok(self.api().create(&PostParams::default(), &object).await?)
    }

    /// Merges a patch into an object.
    pub async fn merge<K: Kind>(&self, name: &str, patch: Value) -> anyhow::Result<K> {
        Ok(self
            .api()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await?)
    }

    /// Prints what a person would look at first. Never a Secret's content.
    async fn dump(&self) {
        for arguments in [
            vec![
                "get",
                "userengines,statefulsets,pods,pvc,services,networkpolicies",
                "-o",
                "wide",
            ],
            vec!["describe", "userengines"],
            vec!["describe", "pods"],
            vec!["get", "events", "--sort-by=.lastTimestamp"],
            vec![
                "logs",
                "--prefix",
                "--tail=40",
                "-l",
                "app.kubernetes.io/name=userengine",
            ],
        ] {
            let output = tokio::process::Command::new("kubectl")
                .args(["-n", &self.name])
                .args(&arguments)
                .output()
                .await;
            let text = output
                .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
                .unwrap_or_default();
            eprintln!("---- kubectl {}\n{text}", arguments.join(" "));
        }
    }
}
