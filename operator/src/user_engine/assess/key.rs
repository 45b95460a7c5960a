//! Whether the keys that the brain may be sealed with are there, and are those keys.

use userengine_api::condition::Reason;
use userengine_api::labels;

use userengine_rotation::ledger::Key;

use super::Finding;
use crate::record::{Record, RecordError};
use crate::user_engine::observed::{KeySecret, Observed};

/// Looks at every key that the engine holds by the record, or at the one that birth makes.
pub fn assess(observed: &Observed, record: Option<&Result<Record, RecordError>>) -> Finding {
    match record {
        None => unborn(observed),
        Some(Err(error)) => unknown(observed, error),
        Some(Ok(record)) => {
            let findings = record
                .ledger
                .ring()
                .map(|key| recorded(observed, record, key));
            findings
                .max_by_key(|finding| finding.severity)
                .unwrap_or_else(|| Finding::fine(""))
        }
    }
}

/// A volume of which we know nothing may hold a brain: it gets no new key.
fn unknown(observed: &Observed, error: &RecordError) -> Finding {
    let claim = observed.names().claim();
    Finding::blocked(
        Reason::KeyUnknown,
        format!(
            "the volume '{claim}' exists and {error}, so the key of its brain is not known and none is made: give it the annotations that docs/operations.md lists under 'Adopt a volume', or delete it if it holds nothing"
        ),
    )
}

/// Before there is a claim, a Secret of the first key's name must be what a crash of ours left.
fn unborn(observed: &Observed) -> Finding {
    let suffix = observed.initial_suffix();
    let name = observed.names().key(&suffix);
    match observed.keys.get(&suffix) {
        None | Some(KeySecret::Absent) => Finding::waiting(
            Reason::Waiting,
            "the key is made when the volume is claimed",
        ),
        Some(KeySecret::Present {
            kid: Err(error), ..
        }) => Finding::blocked(
            Reason::KeyMalformed,
            format!(
                "the Secret '{name}' holds no key: {error}; delete it and a new one is made, for there is no brain yet"
            ),
        ),
        Some(KeySecret::Present { database_id, .. }) if *database_id != Some(observed.uid()) => {
            Finding::blocked(
                Reason::KeyForeign,
                format!(
                    "the Secret '{name}' is not for this engine's brain: delete it or rename it"
                ),
            )
        }
        Some(KeySecret::Present {
            terminating: true, ..
        }) => Finding::blocked(
            Reason::KeyDeletionPending,
            format!(
                "the Secret '{name}' is being deleted: remove its finalizer {} to let it go",
                labels::KEY_FINALIZER
            ),
        ),
        Some(KeySecret::Present { .. }) => Finding::waiting(
            Reason::Waiting,
            "the key is there, and waits for the volume to be claimed",
        ),
    }
}

fn recorded(observed: &Observed, record: &Record, key: &Key) -> Finding {
    let name = observed.names().key(&key.suffix);
    let kid = &key.kid;
    match observed.keys.get(&key.suffix) {
        None | Some(KeySecret::Absent) => Finding::blocked(
            Reason::KeyMissing,
            format!(
                "the Secret '{name}' with key {kid} is gone: restore it from a backup; no other key opens this brain, and none is made"
            ),
        ),
        Some(KeySecret::Present {
            kid: Err(error), ..
        }) => Finding::blocked(
            Reason::KeyMalformed,
            format!(
                "the Secret '{name}' holds no key: {error}; restore the Secret with key {kid} from a backup"
            ),
        ),
        Some(KeySecret::Present { kid: Ok(found), .. }) if found != kid => Finding::blocked(
            Reason::KeyForeign,
            format!(
                "the Secret '{name}' holds key {found}, and this brain is sealed with {kid}: restore the Secret from a backup"
            ),
        ),
        Some(KeySecret::Present {
            database_id: Some(other),
            ..
        }) if *other != record.database_id => Finding::blocked(
            Reason::KeyForeign,
            format!(
                "the Secret '{name}' is for brain {other}, and this one is {}: restore the Secret from a backup",
                record.database_id
            ),
        ),
        Some(KeySecret::Present {
            terminating: true, ..
        }) => Finding::blocked(
            Reason::KeyDeletionPending,
            format!(
                "the Secret '{name}' with key {kid} is being deleted and stays readable for now: rotate to another key (spec.encryption.rotation); a deletion cannot be taken back"
            ),
        ),
        Some(KeySecret::Present { .. }) => Finding::fine(format!("key {kid} is there")),
    }
}
