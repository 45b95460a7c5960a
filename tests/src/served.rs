//! A class of a test's own, and the catalog that it hands to its engines.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use userengine_api::EngineClass;
use userengine_api::status::Phase;

use crate::{Engine, Namespace, SYSTEM, class, merge};

/// A class, and the ConfigMap of the same name that it calls its catalog.
pub struct Served {
    /// The name of both.
    pub name: String,
    client: kube::Client,
}

impl Served {
    /// Makes both, named as the namespace is: the entries of the catalog, and what the class says besides.
    pub async fn new(
        namespace: &Namespace,
        servers: Value,
        changes: Value,
    ) -> anyhow::Result<Self> {
        Self::named(namespace.name.clone(), namespace, servers, changes).await
    }

    /// The same under another name.
    pub async fn named(
        name: String,
        namespace: &Namespace,
        servers: Value,
        changes: Value,
    ) -> anyhow::Result<Self> {
        let client = namespace.client.clone();
        let served = Self { name, client };
        served.list(servers).await?;
        let mut fields = json!({ "catalog": { "configMap": served.name } });
        merge(&mut fields, changes);
        class(&served.client, &served.name, fields).await?;
        Ok(served)
    }

    /// The catalog is these entries.
    pub async fn list(&self, servers: Value) -> anyhow::Result<()> {
        self.write(&json!({ "servers.json": servers.to_string() }))
            .await
    }

    /// The catalog's files are these, and no others.
    pub async fn write(&self, files: &Value) -> anyhow::Result<()> {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": self.name }, "data": files,
        });
        let parameters = PatchParams::apply("e2e").force();
        self.catalogs()
            .patch(&self.name, &parameters, &Patch::Apply(&object))
            .await?;
        Ok(())
    }

    /// The catalog's ConfigMap is gone.
    pub async fn forget(&self) -> anyhow::Result<()> {
        self.catalogs()
            .delete(&self.name, &DeleteParams::default())
            .await?;
        Ok(())
    }

    /// Creates an engine of the class and waits until it serves.
    pub async fn engine(&self, namespace: &Namespace, name: &str) -> anyhow::Result<Engine> {
        let mut object = crate::engine(name, name);
        merge(&mut object, json!({ "spec": { "className": self.name } }));
        let engine = Engine::create(namespace, object).await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(engine)
    }

    /// Removes class and catalog.
    pub async fn remove(self) -> anyhow::Result<()> {
        let classes: Api<EngineClass> = Api::all(self.client.clone());
        classes.delete(&self.name, &DeleteParams::default()).await?;
        if self.catalogs().get_opt(&self.name).await?.is_some() {
            self.forget().await?;
        }
        Ok(())
    }

    fn catalogs(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), SYSTEM)
    }
}
