//! Every combination of what can be found, and what may never be planned in any.

use std::sync::LazyLock;

use userengine_api::key::KeyError;

use super::*;
use crate::user_engine::assess::Severity;
use crate::user_engine::fixtures::{holding, key, long_ago};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Absent,
    Bound,
    Pending,
    Lost,
    Unrecorded,
    Foreign,
    Terminating,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Absent,
    Present,
    Unheld,
    Malformed,
    Foreign,
    Terminating,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pod {
    None,
    Ready,
    Refused,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    claim: Claim,
    key: Key,
    pod: Pod,
    had_storage: bool,
    resolved: bool,
    suspended: bool,
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for claim in [
        Claim::Absent,
        Claim::Bound,
        Claim::Pending,
        Claim::Lost,
        Claim::Unrecorded,
        Claim::Foreign,
        Claim::Terminating,
    ] {
        for key in [
            Key::Absent,
            Key::Present,
            Key::Unheld,
            Key::Malformed,
            Key::Foreign,
            Key::Terminating,
        ] {
            for pod in [Pod::None, Pod::Ready, Pod::Refused] {
                for bits in 0..8 {
                    let [had_storage, resolved, suspended] =
                        [bits & 1 == 1, bits & 2 == 2, bits & 4 == 4];
                    all.push(Case {
                        claim,
                        key,
                        pod,
                        had_storage,
                        resolved,
                        suspended,
                    });
                }
            }
        }
    }
    all
}

fn with_key(world: World, key_is: Key) -> World {
    let KeySecret::Present {
        kid,
        database_id,
        created_at,
        ..
    } = key_secret()
    else {
        unreachable!()
    };
    let present = |held, terminating| KeySecret::Present {
        uid: None,
        version: None,
        on_hold: false,
        kid: kid.clone(),
        database_id: database_id.clone(),
        held,
        terminating,
        created_at,
    };
    match key_is {
        Key::Absent => world.with_key_secret(KeySecret::Absent),
        Key::Present => world.with_key(),
        Key::Unheld => world.with_key_secret(present(false, false)),
        Key::Malformed => world.with_key_secret(holding(Err(KeyError::Empty))),
        Key::Terminating => world.with_key_secret(present(true, true)),
        Key::Foreign => world.with_key_secret(KeySecret::Present {
            uid: None,
            version: None,
            on_hold: false,
            kid: Ok(key(2).kid()),
            database_id: Some("another".to_owned()),
            held: true,
            terminating: false,
            created_at,
        }),
    }
}

fn with_claim(world: World, claim: Claim) -> World {
    let deleted = Some(long_ago());
    match claim {
        Claim::Absent => world,
        Claim::Bound => world.claimed(),
        Claim::Pending => world.claimed().claim_phase("Pending"),
        Claim::Lost => world.claimed().claim_phase("Lost"),
        Claim::Unrecorded => world
            .claimed()
            .claim(|claim| claim.metadata.annotations = None),
        Claim::Foreign => world.claimed_with(&Record {
            user: "bob".to_owned(),
            ..record()
        }),
        Claim::Terminating => world
            .claimed()
            .claim(|claim| claim.metadata.deletion_timestamp = deleted),
    }
}

fn build(case: Case) -> World {
    let world = with_claim(with_key(world(), case.key), case.claim);
    let world = match case.pod {
        Pod::None => world,
        Pod::Ready => world.running(),
        Pod::Refused => world.ended(r#"{"reason":"BrainMissing","message":"there is none"}"#),
    };
    let world = if case.had_storage {
        world.had_storage()
    } else {
        world
    };
    let world = if case.suspended {
        world.suspended()
    } else {
        world
    };
    if case.resolved {
        world
    } else {
        world.classes([])
    }
}

/// What is made of every case.
static OUTCOMES: LazyLock<Vec<(Case, Assessment, Plan)>> = LazyLock::new(|| {
    let look = |case| {
        let world = build(case);
        let assessment = world.assess();
        let plan = plan(&world.0, &assessment);
        (case, assessment, plan)
    };
    cases().into_iter().map(look).collect()
});

#[test]
fn a_key_is_made_only_where_there_is_no_claim_no_key_and_never_was_a_brain() {
    for (case, _, plan) in &*OUTCOMES {
        let minted = names(plan).contains(&"MintKey");
        let unborn = case.claim == Claim::Absent && !case.had_storage && case.key == Key::Absent;
        assert_eq!(minted, unborn && case.resolved, "{case:?}");
    }
}

#[test]
fn a_volume_is_claimed_only_for_a_key_that_was_read_back() {
    for (case, _, plan) in &*OUTCOMES {
        let claimed = names(plan).contains(&"Claim");
        let born = case.claim == Claim::Absent
            && !case.had_storage
            && matches!(case.key, Key::Present | Key::Unheld);
        assert_eq!(claimed, born && case.resolved, "{case:?}");
    }
}

#[test]
fn a_blocked_engine_builds_nothing_and_a_whole_one_everything() {
    for (case, _, plan) in &*OUTCOMES {
        let whole = matches!(case.claim, Claim::Bound | Claim::Pending)
            && matches!(case.key, Key::Present | Key::Unheld | Key::Terminating);
        if whole && case.resolved {
            // A pod that was there before its catalog is told of it.
            let nudge: &[_] = if case.pod == Pod::None {
                &[]
            } else {
                &["Nudge"]
            };
            let everything = [CHILDREN.as_slice(), nudge].concat();
            assert!(names(plan).ends_with(&everything), "{case:?}");
            assert_eq!(
                names(plan).contains(&"HoldKey"),
                case.key == Key::Unheld,
                "{case:?}"
            );
            let replicas = &child(plan, ChildKind::StatefulSet).unwrap()["spec"]["replicas"];
            assert_eq!(replicas, i32::from(!case.suspended), "{case:?}");
        } else {
            let others: Vec<_> = names(plan)
                .into_iter()
                .filter(|name| !matches!(*name, "MintKey" | "Claim"))
                .collect();
            // But for the walls around a pod that runs: those stand whatever blocks the rest.
            let recorded = !matches!(case.claim, Claim::Absent | Claim::Unrecorded);
            let walled = case.resolved && recorded && case.pod != Pod::None;
            let expected: &[_] = if walled { &["NetworkPolicy"] } else { &[] };
            assert_eq!(others, expected, "{case:?}");
        }
    }
}

#[test]
fn a_blocked_engine_is_never_called_anything_but_blocked() {
    for (case, assessment, _) in &*OUTCOMES {
        let all = [
            &assessment.class,
            &assessment.storage,
            &assessment.key,
            &assessment.engine,
        ];
        let blocked = all
            .iter()
            .any(|finding| finding.severity == Severity::Blocked);
        assert_eq!(
            assessment.ready().severity == Severity::Blocked,
            blocked,
            "{case:?}: {:?}",
            assessment.ready()
        );
        assert_eq!(
            assessment.ready().holds(),
            all.iter().all(|finding| finding.holds()),
            "{case:?}"
        );
    }
}
