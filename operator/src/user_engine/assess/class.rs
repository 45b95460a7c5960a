//! Which class an engine follows.

use kube::ResourceExt;
use userengine_api::condition::Reason;
use userengine_api::{EngineClass, labels};

use super::bounds::{self, Outside};
use super::{Finding, Handed, ResolvedClass, handed, kept};
use crate::record::Record;
use crate::user_engine::observed::Observed;

/// The class by name, else the one it sticks to, else the default.
pub fn assess(observed: &Observed, record: Option<&Record>) -> (Finding, Option<ResolvedClass>) {
    let asked = observed.engine.spec.class_name.as_deref();
    let stuck = record.map(|record| record.class.as_str());
    let last = observed
        .engine
        .status
        .as_ref()
        .and_then(|status| status.class_name.as_deref());
    match asked.or(stuck).or(last) {
        Some(name) => by_name(observed, record, name),
        None => by_mark(observed, record),
    }
}

fn by_name(
    observed: &Observed,
    record: Option<&Record>,
    name: &str,
) -> (Finding, Option<ResolvedClass>) {
    match observed
        .classes
        .iter()
        .map(AsRef::as_ref)
        .find(|class| class.name_any() == name)
    {
        Some(class) => resolved(observed, record, class),
        None => (
            Finding::blocked(
                Reason::ClassNotFound,
                format!(
                    "there is no EngineClass '{name}': create it, or set spec.className to one that `kubectl get engineclasses` lists"
                ),
            ),
            None,
        ),
    }
}

fn by_mark(observed: &Observed, record: Option<&Record>) -> (Finding, Option<ResolvedClass>) {
    let marked = |class: &&EngineClass| {
        class
            .annotations()
            .get(labels::DEFAULT_CLASS)
            .is_some_and(|mark| mark == "true")
    };
    let classes = observed.classes.iter().map(AsRef::as_ref);
    let mut defaults: Vec<_> = classes.filter(marked).collect();
    defaults.sort_by_key(|class| class.name_any());
    match defaults.as_slice() {
        [class] => resolved(observed, record, class),
        [] => (
            Finding::blocked(
                Reason::NoDefaultClass,
                format!(
                    "spec.className is not set and no EngineClass is marked as default: set it, or annotate one class with {}=true",
                    labels::DEFAULT_CLASS
                ),
            ),
            None,
        ),
        several => {
            let names: Vec<_> = several.iter().map(|class| class.name_any()).collect();
            let message = format!(
                "spec.className is not set and several EngineClasses are marked as default ({}): set it, or leave the mark on one of them",
                names.join(", ")
            );
            (
                Finding::blocked(Reason::SeveralDefaultClasses, message),
                None,
            )
        }
    }
}

/// A class that hands something on that is not there, or that allows less than is asked for, holds all the same: engines
/// go on with what they have.
fn resolved(
    observed: &Observed,
    record: Option<&Record>,
    class: &EngineClass,
) -> (Finding, Option<ResolvedClass>) {
    let name = class.name_any();
    let catalog = handed::catalog(observed, &class.spec);
    let ca = handed::ca(observed, &class.spec);
    let within = bounds::within(&observed.engine.spec, &name, &class.spec);
    let outside = within.as_ref().err();
    let outside = outside.map(|outside| beyond(observed, record, outside));
    let missing = || catalog.as_ref().err().or(ca.as_ref().err()).cloned();
    let fine = || Finding::fine(format!("follows EngineClass '{name}'"));
    let finding = outside.or_else(missing).unwrap_or_else(fine);
    let keeps_pod = within.is_err();
    let handed = Handed {
        catalog: catalog.ok(),
        // A pod that stays as it is mounts what it was made with.
        ca: ca.ok().filter(|_| !keeps_pod),
    };
    let spec = within.unwrap_or_else(|_| class.spec.clone());
    let class = ResolvedClass {
        name,
        spec,
        handed,
        keeps_pod,
    };
    (finding, Some(class))
}

/// More is asked for than the class allows: what runs goes on as it is, and what does not is not started.
fn beyond(observed: &Observed, record: Option<&Record>, outside: &Outside) -> Finding {
    let Outside { reason, message } = outside;
    let cure = "ask for what it allows, or have the class changed";
    if kept::has_a_pod_to_keep(observed, record) {
        return Finding::fine_but(
            *reason,
            format!("{message}: {cure}; the engine stays as it is"),
        );
    }
    Finding::blocked(
        *reason,
        format!("{message}: {cure}; the engine is not started until then"),
    )
}
