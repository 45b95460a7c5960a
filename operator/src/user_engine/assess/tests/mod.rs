mod handed;
mod rotation;

use serde_json::{Value, json};
use userengine_api::key::KeyError;
use userengine_api::labels;
use userengine_api::refusal::RefusalReason;

use super::*;
use crate::user_engine::fixtures::{UID, World, class, holding, key, long_ago, record, world};
use crate::user_engine::observed::KeySecret;

fn alive() -> World {
    world().claimed().with_key()
}

fn sized(size: &str) -> World {
    alive().spec(&json!({ "storage": { "size": size } }))
}

/// A world, the condition that it is about, and words that tell a person what is meant and what to do.
type Situation = (
    World,
    fn(&Assessment) -> &Finding,
    Reason,
    Severity,
    &'static [&'static str],
);

fn class_situations() -> Vec<Situation> {
    let of: fn(&Assessment) -> &Finding = |all| &all.class;
    let two = [
        class("standard", true, &json!({})),
        class("large", true, &json!({})),
    ];
    vec![
        (
            world(),
            of,
            Reason::AsExpected,
            Severity::Fine,
            &["'standard'"],
        ),
        (
            world().spec(&json!({ "className": "huge" })),
            of,
            Reason::ClassNotFound,
            Severity::Blocked,
            &["'huge'", "create it", "kubectl get engineclasses"],
        ),
        (
            world().classes([]),
            of,
            Reason::NoDefaultClass,
            Severity::Blocked,
            &["spec.className", labels::DEFAULT_CLASS],
        ),
        (
            world().classes(two),
            of,
            Reason::SeveralDefaultClasses,
            Severity::Blocked,
            &["spec.className", "large, standard", "leave the mark on one"],
        ),
    ]
}

fn storage_situations() -> Vec<Situation> {
    let of: fn(&Assessment) -> &Finding = |all| &all.storage;
    let bob = crate::record::Record {
        user: "bob".to_owned(),
        ..record()
    };
    vec![
        (
            alive(),
            of,
            Reason::AsExpected,
            Severity::Fine,
            &["'alice-brain'"],
        ),
        (
            world(),
            of,
            Reason::ClaimPending,
            Severity::Waiting,
            &["yet to be claimed"],
        ),
        (
            alive().claim_phase("Pending"),
            of,
            Reason::ClaimPending,
            Severity::Waiting,
            &["kubectl describe pvc alice-brain"],
        ),
        (
            alive().claim(|claim| claim.status = None),
            of,
            Reason::ClaimPending,
            Severity::Waiting,
            &["'alice-brain'"],
        ),
        (
            alive().claim_phase("Lost"),
            of,
            Reason::ClaimLost,
            Severity::Blocked,
            &["'alice-brain'", "restore"],
        ),
        (
            world().had_storage(),
            of,
            Reason::ClaimMissing,
            Severity::Blocked,
            &[
                "'alice-brain'",
                "restore the claim",
                "delete this UserEngine",
            ],
        ),
        (
            world().claimed_with(&bob).with_key(),
            of,
            Reason::ClaimForeign,
            Severity::Blocked,
            &["'alice-brain'", "'bob'", "choose another name"],
        ),
        (
            alive().claim(|claim| claim.metadata.deletion_timestamp = Some(long_ago())),
            of,
            Reason::ClaimDeletionPending,
            Severity::Blocked,
            &["'alice-brain'", "save what you need"],
        ),
        (
            world().spec(&json!({ "storage": { "size": "2Gi" } })),
            of,
            Reason::SizeOutOfBounds,
            Severity::Blocked,
            &["spec.storage.size 2Gi", "1Gi", "'standard'"],
        ),
        (
            sized("2Gi"),
            of,
            Reason::SizeOutOfBounds,
            Severity::Fine,
            &["spec.storage.size 2Gi", "1Gi", "'standard'"],
        ),
        (
            sized("512Mi"),
            of,
            Reason::ShrinkIgnored,
            Severity::Fine,
            &["512Mi", "1Gi", "cannot shrink"],
        ),
    ]
}

/// How the name of the key's Secret begins in a message.
const SECRET: &str = "'alice-key-";

/// The key's Secret, being deleted or for this brain.
fn secret_of(database_id: &str, terminating: bool) -> KeySecret {
    KeySecret::Present {
        uid: None,
        on_hold: false,
        kid: Ok(key(1).kid()),
        database_id: Some(database_id.to_owned()),
        held: true,
        terminating,
        created_at: None,
    }
}

