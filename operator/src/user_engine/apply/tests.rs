use std::sync::{Arc, Mutex, PoisonError};

use crate::cluster::Writer;
use crate::metrics::Metrics;
use crate::seen::Seen;
use crate::simulated::{failure, server};
use crate::user_engine::api_key::{Change, Keys, Record};
use crate::user_engine::fixtures::{World, api_key, world};
use crate::user_engine::observed::ApiKeySecret;

use super::*;

/// A writer to an API server that answers every write with this code, but those of Secrets with that one, and what is written to Secrets.
fn refusing(code: u16, secrets: u16) -> (Writer, Arc<Mutex<Vec<String>>>) {
    let written = Arc::new(Mutex::new(Vec::new()));
    let log = written.clone();
    let client = server(move |request| {
        let path = request.uri().path().to_owned();
        let is_secret = path.contains("/secrets/");
        if is_secret {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push(path);
        }
        let code = if is_secret { secrets } else { code };
        let done = (200, json!({ "metadata": { "name": "alice-api-key" } }));
        std::future::ready(if code == 200 { done } else { failure(code, "") })
    });
    let metrics = Arc::new(Metrics::new().unwrap());
    let seen = Arc::new(Seen::default());
    (
        Writer::new(client, "acme".to_owned(), metrics, seen),
        written,
    )
}

/// A plan with a child first, and a former API key whose time is up.
fn plan(World(observed): &World) -> Plan {
    let child = build::suspended(observed.stateful_set().unwrap()).unwrap();
    let id = "r-1".to_owned().try_into().unwrap();
    let turn = Step::TurnApiKey(Box::new(Change {
        record: Record::default().over(&id),
        keys: Keys::Stay,
        news: None,
    }));
    Plan {
        steps: vec![Step::Apply(Box::new(child)), turn.clone()],
        urgent: vec![turn],
        ..Plan::default()
    }
}

#[tokio::test]
async fn a_former_api_key_goes_at_its_time_whatever_is_refused() {
    let mut world = world().claimed().with_key().with_api_key().with_children();
    world.0.api_key = ApiKeySecret::Ours(Box::new(api_key()));
    for (code, fails) in [(403, false), (500, true)] {
        let (writer, written) = refusing(code, 200);
        let applied = apply(&writer, &world.0, &plan(&world)).await;
        assert_eq!(applied.error.is_some(), fails, "{code}");
        assert_eq!(applied.trouble.is_some(), !fails, "{code}");
        assert!(applied.turned, "{code}");
        let written = written.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(written.len(), 1, "{code}: {written:?}");
    }
}

#[tokio::test]
async fn what_has_failed_itself_is_not_tried_twice_in_a_row() {
    let mut world = world().claimed().with_key().with_api_key().with_children();
    world.0.api_key = ApiKeySecret::Ours(Box::new(api_key()));
    let (writer, written) = refusing(200, 500);
    let applied = apply(&writer, &world.0, &plan(&world)).await;
    assert!(applied.error.is_some() && !applied.turned);
    let written = written.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(written.len(), 1, "{written:?}");
}
