//! How an engine stands to a class that has changed.

use super::*;

/// It has served, and its pod is made.
fn serving() -> World {
    let record = crate::record::Record {
        initialised: true,
        ..record()
    };
    world()
        .claimed_with(&record)
        .with_key()
        .running()
        .with_children()
}

fn changed(world: World) -> World {
    world.class(&json!({ "logLevel": "debug", "maxResources": { "cpu": "2", "memory": "1Gi" } }))
}

fn waiting(mut world: World, before: usize) -> World {
    world.0.waits_behind = Some(before);
    world
}

fn pod_refuses(reason: RefusalReason) -> World {
    serving().ended(&engine::refusal(reason))
}

pub fn situations() -> Vec<Situation> {
    vec![(
        waiting(changed(serving()), 7),
        |all| &all.class,
        Reason::RolloutQueued,
        Severity::Fine,
        &[
            "'standard'",
            "10 at a time",
            "rollout.maxConcurrent",
            "this one waits",
            "serves as before",
        ],
    )]
}

/// It asks for this, and its image cannot be pulled.
fn unpulled(spec: &Value) -> World {
    waits_for("ErrImagePull", spec)
}

/// It asks for this, and its kubelet waits for that.
fn waits_for(reason: &str, spec: &Value) -> World {
    let waiting = json!({ "waiting": { "reason": reason, "message": "not found" } });
    let allows = json!({
        "allowedImages": ["registry.example.com/engine:"],
        "allowedEnv": ["FLAG_A"],
        "allowedEnvFrom": { "configMapNames": ["flags"] },
        "maxResources": { "cpu": "2", "memory": "1Gi" },
    });
    serving()
        .class(&allows)
        .spec(spec)
        .container(&waiting, &json!({}))
}

/// It asks for this, and was ended for its memory.
fn out_of_memory(spec: &Value) -> World {
    let waiting = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
    let ended = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
    waits_for("CrashLoopBackOff", spec).container(&waiting, &ended)
}

/// Whose doing it is that it does not come up: its own, or its class's.
fn kept_down() -> Vec<(&'static str, World, Standing)> {
    let own = json!({ "resources": { "limits": { "memory": "512Mi" } } });
    vec![
        (
            "the image that it asks for itself is not there",
            unpulled(&json!({ "image": "registry.example.com/engine:own" })),
            Standing::Apart,
        ),
        (
            "the image of the class is not there",
            unpulled(&json!({})),
            Standing::ComingUp,
        ),
        (
            "what it takes its variables from is not there",
            waits_for(
                "CreateContainerConfigError",
                &json!({ "envFrom": [{ "prefix": "FLAG_", "configMapRef": { "name": "flags" } }] }),
            ),
            Standing::Apart,
        ),
        (
            "something else that its class names is not there",
            waits_for("CreateContainerConfigError", &json!({})),
            Standing::ComingUp,
        ),
        (
            "it needs more memory than it asks for itself",
            out_of_memory(&own),
            Standing::Apart,
        ),
        (
            "it needs more memory than its class gives",
            out_of_memory(&json!({})),
            Standing::ComingUp,
        ),
        (
            "the older image that it asks for itself does not know its brain",
            waits_for(
                "CrashLoopBackOff",
                &json!({ "image": "registry.example.com/engine:own" }),
            ),
            Standing::Apart,
        ),
        (
            "it ends, with variables of its own",
            waits_for(
                "CrashLoopBackOff",
                &json!({ "env": [{ "name": "FLAG_A", "value": "b" }] }),
            ),
            Standing::Apart,
        ),
        (
            "it ends",
            waits_for("CrashLoopBackOff", &json!({})),
            Standing::ComingUp,
        ),
    ]
}