fn first_key_situations() -> Vec<Situation> {
    let of: fn(&Assessment) -> &Finding = |all| &all.key;
    let with = |secret| world().with_key_secret(secret);
    let (broken, other, going) = (
        holding(Err(KeyError::Empty)),
        secret_of("other", false),
        secret_of(UID, true),
    );
    vec![
        (
            world(),
            of,
            Reason::Waiting,
            Severity::Waiting,
            &["when the volume is claimed"],
        ),
        (
            world().with_key(),
            of,
            Reason::Waiting,
            Severity::Waiting,
            &["waits for the volume"],
        ),
        (
            with(broken),
            of,
            Reason::KeyMalformed,
            Severity::Blocked,
            &[SECRET, "delete it"],
        ),
        (
            with(other),
            of,
            Reason::KeyForeign,
            Severity::Blocked,
            &[SECRET, "delete it or rename it"],
        ),
        (
            with(going),
            of,
            Reason::KeyDeletionPending,
            Severity::Blocked,
            &[SECRET, labels::KEY_FINALIZER],
        ),
    ]
}

fn key_situations() -> Vec<Situation> {
    let of: fn(&Assessment) -> &Finding = |all| &all.key;
    let with = |secret| world().claimed().with_key_secret(secret);
    let no_record = world()
        .claimed()
        .claim(|claim| claim.metadata.annotations = None);
    let (broken, other) = (
        holding(Err(KeyError::Whitespace)),
        holding(Ok(key(2).kid())),
    );
    let (strange, going) = (secret_of("other", false), secret_of(UID, true));
    let blocked = Severity::Blocked;
    vec![
        (
            alive(),
            of,
            Reason::AsExpected,
            Severity::Fine,
            &["is there"],
        ),
        (
            no_record,
            of,
            Reason::KeyUnknown,
            blocked,
            &["'alice-brain'", "annotation", "docs/operations.md"],
        ),
        (
            world().claimed(),
            of,
            Reason::KeyMissing,
            blocked,
            &[SECRET, "restore it from a backup"],
        ),
        (
            with(broken),
            of,
            Reason::KeyMalformed,
            blocked,
            &[SECRET, "white space", "restore"],
        ),
        (
            with(other),
            of,
            Reason::KeyForeign,
            blocked,
            &[SECRET, "sealed with", "restore"],
        ),
        (
            with(strange),
            of,
            Reason::KeyForeign,
            blocked,
            &[SECRET, "other", "restore"],
        ),
        (
            with(going),
            of,
            Reason::KeyDeletionPending,
            blocked,
            &[SECRET, "rotate to another key"],
        ),
    ]
}

fn waiting(reason: &str) -> Value {
    json!({ "waiting": { "reason": reason, "message": "the kubelet's words" } })
}

fn engine_situations() -> Vec<Situation> {
    let of: fn(&Assessment) -> &Finding = |all| &all.engine;
    let unscheduled = json!({ "conditions": [{ "type": "PodScheduled", "status": "False", "message": "no node has room" }] });
    let leaving = |mut world: World| {
        world.0.pod.as_mut().unwrap().metadata.deletion_timestamp = Some(long_ago());
        world
    };
    vec![
        (
            alive().running(),
            of,
            Reason::AsExpected,
            Severity::Fine,
            &["serves"],
        ),
        (
            alive(),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["to be created"],
        ),
        (
            leaving(alive().running()),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["former pod"],
        ),
        (
            alive().pod(&unscheduled),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["no node has room"],
        ),
        (
            alive().container(&waiting("ImagePullBackOff"), &json!({})),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["ImagePullBackOff", "the kubelet's words"],
        ),
        (
            alive().container(&waiting("ContainerCreating"), &json!({})),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["waiting for the engine"],
        ),
        (
            alive().container(&json!({ "running": {} }), &json!({})),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["waiting for the engine"],
        ),
        (
            alive().ended("thread main panicked"),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["exit code 66"],
        ),
        (
            alive().suspended(),
            of,
            Reason::Suspended,
            Severity::Idle,
            &["on request"],
        ),
        (
            alive().running().suspended(),
            of,
            Reason::Stopping,
            Severity::Waiting,
            &["close its brain"],
        ),
    ]
}

