use std::collections::BTreeSet;

use kube::runtime::reflector;
use serde_json::json;
use tokio::time::sleep;

use super::fixtures::{World, set_of, told, world};
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
        tries: tries::Tries::default(),
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

/// Tries this engine anew if it is its turn, at this second; gives what came of it.
fn tried(context: &Context, mut world: World, second: i64) -> (bool, Option<String>) {
    world.0.now = Timestamp::from_second(second).unwrap();
    let assessment = world.assess();
    tries::try_anew(context, &mut world.0, &assessment);
    (world.0.found, world.0.bounds)
}

#[tokio::test]
async fn an_image_is_asked_for_anew_once_its_pod_is_a_minute_old() {
    let context = context(server(|_| std::future::pending()), 1);
    let lacks = |reason: &str| {
        let waiting = json!({ "waiting": { "reason": reason, "message": "no" } });
        let world = world().claimed().with_key();
        let world = world.container(&waiting, &json!({}));
        world.created("1970-01-01T00:00:00Z")
    };
    let backs_off = || lacks("ImagePullBackOff");
    assert!(!tried(&context, backs_off(), 59).0);
    assert!(!tried(&context, backs_off().paused(), 60).0);
    assert!(!tried(&context, lacks("InvalidImageName"), 60).0);
    assert!(!tried(&context, lacks("ContainerCreating"), 60).0);
    assert!(!tried(&context, backs_off().going(), 60).0);
    assert!(tried(&context, backs_off(), 60).0);
    assert!(!tried(&context, backs_off(), 61).0, "once a minute");
}

#[tokio::test]
async fn a_pod_that_is_refused_is_asked_for_anew_a_minute_after_it_was_last() {
    let context = context(server(|_| std::future::pending()), 1);
    let refused = |last: i64| {
        let mut world = set_of(world().claimed().with_key());
        let said = "create Pod alice-0 in StatefulSet alice failed error: pods \"alice-0\" is forbidden: no";
        world.0.events = vec![told("FailedCreate", said, last)];
        world.0.bounds = Some("few".to_owned());
        world
    };
    let few = Some("few".to_owned());
    let classless = refused(100).classes([]);
    assert_eq!(
        tried(&context, classless, 160),
        (false, few.clone()),
        "nothing would come of it"
    );
    assert_eq!(tried(&context, refused(100), 159), (false, few.clone()));
    let anew = Some("few-160".to_owned());
    assert_eq!(tried(&context, refused(100), 160), (false, anew));
    assert_eq!(tried(&context, refused(100), 161), (false, few));
}

#[tokio::test]
async fn an_image_that_was_there_once_and_cannot_be_had_now_is_asked_for_anew() {
    let context = context(server(|_| std::future::pending()), 1);
    let waiting = json!({ "waiting": { "reason": "ImagePullBackOff", "message": "no" } });
    let world = world().claimed().with_key();
    let world = world.container(&waiting, &json!({ "terminated": { "exitCode": 1 } }));
    let mut world = world.created("1970-01-01T00:00:00Z");
    let status = world.0.pod.as_mut().unwrap().status.as_mut().unwrap();
    for container in status.container_statuses.as_mut().unwrap() {
        container.image_id = "sha256:0".to_owned();
    }
    assert!(tried(&context, world, 60).0);
}
