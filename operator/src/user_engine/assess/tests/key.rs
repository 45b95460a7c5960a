//! The key, before there is a brain and after.

use userengine_api::key::KeyError;

use super::*;
use crate::user_engine::fixtures::{UID, holding, key};
use crate::user_engine::observed::KeySecret;

/// How the name of the key's Secret begins in a message.
const SECRET: &str = "'alice-key-";

/// The key's Secret, being deleted or for this brain.
fn secret_of(database_id: &str, terminating: bool) -> KeySecret {
    KeySecret::Present {
        uid: None,
        version: None,
        on_hold: false,
        kid: Ok(key(1).kid()),
        database_id: Some(database_id.to_owned()),
        held: true,
        terminating,
        created_at: None,
    }
}

pub fn before_birth() -> Vec<Situation> {
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

pub fn situations() -> Vec<Situation> {
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