fn standings() -> Vec<(&'static str, World, Standing)> {
    let own = json!({ "resources": { "limits": { "memory": "512Mi" } } });
    vec![
        ("as the class is", serving(), Standing::InLine),
        ("as the class was", changed(serving()), Standing::Behind),
        (
            "what it asks for itself does not wait",
            changed(serving()).spec(&own),
            Standing::ComingUp,
        ),
        (
            "nor does another class of its own choice",
            changed(serving()).spec(&json!({ "className": "standard" })),
            Standing::ComingUp,
        ),
        (
            "its pod comes up",
            changed(serving()).pod(&json!({})),
            Standing::ComingUp,
        ),
        (
            "its pod is gone for the moment",
            World(Observed {
                pod: None,
                ..serving().0
            }),
            Standing::ComingUp,
        ),
        (
            "a setting is wrong",
            pod_refuses(RefusalReason::ConfigInvalid),
            Standing::ComingUp,
        ),
        (
            "its brain is damaged",
            pod_refuses(RefusalReason::BrainCorrupt),
            Standing::Apart,
        ),
        (
            "its node does not answer",
            trouble::cut_off(serving()),
            Standing::Apart,
        ),
        ("it sleeps", changed(serving()).suspended(), Standing::Apart),
        (
            "nothing of it is changed",
            changed(serving()).paused(),
            Standing::Apart,
        ),
        ("its class is gone", serving().classes([]), Standing::Apart),
        (
            "it keeps its pod",
            changed(serving()).spec(&json!({ "image": "other" })),
            Standing::Apart,
        ),
        (
            "its volume is lost",
            changed(serving()).claim_phase("Lost"),
            Standing::Apart,
        ),
        (
            "it never served",
            world().claimed().with_key().with_children(),
            Standing::Apart,
        ),
    ]
}

#[test]
fn a_rotation_takes_nobody_past_those_that_wait_for_their_turn_but_for_a_key_that_leaked() {
    let asked = |mode: &str| json!({ "encryption": { "rotation": { "id": "r-1", "mode": mode } } });
    let begins = |world: World| {
        let assessment = world.assess();
        let begins = assessment.rotation.unwrap().wish().is_none();
        (begins, assessment.encryption.reason)
    };
    let waits = |mode: &str| waiting(changed(serving()), 7).spec(&asked(mode));
    let (has_begun, reason) = begins(waits("Normal"));
    assert!(!has_begun);
    assert_eq!(reason, Reason::RotationPending);
    assert!(begins(waits("Compromised")).0);
    assert!(begins(serving().spec(&asked("Normal"))).0);
}

#[test]
fn only_one_that_serves_as_the_class_was_waits_for_a_turn() {
    for (what, world, standing) in standings().into_iter().chain(kept_down()) {
        assert_eq!(world.assess().standing, standing, "{what}");
    }
}

/// The StatefulSet's controller has not seen what was written, or its pod is the former one still.
#[test]
fn one_that_serves_with_its_former_pod_comes_up_still() {
    for (status, standing) in [
        (
            json!({ "observedGeneration": 1, "updateRevision": "new" }),
            Standing::ComingUp,
        ),
        (
            json!({ "observedGeneration": 2, "updateRevision": "newer" }),
            Standing::ComingUp,
        ),
        (
            json!({ "observedGeneration": 2, "updateRevision": "new" }),
            Standing::InLine,
        ),
    ] {
        let mut world = serving();
        let pod = world.0.pod.as_mut().unwrap();
        let labels = pod.metadata.labels.get_or_insert_default();
        labels.insert("controller-revision-hash".to_owned(), "new".to_owned());
        for child in world.0.children.values_mut() {
            child.metadata.generation = Some(2);
            child.data["status"] = status.clone();
        }
        assert_eq!(world.assess().standing, standing, "{status}");
    }
}

/// Its controller may be slow to say so: it has hundreds of others to look after.
#[test]
fn the_first_pod_of_a_template_that_never_changed_is_made_from_it() {
    for (pod_made, standing) in [
        ("2026-01-01T12:00:00Z", Standing::InLine),
        ("2026-01-01T12:00:01Z", Standing::InLine),
        // An orphan of a former StatefulSet, taken up.
        ("2026-01-01T11:59:59Z", Standing::ComingUp),
    ] {
        let time = |text: &str| Some(serde_json::from_value(json!(text)).unwrap());
        let mut world = serving();
        world.0.pod.as_mut().unwrap().metadata.creation_timestamp = time(pod_made);
        for child in world.0.children.values_mut() {
            child.metadata.generation = Some(1);
            child.metadata.creation_timestamp = time("2026-01-01T12:00:00Z");
            child.data["status"] = json!({});
        }
        assert_eq!(world.assess().standing, standing, "{pod_made}");
    }
}

#[test]
fn one_that_waits_is_as_ready_as_it_is() {
    let world = waiting(changed(serving()), 0);
    assert_eq!(world.assess().ready().reason, Reason::AsExpected);
}
