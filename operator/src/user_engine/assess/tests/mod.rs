//! What is found out of what was observed.

mod bounds;
mod class;
mod engine;
mod handed;
mod key;
mod pause;
mod rollout;
mod rotation;
mod storage;
mod trouble;

use serde_json::{Value, json};
use userengine_api::labels;
use userengine_api::refusal::RefusalReason;

use super::*;
use crate::user_engine::fixtures::{World, long_ago, record, world};

fn alive() -> World {
    world().claimed().with_key()
}

/// A world, the condition that it is about, and words that tell a person what is meant and what to do.
type Situation = (
    World,
    fn(&Assessment) -> &Finding,
    Reason,
    Severity,
    &'static [&'static str],
);

fn situations() -> Vec<Situation> {
    [
        bounds::situations(),
        class::situations(),
        handed::situations(),
        storage::situations(),
        key::before_birth(),
        key::situations(),
        engine::situations(),
        rollout::situations(),
        rotation::situations(),
        pause::situations(),
        trouble::situations(),
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

#[test]
fn what_somebody_has_to_mend_is_not_hidden_by_what_time_mends() {
    let no_key = world().claimed().claim_phase("Pending");
    assert_eq!(no_key.assess().ready().reason, Reason::KeyMissing);
    let refused = alive()
        .claim_phase("Pending")
        .ended(&engine::refusal(RefusalReason::BrainMissing));
    assert_eq!(
        refused.assess().ready().reason,
        Reason::Refused(RefusalReason::BrainMissing)
    );
}
