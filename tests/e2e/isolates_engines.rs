use anyhow::Context as _;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};
use userengine_api::EngineClass;
use userengine_api::status::Phase;
use userengine_e2e::{
    Engine, Namespace, PLATFORM, PROBE_IMAGE, Probe, class, eventually, in_namespace, is_ready,
    security,
};

/// A public address with a server, which every node of ours has.
const PUBLIC: &str = "11.22.33.44:6443";

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

/// The class of this engine alone.
fn class_of(namespace: &Namespace, name: &str) -> String {
    format!("{name}-{}", namespace.name)
}

/// An engine that serves, of a class of its own, with these changes to the test class.
async fn of_class(namespace: &Namespace, name: &str, changes: Value) -> anyhow::Result<Engine> {
    let class_name = class_of(namespace, name);
    class(&namespace.client, &class_name, changes).await?;
    let mut object = userengine_e2e::engine(name, name);
    json_patch::merge(&mut object, &json!({ "spec": { "className": class_name } }));
    let engine = Engine::create(namespace, object).await?;
    engine.wait_phase(Phase::Ready).await?;
    Ok(engine)
}

async fn forget_class(namespace: &Namespace, name: &str) -> anyhow::Result<()> {
    let classes: Api<EngineClass> = Api::all(namespace.client.clone());
    let name = class_of(namespace, name);
    classes.delete(&name, &DeleteParams::default()).await?;
    Ok(())
}

