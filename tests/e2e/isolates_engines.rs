use anyhow::Context as _;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;
use userengine_e2e::{Engine, Namespace, PLATFORM, Probe, in_namespace};

/// Address of an engine's pod.
async fn address(engine: &Engine) -> anyhow::Result<String> {
    let pod = engine.pod().await?.context("no pod")?;
    pod.status
        .and_then(|status| status.pod_ip)
        .context("no address")
}

#[tokio::test]
async fn an_engine_reaches_neither_its_peers_nor_the_api_server() -> anyhow::Result<()> {
    in_namespace("walls", |namespace| async move {
        Engine::ready(&namespace, "alice", "alice").await?;
        let bob = Engine::ready(&namespace, "bob", "bob").await?;
        let other = Namespace::create("walls2", &[]).await?;
        let carol = Engine::ready(&other, "carol", "carol").await?;
        let inside = Probe::inside(&namespace, "alice-0").await?;
        assert!(
            inside.can_dial("127.0.0.1:8080").await?,
            "the probe does not work"
        );
        for peer in [&bob, &carol] {
            let peer = address(peer).await?;
            assert!(
                !inside.can_dial(&format!("{peer}:8080")).await?,
                "reached a peer's API"
            );
            assert!(
                !inside.can_dial(&format!("{peer}:9090")).await?,
                "reached a peer's internal port"
            );
        }
        let slices: Api<EndpointSlice> = Api::namespaced(namespace.client.clone(), "default");
        let parameters = ListParams::default().labels("kubernetes.io/service-name=kubernetes");
        let slice = slices
            .list(&parameters)
            .await?
            .items
            .into_iter()
            .next()
            .context("no endpoints")?;
        let server = slice
            .endpoints
            .first()
            .and_then(|end| end.addresses.first().cloned())
            .context("no server")?;
        let port = slice
            .ports
            .unwrap_or_default()
            .first()
            .and_then(|port| port.port)
            .unwrap_or(6443);
        assert!(
            !inside.can_dial(&format!("{server}:{port}")).await?,
            "reached the API server"
        );
        let services: Api<Service> = Api::namespaced(namespace.client.clone(), "default");
        let ip = services
            .get("kubernetes")
            .await?
            .spec
            .and_then(|spec| spec.cluster_ip)
            .context("no address")?;
        assert!(
            !inside.can_dial(&format!("{ip}:443")).await?,
            "reached the API server's Service"
        );
        other.delete().await
    })
    .await
}

#[tokio::test]
async fn only_the_platform_reaches_an_engine_and_only_its_api() -> anyhow::Result<()> {
    let platform = Namespace::create("callers", &[(PLATFORM, "true")]).await?;
    let result = in_namespace("callee", |namespace| {
        let platform = platform.clone();
        async move {
            let alice = Engine::ready(&namespace, "alice", "alice").await?;
            let address = address(&alice).await?;
            let backend = Probe::start(&platform, "backend").await?;
            assert!(
                backend.can_dial(&format!("{address}:8080")).await?,
                "the platform is locked out"
            );
            assert!(
                !backend.can_dial(&format!("{address}:9090")).await?,
                "the platform reaches the internal port"
            );
            let neighbour = Probe::start(&namespace, "neighbour").await?;
            assert!(
                !neighbour.can_dial(&format!("{address}:8080")).await?,
                "a neighbour reaches the API"
            );
            Ok(())
        }
    })
    .await;
    platform.delete().await?;
    result
}

#[tokio::test]
async fn an_engines_pod_is_restricted_and_holds_no_token() -> anyhow::Result<()> {
    in_namespace("pod", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let pod = serde_json::to_value(engine.pod().await?.context("no pod")?)?;
        let spec = &pod["spec"];
        assert_eq!(spec["automountServiceAccountToken"], false);
        assert!(
            !spec["volumes"].to_string().contains("serviceAccountToken"),
            "{}",
            spec["volumes"]
        );
        assert_eq!(spec["enableServiceLinks"], false);
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
        assert_eq!(
            spec["securityContext"]["seccompProfile"]["type"],
            "RuntimeDefault"
        );
        let container = &spec["containers"][0];
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(
            container["securityContext"]["allowPrivilegeEscalation"],
            false
        );
        assert_eq!(
            container["securityContext"]["capabilities"]["drop"][0],
            "ALL"
        );
        assert!(container["resources"]["limits"]["memory"].is_string());
        Ok(())
    })
    .await
}
