//! A real MCP server behind OAuth, in the cluster: FastMCP with its in-memory provider (`tests/peers/oauth_server.py`).

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use kube::api::{Api, DeleteParams, PostParams};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::probe::security;
use crate::{Namespace, OAUTH_SERVER_IMAGE, Probe, SYSTEM, eventually, is_ready};

const PORT: u16 = 8443;

/// The server, its namespace, and who vouches for it.
pub struct OauthServer {
    /// Its namespace.
    pub namespace: Namespace,
    /// The certificate authority, in PEM; also in the ConfigMap of [`Self::config_map`].
    pub ca: String,
}

impl OauthServer {
    /// Starts it in a namespace of its own, with access tokens of this many seconds.
    pub async fn start(test: &str, access_seconds: u32) -> anyhow::Result<Self> {
        let namespace = Namespace::create(test, &[]).await?;
        let mut server = Self {
            namespace,
            ca: String::new(),
        };
        let (certificate, key) = server.certify()?;
        let namespace = &server.namespace;
        let tls = json!({ "metadata": { "name": "tls" }, "stringData": { "tls.crt": certificate, "tls.key": key } });
        namespace.create_object::<Secret>(tls).await?;
        namespace.create_object::<Service>(service()).await?;
        namespace
            .create_object::<Pod>(server.pod(access_seconds))
            .await?;
        let bundle =
            json!({ "metadata": { "name": server.config_map() }, "data": { "ca.crt": server.ca } });
        let bundles: Api<ConfigMap> = Api::namespaced(namespace.client.clone(), SYSTEM);
        bundles
            .create(&PostParams::default(), &serde_json::from_value(bundle)?)
            .await?;
        let pods: Api<Pod> = namespace.api();
        eventually("the OAuth-protected MCP server to serve", 120, || async {
            Ok(pods.get_opt("mcp").await?.filter(is_ready))
        })
        .await?;
        Ok(server)
    }

    /// Removes it.
    pub async fn stop(self) -> anyhow::Result<()> {
        let bundles: Api<ConfigMap> = Api::namespaced(self.namespace.client.clone(), SYSTEM);
        bundles
            .delete(&self.config_map(), &DeleteParams::default())
            .await?;
        self.namespace.delete().await
    }

    /// Its name in the cluster's DNS.
    pub fn host(&self) -> String {
        format!("mcp.{}.svc.cluster.local", self.namespace.name)
    }

    /// Name and port.
    pub fn address(&self) -> String {
        format!("{}:{PORT}", self.host())
    }

    /// Where it speaks MCP.
    pub fn url(&self) -> String {
        format!("https://{}/mcp", self.address())
    }

    /// Name of the ConfigMap of the operator's namespace with its certificate authority.
    pub fn config_map(&self) -> String {
        format!("{}-ca", self.namespace.name)
    }

    /// The fields of a class that let engines call it.
    pub fn class(&self) -> Value {
        let namespace =
            json!({ "matchLabels": { "kubernetes.io/metadata.name": self.namespace.name } });
        json!({
            "tls": { "caConfigMap": self.config_map() },
            "egress": {
                "allow": [{ "host": self.host(), "port": PORT }],
                "namespaces": [{ "selector": namespace, "ports": [PORT] }],
            },
        })
    }

    /// How often each thing happened to it.
    pub async fn counts(&self, probe: &Probe) -> anyhow::Result<Value> {
        let url = format!("https://{}/control/counts", self.address());
        let answer = probe.run(&["http", "--ca", &self.ca, &url]).await?;
        serde_json::from_str(answer.body()).with_context(|| format!("no counts: {}", answer.text))
    }

    fn certify(&mut self) -> anyhow::Result<(String, String)> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        self.ca = issuer.pem();
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([self.host()])?.signed_by(&key, &issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    fn pod(&self, access_seconds: u32) -> Value {
        let url = format!("https://{}", self.address());
        let arguments = [
            "--host",
            "0.0.0.0",
            "--port",
            &PORT.to_string(),
            "--url",
            &url,
            "--access-seconds",
            &access_seconds.to_string(),
            "--certificate",
            "/tls/tls.crt",
            "--key",
            "/tls/tls.key",
        ];
        json!({
            "metadata": { "name": "mcp", "labels": { "app": "mcp" } },
            "spec": {
                "automountServiceAccountToken": false,
                "terminationGracePeriodSeconds": 1,
                "securityContext": { "fsGroup": 65532 },
                "volumes": [{ "name": "tls", "secret": { "secretName": "tls", "defaultMode": 0o440 } }],
                "containers": [{
                    "name": "mcp",
                    "image": OAUTH_SERVER_IMAGE,
                    "args": arguments,
                    "securityContext": security(),
                    "volumeMounts": [{ "name": "tls", "mountPath": "/tls" }],
                    "readinessProbe": { "tcpSocket": { "port": PORT }, "periodSeconds": 1 },
                }],
            },
        })
    }
}

fn service() -> Value {
    json!({ "metadata": { "name": "mcp" }, "spec": { "selector": { "app": "mcp" }, "ports": [{ "port": PORT }] } })
}
