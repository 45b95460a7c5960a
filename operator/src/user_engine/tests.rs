use std::collections::BTreeSet;

use kube::runtime::reflector;
use serde_json::json;
use tokio::time::sleep;

use super::*;
use crate::simulated::server;

/// What the controller keeps room for in the task of each reconcile.
fn room<F: Future>(_: impl Fn(Arc<EngineSketch>, Arc<Context>) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn a_reconcile_needs_little_room_before_it_looks() {
    assert!(room(reconcile) <= 512, "{}", room(reconcile));
}

/// Of an operator that has just begun, with so many turns.
fn context(client: Client, turns: usize) -> Arc<Context> {
    Arc::new(Context {
        classes: reflector::store().0,
        platform: reflector::store().0,
        operator_namespace: "userengine-system".to_owned(),
        recorder: Recorder::new(client.clone()),
        client,
        metrics: Arc::new(Metrics::new().unwrap()),
        insides: inside::Insides::default(),
        rollouts: rollout::Rollouts::default(),
        backoff: retry::Backoff::default(),
        growths: growth::Refusals::default(),
        turns: Semaphore::new(turns),
        seen: Arc::new(Seen::default()),
        left_behind: mpsc::unbounded().0,
        build: 1,
    })
}

#[tokio::test(start_paused = true)]
async fn no_more_engines_are_worked_on_at_once_than_there_are_turns() {
    let asked = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let log = asked.clone();
    let client = server(move |request| {
        let path = request.uri().path().to_owned();
        // The first that is read of an engine.
        let claim = path.split_once("/persistentvolumeclaims/");
        let claim = claim.map(|(_, name)| name.to_owned());
        log.lock().unwrap().extend(claim);
        std::future::pending()
    });
    let context = context(client, 2);
    for name in ["a", "b", "c", "d"] {
        let metadata =
            json!({ "namespace": "team", "name": name, "uid": name, "resourceVersion": "1" });
        let engine: EngineSketch = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
        tokio::spawn(reconcile(Arc::new(engine), context.clone()));
    }
    sleep(std::time::Duration::from_mins(1)).await;
    assert_eq!(asked.lock().unwrap().len(), 2);
}
