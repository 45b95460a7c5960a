//! What the tests on a real cluster share: namespaces that come and go, engines, probes, and waiting.

mod api;
pub mod attempts;
pub mod between;
mod brain;
mod browser;
pub mod chart;
mod connected;
pub mod credentials;
pub mod desk;
mod engine;
pub mod life;
pub mod local_operator;
pub mod machine;
mod namespace;
mod oauth_server;
mod operator;
mod probe;
mod rotation;
mod served;
pub mod state;
pub mod trouble;
mod wait;
pub mod wrong;

pub use api::{Api, Backend, Reply, at};
pub use brain::Brain;
pub use browser::{Browser, Page};
pub use connected::Connected;
pub(crate) use engine::merge;
pub use engine::{Engine, class, condition, engine, inside, is_ready};
pub use namespace::{Kind, Namespace, in_namespace};
pub use oauth_server::OauthServer;
pub use operator::{
    OPERATORS, leader, may, operator_metrics, operators, scale_operators, wait_for_next_leader,
    wait_for_operators, without_operators,
};
pub use probe::{Answer, Probe, security};
pub use rotation::{Ended, rotation};
pub use served::Served;
pub use wait::{eventually, holds};

use kube::Client;

/// Label of a namespace whose pods the test class lets talk to engines.
pub const PLATFORM: &str = "userengine.dev/platform";
/// The class that the tests' engines follow.
pub const CLASS: &str = "e2e";
/// The engine's image.
pub const ENGINE_IMAGE: &str = "localhost/userengine-engine:0.1.0";
/// The operator's image: to an engine's class, a program that cannot serve.
pub const OPERATOR_IMAGE: &str = "localhost/userengine-operator:0.1.0";
/// The image of the probes.
pub const PROBE_IMAGE: &str = "localhost/userengine-probe:1";
/// The image of a real MCP server behind OAuth.
pub const OAUTH_SERVER_IMAGE: &str = "localhost/userengine-oauth-server:1";
/// Where the tests' relay is published.
pub const RELAY: &str = "connect.engines.example.com";
/// Namespace of the operator.
pub const SYSTEM: &str = "userengine-system";

/// A client of the cluster that `KUBECONFIG` names.
pub async fn client() -> anyhow::Result<Client> {
    Ok(Client::try_default().await?)
}
