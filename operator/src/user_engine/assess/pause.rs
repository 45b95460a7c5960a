//! Whether somebody wants nothing of the engine to be changed.

use kube::ResourceExt;
use userengine_api::condition::Reason;
use userengine_api::labels;

use super::{Finding, has_in_hand};
use crate::record::Record;
use crate::user_engine::observed::Observed;

/// `Paused`. It holds while nothing is changed: an engine that a rotation has stopped is brought back first.
pub fn assess(observed: &Observed, record: Option<&Record>) -> Finding {
    if !is_asked(observed) {
        return Finding::idle(Reason::AsExpected, "nobody asked for a pause");
    }
    if record.is_some_and(|record| has_in_hand(observed, record)) {
        return Finding::waiting(
            Reason::PausePending,
            "a rotation has stopped the engine, and brings it back first; then the pause begins",
        );
    }
    Finding::fine_but(
        Reason::Paused,
        format!(
            "nothing of this engine is changed, whatever its spec or its class say; `kubectl annotate ue {} {}-` ends the pause",
            observed.name(),
            labels::PAUSED
        ),
    )
}

/// The annotation is there, with the one value that counts.
pub fn is_asked(observed: &Observed) -> bool {
    let annotation = observed.engine.annotations().get(labels::PAUSED);
    annotation.is_some_and(|value| value == "true")
}
