//! Disconnect: gone at once, revoked as soon as the provider answers.

use std::time::Duration;

use serde_json::json;
use userengine_engine::domain::ServerName;

use super::world::World;
use crate::support::sql;

const PENDING: &str = "SELECT COUNT(*) FROM pending_revocations";

impl World {
    async fn disconnect(&self, ref_id: &str) {
        let gone = self
            .request("DELETE", &format!("/assets/connections/{ref_id}"), None)
            .await;
        assert_eq!(gone.status(), 204, "{}", gone.body());
    }

    async fn count(&self, query: &str) -> i64 {
        sql::number_async(&self.engine.volume.brain(), query).await
    }

    /// The audit's rows of a kind, once they are stored: outcome and details.
    async fn audited(&self, kind: &str) -> i64 {
        self.engine.app.assets.audit.drain().await;
        self.count(&format!("SELECT COUNT(*) FROM audit WHERE kind = '{kind}'"))
            .await
    }
}

#[tokio::test]
async fn both_tokens_are_revoked_and_the_audit_says_so() {
    let world = World::start().await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    world.disconnect(&ref_id).await;
    assert_eq!(world.count("SELECT COUNT(*) FROM connections").await, 0);
    assert_eq!(world.count(PENDING).await, 1);
    world.pass(Duration::ZERO).await;
    world
        .until("it is revoked", async || world.count(PENDING).await == 0)
        .await;
    let revoked = world.provider.state().revoked.clone();
    assert!(
        revoked[0].starts_with("telltale-refresh") && revoked[1].starts_with("telltale-access"),
        "{revoked:?}"
    );
    assert_eq!(
        (
            world.audited("disconnected").await,
            world.audited("revocation").await
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_provider_that_is_away_is_asked_again_for_a_day() {
    let world = World::start().await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    world
        .provider
        .set(|behaviour| behaviour.revocation_status = 503);
    world.disconnect(&ref_id).await;
    for _ in 0..20 {
        world.pass(Duration::from_hours(1)).await;
        world
            .until("the try is over", async || {
                !world.engine.app.assets.is_revoking()
            })
            .await;
    }
    assert_eq!(world.count(PENDING).await, 1);
    assert!(
        world
            .count("SELECT attempts FROM pending_revocations")
            .await
            > 5
    );
    world
        .provider
        .set(|behaviour| behaviour.revocation_status = 200);
    world.pass(Duration::from_hours(2)).await;
    world
        .until("it is revoked", async || world.count(PENDING).await == 0)
        .await;
    assert_eq!(world.provider.state().revoked.len(), 2);
}

#[tokio::test]
async fn after_a_day_it_is_given_up_and_the_audit_says_so() {
    let world = World::start().await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    world
        .provider
        .set(|behaviour| behaviour.revocation_status = 503);
    world.disconnect(&ref_id).await;
    world.pass(Duration::from_hours(25)).await;
    world
        .until("it is given up", async || world.count(PENDING).await == 0)
        .await;
    let failed = "SELECT COUNT(*) FROM audit WHERE kind = 'revocation' AND outcome = 'error'";
    assert_eq!(world.count(failed).await, 1);
}

#[tokio::test]
async fn a_provider_without_revocation_is_no_reason_to_keep_a_connection() {
    let world = World::start().await;
    world.provider.set(|behaviour| behaviour.revokes = false);
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    world.disconnect(&ref_id).await;
    assert_eq!(world.count(PENDING).await, 0);
    let told = "SELECT COUNT(*) FROM audit WHERE kind = 'disconnected' AND details ->> 'revocation' = 'none'";
    assert_eq!(world.count(told).await, 1);
}

#[tokio::test]
async fn the_catalog_may_say_where_tokens_are_revoked() {
    let world = World::start().await;
    world.provider.set(|behaviour| behaviour.revokes = false);
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    let mut entries = world.provider.entries();
    entries[0]["oauth"] = json!({ "revocation_url": format!("{}/revoke", world.provider.base()) });
    world.provider.write_catalog(&world.catalog, &entries);
    world.post("/admin/reload-catalog", json!({})).await;
    world.disconnect(&ref_id).await;
    world.pass(Duration::ZERO).await;
    world
        .until("it is revoked", async || {
            world.provider.state().revoked.len() == 2
        })
        .await;
}

#[tokio::test]
async fn an_alias_is_remembered_after_its_connection() {
    let world = World::start().await;
    let alias = |text: &str| ServerName::try_from(text.to_owned()).unwrap();
    let directory = &world.engine.app.assets;
    let (_, answer) = world
        .connect(json!({ "server_name": "none", "alias": "mine" }))
        .await;
    assert!(!directory.was_connected(&alias("mine")) && !directory.was_connected(&alias("never")));
    assert!(
        directory.was_connected(&alias("oauth")),
        "the catalog has it"
    );
    world.disconnect(answer["ref_id"].as_str().unwrap()).await;
    assert!(directory.was_connected(&alias("mine")));
}

#[tokio::test]
async fn a_pending_connection_goes_with_its_authorizations() {
    let world = World::start().await;
    let (ref_id, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    world.disconnect(&ref_id).await;
    assert_eq!(world.count("SELECT COUNT(*) FROM oauth_flows").await, 0);
    assert_eq!(
        world
            .callback(&world.provider.consent(&auth_url))
            .await
            .status(),
        400
    );
    assert_eq!(world.provider.state().exchanges, 0);
}

#[tokio::test]
async fn a_credential_that_does_not_open_is_no_reason_to_keep_a_connection() {
    let world = World::start().await;
    let one = world.authorize(json!({ "server_name": "oauth" })).await;
    let two = world
        .authorize(json!({ "server_name": "oauth", "alias": "two" }))
        .await;
    let swap = format!(
        "UPDATE connections SET credentials = (SELECT credentials FROM connections WHERE ref_id = '{two}') WHERE ref_id = '{one}'"
    );
    sql::run_async(&world.engine.volume.brain(), &swap).await;
    let world = world.restarted().await;
    world.disconnect(&one).await;
    assert_eq!(world.count(PENDING).await, 0);
    assert_eq!(
        world
            .get("/assets/connections")
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