fn situations() -> Vec<Situation> {
    [
        class_situations(),
        handed::situations(),
        storage_situations(),
        first_key_situations(),
        key_situations(),
        engine_situations(),
        rotation::situations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_finding_says_what_it_is_about_and_what_to_do() {
    for (world, of, reason, severity, words) in situations() {
        let assessment = world.assess();
        let finding = of(&assessment);
        assert_eq!(
            (finding.reason, finding.severity),
            (reason, severity),
            "{}",
            finding.message
        );
        for word in words {
            assert!(
                finding.message.contains(word),
                "{reason:?}: {word:?} is not in {:?}",
                finding.message
            );
        }
    }
}

#[test]
fn every_reason_can_be_met() {
    // Those of what stands in the way of a plan, which only `apply` meets.
    let mut met = vec![
        Reason::ChildNotOurs,
        Reason::ChildRefused,
        Reason::GrowthRefused,
    ];
    met.extend(situations().iter().map(|(_, _, reason, ..)| *reason));
    for reason in Reason::OWN {
        assert!(met.contains(reason), "{reason:?} has no situation");
    }
}

fn refusal(reason: RefusalReason) -> String {
    json!({ "reason": reason.as_str(), "message": "found this, do that" }).to_string()
}

#[test]
fn a_refusal_becomes_the_reason_in_the_engines_own_words() {
    for reason in RefusalReason::ALL {
        let engine = alive().ended(&refusal(reason)).assess().engine;
        assert_eq!(
            (engine.reason, engine.message.as_str()),
            (Reason::Refused(reason), "found this, do that")
        );
        let wanted = if reason == RefusalReason::BrainLocked {
            Severity::Waiting
        } else {
            Severity::Blocked
        };
        assert_eq!(engine.severity, wanted, "{reason:?}");
    }
}

#[test]
fn a_refusal_is_remembered_while_the_container_waits_for_its_next_try() {
    let last =
        json!({ "terminated": { "exitCode": 65, "message": refusal(RefusalReason::KeyForeign) } });
    for now in [waiting("CrashLoopBackOff"), json!({ "running": {} })] {
        let engine = alive().container(&now, &last).assess().engine;
        assert_eq!(
            engine.reason,
            Reason::Refused(RefusalReason::KeyForeign),
            "{now}"
        );
    }
    // The end that is nearer counts.
    let now = json!({ "terminated": { "exitCode": 66, "message": refusal(RefusalReason::BrainCorrupt) } });
    assert_eq!(
        alive().container(&now, &last).assess().engine.reason,
        Reason::Refused(RefusalReason::BrainCorrupt)
    );
}

#[test]
fn a_refusal_is_over_once_the_engine_serves_or_is_suspended() {
    let refused = || alive().ended(&refusal(RefusalReason::BrainMissing));
    assert_eq!(
        refused().suspended().assess().engine.reason,
        Reason::Stopping
    );
    let mut ready = refused();
    let status = ready.0.pod.as_mut().unwrap().status.as_mut().unwrap();
    status.conditions =
        serde_json::from_value(json!([{ "type": "Ready", "status": "True" }])).unwrap();
    assert!(ready.assess().engine.holds());
}

#[test]
fn no_other_message_and_no_other_container_is_a_refusal() {
    for message in [
        "",
        "{}",
        "panicked",
        r#"{"reason":"Sunspots","message":""}"#,
    ] {
        let engine = alive().ended(message).assess().engine;
        assert_eq!(
            (engine.reason, engine.severity),
            (Reason::Starting, Severity::Waiting),
            "{message}"
        );
    }
    let sidecar = json!({ "containerStatuses": [{
        "name": "sidecar", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": { "terminated": { "exitCode": 66, "message": refusal(RefusalReason::BrainMissing) } },
    }] });
    assert_eq!(
        alive().pod(&sidecar).assess().engine.reason,
        Reason::Starting
    );
}

#[test]
fn the_class_is_the_one_asked_for_else_the_last_one_else_the_default() {
    let followed = |world: World| {
        let all = ["standard", "recorded", "reported", "asked"];
        let world = world.classes(all.map(|name| class(name, name == "standard", &json!({}))));
        world.assess().resolved.map(|class| class.name)
    };
    let recorded = || crate::record::Record {
        class: "recorded".to_owned(),
        ..record()
    };
    let reported = |world: World| {
        world.engine(|engine| {
            engine.status.get_or_insert_default().class_name = Some("reported".to_owned());
        })
    };
    assert_eq!(followed(world()).as_deref(), Some("standard"));
    assert_eq!(followed(reported(world())).as_deref(), Some("reported"));
    assert_eq!(
        followed(reported(world().claimed_with(&recorded()))).as_deref(),
        Some("recorded")
    );
    assert_eq!(
        followed(
            reported(world().claimed_with(&recorded())).spec(&json!({ "className": "asked" }))
        )
        .as_deref(),
        Some("asked")
    );
}

#[test]
fn a_class_that_is_gone_is_not_replaced_by_the_default() {
    let stuck = world().claimed_with(&crate::record::Record {
        class: "gone".to_owned(),
        ..record()
    });
    assert_eq!(stuck.assess().class.reason, Reason::ClassNotFound);
}

#[test]
fn a_record_of_another_user_is_not_trusted() {
    let bob = crate::record::Record {
        user: "bob".to_owned(),
        ..record()
    };
    assert_eq!(world().claimed_with(&bob).with_key().assess().record, None);
    assert_eq!(alive().assess().record, Some(record()));
}

#[test]
fn what_somebody_has_to_mend_is_not_hidden_by_what_time_mends() {
    let no_key = world().claimed().claim_phase("Pending");
    assert_eq!(no_key.assess().ready().reason, Reason::KeyMissing);
    let refused = alive()
        .claim_phase("Pending")
        .ended(&refusal(RefusalReason::BrainMissing));
    assert_eq!(
        refused.assess().ready().reason,
        Reason::Refused(RefusalReason::BrainMissing)
    );
}

#[test]
fn a_suspended_engine_waits_for_no_volume() {
    assert_eq!(
        alive()
            .claim_phase("Pending")
            .suspended()
            .assess()
            .ready()
            .reason,
        Reason::Suspended
    );
}
