//! The claim and its size.

use super::*;

fn sized(size: &str) -> World {
    alive().spec(&json!({ "storage": { "size": size } }))
}

/// Whoever makes the volume larger has got half way.
fn grows() -> World {
    alive().claim(|claim| {
        let status = json!({ "phase": "Bound", "capacity": { "storage": "512Mi" }, "conditions": [
            { "type": "FileSystemResizePending", "status": "True", "message": "Waiting for user to (re-)start a pod" },
        ] });
        claim.status = Some(serde_json::from_value(status).unwrap());
    })
}

pub fn situations() -> Vec<Situation> {
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
            grows(),
            of,
            Reason::Growing,
            Severity::Fine,
            &["'alice-brain' has 512Mi", "1Gi", "(re-)start a pod"],
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
