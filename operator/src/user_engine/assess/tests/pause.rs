//! Whether nothing is to be changed.

use super::*;
use crate::user_engine::fixtures::rotating;

pub fn situations() -> Vec<Situation> {
    let of: fn(&Assessment) -> &Finding = |all| &all.paused;
    let (idle, waiting) = (Severity::Idle, Severity::Waiting);
    vec![
        (alive(), of, Reason::AsExpected, idle, &["nobody"]),
        (
            alive().paused(),
            of,
            Reason::Paused,
            Severity::Fine,
            &[
                "nothing",
                "kubectl annotate ue alice userengine.dev/paused-",
            ],
        ),
        (
            rotating("Running").paused(),
            of,
            Reason::PausePending,
            waiting,
            &["rotation", "brings it back"],
        ),
    ]
}

#[test]
fn only_the_one_word_is_a_pause() {
    for word in ["", "True", "yes", "1", "false", " true"] {
        let paused = alive().annotated_paused(word).assess().paused;
        assert!(!paused.holds(), "{word:?}");
    }
}

#[test]
fn a_rotation_that_has_not_stopped_the_engine_holds_no_pause_up() {
    assert!(rotating("Minting").paused().assess().paused.holds());
    for phase in ["Quiescing", "Running", "Clearing"] {
        assert!(!rotating(phase).paused().assess().paused.holds(), "{phase}");
    }
}

#[test]
fn a_pause_is_no_reason_why_an_engine_would_not_be_ready() {
    let ready = alive().running().paused().assess();
    assert!(ready.ready().holds(), "{:?}", ready.ready());
}