async fn can_dial_soon(probe: &Probe, target: &str) -> anyhow::Result<()> {
    eventually(&format!("the way to {target} to be open"), 30, || async {
        Ok(probe.can_dial(target).await?.then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_class_opens_the_ports_of_a_range_that_it_lists_and_nothing_besides() -> anyhow::Result<()>
{
    in_namespace("ranges", |namespace| async move {
        let server = Probe::serve_on(&namespace, "server", "8080,8081").await?;
        let range = json!([{ "cidr": format!("{server}/32"), "ports": [8080] }]);
        let listed = json!({ "egress": { "default": "None", "cidrs": range } });
        let none = json!({ "egress": { "default": "None" } });
        let (_alice, _bob, stranger) = tokio::try_join!(
            of_class(&namespace, "alice", listed),
            of_class(&namespace, "bob", none),
            Probe::start(&namespace, "stranger"),
        )?;
        let (open, shut) = (format!("{server}:8080"), format!("{server}:8081"));
        for target in [&open, &shut] {
            can_dial_soon(&stranger, target).await?;
        }
        let alice = Probe::inside(&namespace, "alice-0").await?;
        can_dial_soon(&alice, &open).await?;
        assert!(!alice.can_dial(&shut).await?, "reached a port not listed");
        let bob = Probe::inside(&namespace, "bob-0").await?;
        can_dial_soon(&bob, "127.0.0.1:8080").await?;
        assert!(!bob.can_dial(&open).await?, "reached a range not listed");
        for name in ["alice", "bob"] {
            forget_class(&namespace, name).await?;
        }
        Ok(())
    })
    .await
}

/// A server on port 53, where name servers are, and on another one; gives its address.
async fn name_server(namespace: &Namespace) -> anyhow::Result<String> {
    // A port below 1024 takes a privilege, unless the pod asks for this, which "restricted" lets it.
    let ports = json!([{ "name": "net.ipv4.ip_unprivileged_port_start", "value": "0" }]);
    let container = json!({
        "name": "probe", "image": PROBE_IMAGE, "args": ["serve", "--tcp", "53,8053", "--udp", "53"],
        "securityContext": security(),
    });
    let pod = json!({
        "metadata": { "name": "server" },
        "spec": {
            "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
            "securityContext": { "sysctls": ports }, "containers": [container],
        },
    });
    namespace.create_object::<Pod>(pod).await?;
    let pods: Api<Pod> = namespace.api();
    let pod = eventually("the name server to run", 60, || async {
        Ok(pods.get_opt("server").await?.filter(is_ready))
    })
    .await?;
    pod.status
        .and_then(|status| status.pod_ip)
        .context("no address")
}

/// Whether the name server answers a question.
async fn is_answered(probe: &Probe, server: &str) -> anyhow::Result<bool> {
    let arguments = ["dial", "udp", server, "--timeout", "2s"];
    Ok(probe.run(&arguments).await?.success)
}

/// Whether the cluster's own name servers answer.
async fn resolves(probe: &Probe) -> anyhow::Result<bool> {
    let name = "kubernetes.default.svc.cluster.local.";
    Ok(probe.run(&["resolve", name]).await?.success)
}

#[tokio::test]
async fn an_engine_asks_the_name_servers_that_its_class_lists_and_no_others() -> anyhow::Result<()>
{
    in_namespace("names", |namespace| async move {
        let server = name_server(&namespace).await?;
        let peers = json!([{ "cidr": format!("{server}/32") }]);
        let listed = json!({ "egress": { "default": "None", "dnsPeers": peers } });
        let none = json!({ "egress": { "default": "None" } });
        let (_alice, _bob, stranger) = tokio::try_join!(
            of_class(&namespace, "alice", listed),
            of_class(&namespace, "bob", none),
            Probe::start(&namespace, "stranger"),
        )?;
        let (names, other) = (format!("{server}:53"), format!("{server}:8053"));
        for target in [&names, &other] {
            can_dial_soon(&stranger, target).await?;
        }
        assert!(is_answered(&stranger, &names).await?, "it does not answer");
        let alice = Probe::inside(&namespace, "alice-0").await?;
        can_dial_soon(&alice, &names).await?;
        assert!(is_answered(&alice, &names).await?, "may not ask it");
        assert!(!alice.can_dial(&other).await?, "reached its other port");
        assert!(!resolves(&alice).await?, "asked one not listed");
        let bob = Probe::inside(&namespace, "bob-0").await?;
        eventually("bob to ask the cluster's name servers", 30, || async {
            Ok(resolves(&bob).await?.then_some(()))
        })
        .await?;
        for target in [&names, &other] {
            assert!(!bob.can_dial(target).await?, "reached {target}, not listed");
        }
        assert!(!is_answered(&bob, &names).await?, "asked one not listed");
        for name in ["alice", "bob"] {
            forget_class(&namespace, name).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_is_public_is_reached_unless_the_class_denies_it() -> anyhow::Result<()> {
    in_namespace("public", |namespace| async move {
        let denied = json!({ "egress": { "denyCIDRs": ["11.0.0.0/8"] } });
        let none = json!({ "egress": { "default": "None" } });
        tokio::try_join!(
            of_class(&namespace, "alice", json!({})),
            of_class(&namespace, "bob", denied),
            of_class(&namespace, "carol", none),
        )?;
        let alice = Probe::inside(&namespace, "alice-0").await?;
        can_dial_soon(&alice, PUBLIC).await?;
        for name in ["bob", "carol"] {
            let inside = Probe::inside(&namespace, &format!("{name}-0")).await?;
            can_dial_soon(&inside, "127.0.0.1:8080").await?;
            assert!(!inside.can_dial(PUBLIC).await?, "{name} reached it");
        }
        for name in ["alice", "bob", "carol"] {
            forget_class(&namespace, name).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn only_the_pods_that_a_class_selects_reach_its_engines() -> anyhow::Result<()> {
    in_namespace("selected", |namespace| {
        Box::pin(lets_in_whom_it_selects(namespace))
    })
    .await
}

async fn lets_in_whom_it_selects(namespace: Namespace) -> anyhow::Result<()> {
    let labels = json!({ "example.com/role": "backend" });
    let from = json!([{ "podSelector": { "matchLabels": labels } }]);
    // Of the same labels, in a namespace that other classes let in.
    let platform = Namespace::create("selected2", &[(PLATFORM, "true")]).await?;
    let none = json!([]);
    let start = |at, labels| Probe::start_with(at, "backend", labels, none.clone(), none.clone());
    let (alice, backend, elsewhere, neighbour) = tokio::try_join!(
        of_class(&namespace, "alice", json!({ "ingressFrom": from })),
        start(&namespace, labels.clone()),
        start(&platform, labels.clone()),
        Probe::start(&namespace, "neighbour"),
    )?;
    let target = format!("{}:8080", address(&alice).await?);
    can_dial_soon(&backend, &target).await?;
    assert!(
        !neighbour.can_dial(&target).await?,
        "reached by a neighbour"
    );
    assert!(
        !elsewhere.can_dial(&target).await?,
        "reached from another namespace"
    );
    forget_class(&namespace, "alice").await?;
    platform.delete().await
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
