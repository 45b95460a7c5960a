//! Credentials at rest: readable by Python's `cryptography` with the key, by nobody without it, and only where they lie.

use std::process::Command;

use serde_json::{Value, json};
use userengine_engine::mcp::Credential;

use super::world::World;
use crate::support::peers::python;
use crate::support::{key_text, sql};

impl World {
    async fn stored(&self, ref_id: &str) -> Vec<String> {
        let query = format!("SELECT kid, credentials FROM connections WHERE ref_id = '{ref_id}'");
        let rows = sql::texts_async(&self.engine.volume.brain(), &query).await;
        rows.into_iter().next().unwrap()
    }

    /// What a request would carry, or why it cannot be made.
    fn carried(&self, ref_id: &str) -> Result<Option<Credential>, String> {
        let source = self
            .engine
            .app
            .assets
            .credential_source(&self.handle(ref_id));
        source.credential()
    }

    async fn store(&self, ref_id: &str, token: &str) {
        let update =
            format!("UPDATE connections SET credentials = '{token}' WHERE ref_id = '{ref_id}'");
        sql::run_async(&self.engine.volume.brain(), &update).await;
    }
}

/// Runs a line of Python with `fernet` at hand. Gives what it prints.
fn python_prints(key_number: u8, line: &str, input: &str) -> String {
    let program = format!(
        "import json, sys\nfrom cryptography.fernet import Fernet\nfernet = Fernet(sys.argv[1])\ntext = sys.argv[2]\n{line}"
    );
    let output = Command::new(python())
        .args(["-c", &program, &key_text(key_number), input])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

#[tokio::test]
async fn python_opens_our_credentials() {
    let world = World::start().await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    let token = &world.stored(&ref_id).await[1];
    let plain: Value = serde_json::from_str(&python_prints(
        1,
        "print(fernet.decrypt(text).decode())",
        token,
    ))
    .unwrap();
    assert_eq!(plain["for"], format!("connections.credentials/{ref_id}"));
    let credential: Value = serde_json::from_str(plain["v"].as_str().unwrap()).unwrap();
    let state = world.provider.state();
    assert_eq!(
        credential,
        json!({
            "kind": "oauth",
            "issuer": world.provider.base(),
            "audience": world.provider.base(),
            "access_token": state.access_tokens.keys().next().unwrap(),
            "refresh_token": state.refresh_tokens.keys().next().unwrap(),
        })
    );
}

#[tokio::test]
async fn we_open_what_python_sealed() {
    let world = World::start().await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    let credential = json!({
        "kind": "oauth",
        "issuer": world.provider.base(),
        "audience": world.provider.base(),
        "access_token": "from-python-\u{e9}",
        "refresh_token": "\"quoted\" \\ and \u{1F511}",
    });
    let envelope =
        json!({ "for": format!("connections.credentials/{ref_id}"), "v": credential.to_string() });
    let line = "print(fernet.encrypt(json.dumps(json.loads(text)).encode()).decode())";
    world
        .store(&ref_id, &python_prints(1, line, &envelope.to_string()))
        .await;
    let world = world.restarted().await;
    let carried = world.carried(&ref_id).unwrap().unwrap();
    let value = secrecy::ExposeSecret::expose_secret(&carried.value);
    assert_eq!(
        (carried.name.as_str(), value),
        ("Authorization", "Bearer from-python-\u{e9}")
    );
}

#[tokio::test]
async fn moved_swapped_and_foreign_credentials_do_not_open() {
    let world = World::start().await;
    let one = world.authorize(json!({ "server_name": "oauth" })).await;
    let two = world
        .authorize(json!({ "server_name": "oauth", "alias": "two" }))
        .await;
    let (of_one, of_two) = (
        world.stored(&one).await[1].clone(),
        world.stored(&two).await[1].clone(),
    );
    let seal = |number: u8, place: &str| {
        let envelope = json!({ "for": place, "v": "{\"kind\":\"static\",\"audience\":\"a\",\"value\":\"b\"}" });
        python_prints(
            number,
            "print(fernet.encrypt(text.encode()).decode())",
            &envelope.to_string(),
        )
    };
    let here = format!("connections.credentials/{one}");
    let cut = &of_one[..of_one.len() - 4];
    let mut world = world;
    for (what, token) in [
        ("of another row", of_two.as_str()),
        ("of another key", &seal(2, &here)),
        (
            "of another column",
            &seal(1, &format!("oauth_clients.client_secret/{one}")),
        ),
        (
            "bare",
            &python_prints(1, "print(fernet.encrypt(b'token').decode())", ""),
        ),
        ("cut off", cut),
        ("no token", "plain text"),
        ("empty", ""),
    ] {
        world.store(&one, token).await;
        world = world.restarted().await;
        let problem = world.carried(&one).unwrap_err();
        assert!(
            !problem.contains(&token[..token.len().min(12)]) || token.is_empty(),
            "{what}: {problem}"
        );
        assert!(world.carried(&two).is_ok(), "{what}: the other one works");
        let (status, _) = world.connect(json!({ "server_name": "oauth" })).await;
        assert_eq!(
            status, 200,
            "{what}: it can be connected again without being asked on purpose"
        );
        assert_eq!(world.provider.state().refreshes, 0);
    }
    world.store(&one, &of_one).await;
    world = world.restarted().await;
    assert!(world.carried(&one).is_ok(), "nothing was lost");
}

#[tokio::test]
async fn a_secret_of_a_client_opens_only_for_its_issuer() {
    let world = World::start().await;
    let (_, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    let brain = world.engine.volume.brain();
    let moved = "UPDATE oauth_clients SET id = replace(id, substr(id, 1, 1), 'z')";
    sql::run_async(&brain, moved).await;
    let page = world.callback(&world.provider.consent(&auth_url)).await;
    assert_eq!(page.status(), 502, "{}", page.body());
    assert_eq!(world.provider.state().exchanges, 0);
}
