//! The life of a connection as the documentation has it and users of the API see it: the real engine, real servers, curl.

mod calls_pass_through;
mod catalog_changes;
mod oauth;
mod random_kills;
mod secrets_stay_inside;
mod statics;
mod stdio;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::front::Front;
use crate::support::process::{Ended, Engine, Setup};
use crate::support::shell::Shell;
use crate::support::volume::Volume;

/// An engine on its own machine, with a catalog.
struct Standalone {
    engine: Engine,
    volume: Volume,
    catalog: TempDir,
    shell: Shell,
    setup: Setup,
    front: Front,
}

impl Standalone {
    /// Serves these entries, and may call these origins.
    fn start(origins: &[&str], entries: &[Value]) -> Self {
        let (volume, catalog, front) = (Volume::new(), tempfile::tempdir().unwrap(), Front::open());
        for entry in entries {
            write_entry(catalog.path(), entry);
        }
        let setup = Setup::new(&volume)
            .with("CATALOG_DIR", catalog.path())
            .with("PUBLIC_URL", front.url())
            .with("EGRESS_ALLOW", origins.join(","))
            .with("ENGINE_LOG_LEVEL", "debug");
        let engine = setup.start();
        front.lead_to(engine.address());
        let shell = Shell::of(&engine);
        Self {
            engine,
            volume,
            catalog,
            shell,
            setup,
            front,
        }
    }

    /// Kills the engine and starts another on the same volume.
    fn crash(self) -> Self {
        self.engine.kill();
        let next = self.setup.start();
        self.front.lead_to(next.address());
        Self {
            shell: Shell::of(&next),
            engine: next,
            ..self
        }
    }

    /// The processes that the engine started, whichever of its threads did.
    fn children(&self) -> Vec<String> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.engine.id())).unwrap();
        let lists =
            threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("children")));
        // A thread may have ended meanwhile.
        let lists: Vec<_> = lists.map(Result::unwrap_or_default).collect();
        lists
            .iter()
            .flat_map(|list| list.split_whitespace())
            .map(str::to_owned)
            .collect()
    }

    /// `POST path` with this body, through curl; gives the status and the answer.
    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let shell = self
            .shell
            .clone()
            .with("SENT_TO", path)
            .with("BODY", &body.to_string());
        shell.answer(r#"curl -sS "$ENGINE_URL$SENT_TO" -H "X-Engine-Key: $KEY" -H "Content-Type: application/json" -d "$BODY""#)
    }

    /// `GET path`, through curl.
    fn get(&self, path: &str) -> Value {
        let shell = self.shell.clone().with("ASKED", path);
        shell
            .run(r#"curl -fsS "$ENGINE_URL$ASKED" -H "X-Engine-Key: $KEY""#)
            .json()
    }

    /// Calls a tool that answers.
    fn call(&self, name: &str, arguments: &Value) -> Value {
        let (status, answer) = self.try_call(name, arguments);
        assert_eq!(status, 200, "{name}: {answer}");
        answer
    }

    fn try_call(&self, name: &str, arguments: &Value) -> (u16, Value) {
        self.post(
            "/tools/call",
            &json!({ "name": name, "arguments": arguments }),
        )
    }

    /// Connects a server without OAuth.
    fn connect(&self, body: &Value) -> String {
        let (status, answer) = self.post("/assets/connect", body);
        assert_eq!(
            (status, &answer["status"]),
            (200, &json!("connected")),
            "{answer}"
        );
        answer["ref_id"].as_str().unwrap().to_owned()
    }

    fn connection(&self, ref_id: &str) -> Value {
        self.get(&format!("/assets/connections/{ref_id}"))
    }

    /// The tool of this name, as the model sees it.
    fn tool(&self, name: &str) -> Value {
        let tools = self.get("/tools");
        let tools = tools.as_array().unwrap_or_else(|| panic!("{tools}"));
        let found = tools.iter().find(|tool| tool["name"] == name);
        found
            .unwrap_or_else(|| panic!("no {name} in {tools:?}"))
            .clone()
    }

    /// Ends the engine and gives its log.
    fn stop(self) -> (Ended, Volume) {
        let ended = self.engine.stop();
        assert!(ended.status.success(), "{}", ended.stderr);
        (ended, self.volume)
    }
}

fn write_entry(catalog: &Path, entry: &Value) -> PathBuf {
    let file = catalog.join(format!("{}.json", entry["name"].as_str().unwrap()));
    fs::write(&file, serde_json::to_vec_pretty(entry).unwrap()).unwrap();
    file
}

/// An entry for a server over HTTP.
fn over_http(name: &str, transport: &str, url: &str, auth_method: &str) -> Value {
    json!({ "name": name, "transport": transport, "url": url, "auth_method": auth_method })
}
