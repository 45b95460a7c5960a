//! Whether the brain's volume is there, whole and this user's.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;
use userengine_api::condition::{ConditionType, Reason};
use userengine_api::quantity::Quantity;

use super::quote::quoted;
use super::{Finding, ResolvedClass, obstacle};
use crate::record::{Record, RecordError};
use crate::user_engine::growth::Growth;
use crate::user_engine::observed::Observed;

/// Looks at the claim.
pub fn assess(
    observed: &Observed,
    record: Option<&Result<Record, RecordError>>,
    class: Option<&ResolvedClass>,
) -> Finding {
    let Some(claim) = &observed.claim else {
        return unclaimed(observed, class);
    };
    let name = claim.name_any();
    let user = &observed.engine.spec.user;
    if let Some(Ok(record)) = record
        && record.user != *user
    {
        return Finding::blocked(
            Reason::ClaimForeign,
            format!(
                "the volume '{name}' holds the brain of '{}', not of '{user}': choose another name for this engine, or delete that volume if its brain is no longer wanted",
                record.user
            ),
        );
    }
    if claim.metadata.deletion_timestamp.is_some() {
        return Finding::blocked(
            Reason::ClaimDeletionPending,
            format!(
                "the volume '{name}' is being deleted, and is kept until this UserEngine is deleted: a deletion cannot be taken back, so save what you need from the engine while it runs"
            ),
        );
    }
    match phase(claim) {
        Some("Bound") => size(observed, claim, class),
        Some("Lost") => Finding::blocked(
            Reason::ClaimLost,
            format!("the volume behind '{name}' is lost: restore it, then the engine goes on"),
        ),
        _ => obstacle::of_claim(observed, claim).unwrap_or_else(|| Finding::waiting(
            Reason::ClaimPending,
            format!(
                "waiting for '{name}' to be bound; `kubectl describe pvc {name}` says what it waits for"
            ),
        )),
    }
}

/// There is no claim: a beginning, or a loss?
fn unclaimed(observed: &Observed, class: Option<&ResolvedClass>) -> Finding {
    let had = observed
        .engine
        .status
        .as_ref()
        .and_then(|status| status.storage.as_ref());
    if let Some(storage) = had {
        return Finding::blocked(
            Reason::ClaimMissing,
            format!(
                "the volume '{}' of this engine's brain is gone, and a new one would be empty: restore the claim with its annotations, or delete this UserEngine and create it again to begin anew",
                storage.claim
            ),
        );
    }
    match class.map(|class| wanted_size(observed, class)) {
        Some(Err(bound)) => Finding::blocked(Reason::SizeOutOfBounds, bound),
        _ => Finding::waiting(Reason::ClaimPending, "the volume is yet to be claimed"),
    }
}

fn size(
    observed: &Observed,
    claim: &PersistentVolumeClaim,
    class: Option<&ResolvedClass>,
) -> Finding {
    let bound = Finding::fine(format!("'{}' is bound", claim.name_any()));
    let Some(class) = class else { return bound };
    match (wanted_size(observed, class), requested_size(claim)) {
        (Err(message), _) => Finding::fine_but(Reason::SizeOutOfBounds, message),
        (Ok(wanted), Some(has)) if wanted < has => Finding::fine_but(
            Reason::ShrinkIgnored,
            format!(
                "{wanted} is asked for and the volume has {has}: a volume cannot shrink, so it stays as it is"
            ),
        ),
        (Ok(_), has) => refused_growth(observed, claim, class)
            .or_else(|| growing(observed, claim, has?))
            .unwrap_or(bound),
    }
}

/// The growth was taken, and whoever makes the volume larger has not come to its end
/// (<https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims>).
fn growing(observed: &Observed, claim: &PersistentVolumeClaim, asked: Quantity) -> Option<Finding> {
    let status = claim.status.as_ref()?;
    let has = status.capacity.as_ref()?.get("storage")?;
    let has: Quantity = has.0.parse().ok().filter(|has| *has < asked)?;
    let own = format!("'{}' has {has} and is being made {asked}", claim.name_any());
    let said = status.conditions.iter().flatten();
    let mut said = said.filter_map(|condition| condition.message.as_deref());
    let message = match said.rfind(|said| !said.is_empty()) {
        Some(said) => {
            let before = obstacle::said_before(observed, ConditionType::StorageReady);
            quoted(before, &own, said)
        }
        None => own,
    };
    Some(Finding::fine_but(Reason::Growing, message))
}

/// The same growth as the one that was refused last.
fn refused_growth(
    observed: &Observed,
    claim: &PersistentVolumeClaim,
    class: &ResolvedClass,
) -> Option<Finding> {
    let wanted = growth(observed, claim, class)?;
    let refused = observed.refused_growth.as_ref()?;
    (refused.growth == wanted)
        .then(|| Finding::fine_but(Reason::GrowthRefused, refused.message.clone()))
}

/// There is a volume behind the claim.
pub fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    phase(claim) == Some("Bound")
}

fn phase(claim: &PersistentVolumeClaim) -> Option<&str> {
    claim.status.as_ref()?.phase.as_deref()
}

/// How much larger the volume should be than it is asked to be; `None` if it should not, or cannot yet: the API server takes
/// it for a bound claim only.
pub fn growth(
    observed: &Observed,
    claim: &PersistentVolumeClaim,
    class: &ResolvedClass,
) -> Option<Growth> {
    let to = wanted_size(observed, class).ok()?;
    let from = requested_size(claim).filter(|_| is_bound(claim))?;
    (to > from).then(|| Growth {
        claim: claim.uid(),
        from,
        to,
    })
}

/// The size that the claim asks for.
fn requested_size(claim: &PersistentVolumeClaim) -> Option<Quantity> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    requests.get("storage")?.0.parse().ok()
}

/// The size that the engine should have, or why it cannot.
pub fn wanted_size(observed: &Observed, class: &ResolvedClass) -> Result<Quantity, String> {
    let storage = &class.spec.storage;
    let parse = |text: &str| text.parse::<Quantity>().map_err(|error| error.to_string());
    let given = parse(&storage.size)?;
    let Some(asked) = &observed.engine.spec.storage else {
        return Ok(given);
    };
    let asked = parse(&asked.size)?;
    let most = parse(storage.max_size.as_deref().unwrap_or(&storage.size))?;
    if asked > most {
        return Err(format!(
            "spec.storage.size {asked} is more than the {most} that EngineClass '{}' allows: ask for no more than that, or have storage.maxSize of the class raised",
            class.name
        ));
    }
    Ok(asked)
}
