//! When an engine is looked at again though nothing wakes its reconcile.

use std::time::Duration;

use jiff::SignedDuration;
use userengine_api::condition::Reason;

use super::api_key::Decision;
use super::assess::{Awaited, Rotation, Severity, Standing, awaited, time_left};
use super::status::Report;
use super::{observe, retry};

/// How soon a Secret that somebody has to mend is looked at again; Secrets are not watched.
const BLOCKED: Duration = Duration::from_secs(10);
/// How soon an engine is looked at again that waits for what the watches show: a class to follow, or one that allows what it
/// asks for, or its pod to fare better. Whatever befalls a fleet, such as the loss of a zone, its engines cost no more than this.
const WATCHED: Duration = Duration::from_mins(5);
/// How soon an engine that could not be asked is asked again.
const INSIDE: Duration = Duration::from_secs(5);
/// How soon a rotation that has stopped the engine is looked at again: pods that are not ours, and are in its way, wake
/// nobody, and its progress is shown within two seconds.
const ROTATING: Duration = Duration::from_secs(1);
/// How soon an engine that does not come up is looked at again: what keeps it may show in Events only, which are not
/// watched, and shows here within five seconds, jitter and the look itself included.
const COMING: Duration = Duration::from_millis(2500);
/// How soon once it has been coming up for [`LONG`].
const SLOW: Duration = Duration::from_secs(30);
/// See [`SLOW`]. Whoever attaches or mounts a volume gives up after two minutes, and tells then.
const LONG: SignedDuration = SignedDuration::from_mins(5);
/// The least wait, and one that takes the whole seconds of timestamps into account.
const SOON: Duration = Duration::from_secs(1);
/// How soon an engine is asked again whether it does without a key whose time is up.
const PROOF: Duration = Duration::from_mins(1);
/// How soon an engine is asked again whether it accepts the API keys that it should.
const API_KEYS: Duration = Duration::from_secs(2);
/// How soon the first of those that wait to be restarted for their class asks again, and how soon the last one does.
const TURN: Duration = Duration::from_secs(2);
const LONG_TURN: Duration = Duration::from_mins(10);
/// How soon everything is looked at again if nothing happens; with its jitter half an hour at most.
const QUIET: Duration = Duration::from_mins(24);

/// When to look for the first time at an engine that was at rest when the operator started: not at all of them at once.
pub fn after_start(uid: &str) -> Duration {
    retry::share(QUIET, uid)
}

/// Nothing is about to happen for which nobody would wake the reconcile.
pub fn is_quiet(wait: Duration) -> bool {
    wait >= QUIET
}

/// When to look again without being told to. `unheard` is how long an engine is not asked again that serves and did not answer.
pub fn recheck(report: &Report<'_>, unheard: Option<Duration>) -> Duration {
    let quiet = retry::jittered(QUIET, &report.observed.uid());
    let ready = report.ready();
    if report.assessment.paused.holds() {
        // Nothing is done but to hold it, and the end of the pause wakes it; but how a pod comes up is told.
        let own = match report.trouble {
            Some(_) => blocked(report),
            None => unheard.unwrap_or(quiet),
        };
        return coming(report).map_or(own, |wait| own.min(wait));
    }
    let is_watched = is_the_class(report) || is_the_pod(report);
    let own = if ready.severity == Severity::Blocked && is_watched {
        retry::jittered(WATCHED, &report.observed.uid())
    } else if ready.severity == Severity::Blocked || ready.reason == Reason::Waiting {
        blocked(report)
    } else {
        unheard.unwrap_or(quiet)
    };
    let own = coming(report).map_or(own, |wait| own.min(wait));
    let own = rollout(report).map_or(own, |wait| {
        own.min(retry::jittered(wait, &report.observed.uid()))
    });
    let rotation = report.assessment.rotation.as_ref();
    let rotation = rotation.map(|rotation| self::rotation(rotation, quiet, blocked(report)));
    [rotation, api_key(report, unheard)]
        .into_iter()
        .flatten()
        .fold(own, Duration::min)
}

/// Nothing but the class is in the way.
fn is_the_class(report: &Report<'_>) -> bool {
    let all = report.assessment;
    let mut others = [&all.storage, &all.key, &all.engine].into_iter();
    report.trouble.is_none() && !others.any(|other| other.severity == Severity::Blocked)
}

/// What is in the way shows in the pod, and nothing else is.
fn is_the_pod(report: &Report<'_>) -> bool {
    let all = report.assessment;
    let mut others = [&all.storage, &all.key].into_iter();
    report.trouble.is_none()
        && !others.any(|other| other.severity == Severity::Blocked)
        && all.engine.severity == Severity::Blocked
        && shows_in_the_pod(all.engine.reason)
}

/// It comes, changes and ends with the pod's status, and no Secret has a part in it.
fn shows_in_the_pod(reason: Reason) -> bool {
    match reason {
        Reason::Unschedulable
        | Reason::NodeUnreachable
        | Reason::PodRejected
        | Reason::CrashLoop
        | Reason::OutOfMemory => true,
        Reason::Refused(refusal) => !refusal.is_of_the_key(),
        _ => false,
    }
}

/// Not all of them at once, and none later than [`BLOCKED`].
fn blocked(report: &Report<'_>) -> Duration {
    BLOCKED * 3 / 4 + retry::share(BLOCKED / 4, &report.observed.uid())
}

/// The end of an overlap wakes nobody. Until then the engine is not at rest: an operator that starts meanwhile has to look.
fn api_key(report: &Report<'_>, unheard: Option<Duration>) -> Option<Duration> {
    match report.assessment.api_key.as_ref()? {
        Decision::Write(_) => report.trouble.is_none().then_some(ROTATING),
        Decision::AwaitEngine if report.observed.proof.is_some() => Some(API_KEYS),
        Decision::AwaitEngine => Some(unheard.unwrap_or(INSIDE)),
        Decision::AwaitTime(left) => {
            let left = u64::try_from(*left).ok().map(Duration::from_secs);
            left.map(|left| left.min(QUIET / 2))
        }
        Decision::Rest => None,
    }
}

/// When to ask what keeps it, of an engine that comes up, or whose former pod goes; `None` if a watch will tell.
/// What somebody has to act on is known already, and is looked at as seldom as the rest of that sort, unless only Events tell
/// of it.
fn coming(report: &Report<'_>) -> Option<Duration> {
    let (observed, all) = (report.observed, report.assessment);
    let is_known =
        all.engine.severity == Severity::Blocked && !may_turn_out_otherwise(all.engine.reason);
    if is_known || all.storage.severity == Severity::Blocked {
        return None;
    }
    let wait = |awaited: Awaited| {
        let Some(since) = awaited.since else {
            return COMING;
        };
        let Some(age) = observe::age(since, observed.now) else {
            return COMING;
        };
        match Duration::try_from(observe::PATIENCE - age) {
            Ok(left) if !left.is_zero() => left.max(SOON),
            _ if age < LONG => COMING,
            _ => SLOW,
        }
    };
    let soonest = awaited(observed).into_iter().map(wait).min();
    let lost = observed
        .pod
        .as_ref()
        .and_then(|pod| time_left(pod, observed.now));
    let lost = lost.map(|left| Duration::try_from(left).unwrap_or_default() + SOON);
    // Its StatefulSet may be of this very look, and our own writes wake nobody.
    let is_unmade = observed.pod.is_none() && report.ready().reason == Reason::Starting;
    let unmade = is_unmade.then_some(COMING);
    let soonest = soonest.into_iter().chain(lost).chain(unmade).min();
    soonest.map(|wait| retry::jittered(wait, &observed.uid()))
}

/// What was told of a pod that is being made, or of the one before it, may be out of the way, and the next thing in it, without
/// the pod's showing either.
fn may_turn_out_otherwise(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::VolumeMountFailed | Reason::SandboxFailed | Reason::ImagePullFailed
    )
}

/// Others wait for one that comes up, and the status of a StatefulSet wakes nobody.
fn rollout(report: &Report<'_>) -> Option<Duration> {
    match (report.assessment.standing, report.observed.waits_behind) {
        (Standing::Behind, before) => {
            let class = report.assessment.resolved.as_ref();
            let most = class.map_or(1, |class| class.spec.rollout.max_concurrent);
            Some(before.map_or(TURN, |before| turn(before, most)))
        }
        (Standing::ComingUp, _) if report.assessment.engine.holds() => Some(TURN),
        (Standing::ComingUp, _) => Some(SLOW),
        (Standing::InLine | Standing::Apart, _) => None,
    }
}

/// As many as are restarted at a time ask again soon, so that no place stays empty for long; those behind them later, in time
/// for their own turn. Those in front are ten a second at most, and all the others together not many more, however many wait.
fn turn(before: usize, most: u16) -> Duration {
    let soon = TURN.max(Duration::from_millis(100) * most.into());
    let turns = before / usize::from(most.max(1));
    let turns = u32::try_from(turns).unwrap_or(u32::MAX);
    soon.saturating_mul(turns.saturating_mul(2).saturating_add(1))
        .min(LONG_TURN)
}

fn rotation(rotation: &Rotation, quiet: Duration, blocked: Duration) -> Duration {
    let Some(wish) = rotation.wish() else {
        return ROTATING;
    };
    let is_at_work = wish.stopped || wish.clear_jobs || wish.mint.is_some();
    if wish.stuck.is_some() || wish.queued.is_some() && !is_at_work || !wish.destroy.is_empty() {
        return blocked;
    }
    if is_at_work {
        return ROTATING;
    }
    let timed = wish.look_again.and_then(|wait| u64::try_from(wait).ok());
    let timed = timed.map_or(quiet, Duration::from_secs);
    if rotation.wants_proof {
        timed.min(PROOF)
    } else {
        timed
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;
    use userengine_api::refusal::RefusalReason;

    use super::*;
    use crate::user_engine::api_key::{Record as ApiKeyRecord, Stage};
    use crate::user_engine::fixtures::{World, key, rotating, world};
    use crate::user_engine::observed::ApiKeySecret;

    fn of(world: &World) -> Duration {
        of_one_unheard(world, None)
    }

    fn of_one_unheard(World(observed): &World, unheard: Option<Duration>) -> Duration {
        let assessment = crate::user_engine::assess::assess(observed);
        let report = Report {
            observed,
            assessment: &assessment,
            trouble: None,
            version: None,
            now: Timestamp::UNIX_EPOCH,
        };
        recheck(&report, unheard)
    }

    /// What somebody has to mend is looked at within ten seconds, and not by all at once.
    fn is_now_and_then(wait: Duration) -> bool {
        (Duration::from_millis(7500)..=Duration::from_secs(10)).contains(&wait)
    }

    #[test]
    fn engines_at_rest_are_looked_at_within_half_an_hour_and_not_in_step() {
        let minutes = |minutes| Duration::from_mins(minutes);
        let rest = |uid: &str| {
            let mut world = world().claimed().with_key().running();
            let mut engine = (*world.0.engine).clone();
            engine.metadata.uid = Some(uid.to_owned());
            world.0.engine = engine.into();
            of(&world)
        };
        let fleet: Vec<_> = (0..1000).map(|each| each.to_string()).collect();
        let rests: Vec<_> = fleet.iter().map(|uid| rest(uid)).collect();
        is_spread(&rests, minutes(24), minutes(30));
        let firsts: Vec<_> = fleet.iter().map(|uid| after_start(uid)).collect();
        is_spread(&firsts, minutes(0), minutes(24));
    }

    /// Within these bounds, and a tenth of that time has about a tenth of them.
    fn is_spread(waits: &[Duration], least: Duration, most: Duration) {
        assert!(waits.iter().all(|wait| (least..=most).contains(wait)));
        let step = most.saturating_sub(least) / 10;
        for tenth in 0..10 {
            let within = least + step * tenth..least + step * (tenth + 1);
            let share = waits.iter().filter(|wait| within.contains(wait)).count();
            assert!(
                (waits.len() / 20..waits.len() / 5).contains(&share),
                "{tenth}: {share}"
            );
        }
    }

    #[test]
    fn a_rotation_that_has_stopped_the_engine_is_looked_at_each_second() {
        for phase in ["Quiescing", "Running", "Clearing"] {
            assert_eq!(of(&rotating(phase)), ROTATING, "{phase}");
        }
    }

    /// A look may take as long as whoever is asked for the progress may take to answer, and then the next one begins.
    #[test]
    fn progress_is_shown_within_two_seconds_of_its_being_made_with_time_to_spare_for_the_api_server()
     {
        let wait = of(&rotating("Running"));
        let most = wait + crate::user_engine::inside::PROGRESS_PATIENCE;
        assert!(most <= Duration::from_millis(1800), "{most:?}");
    }

    #[test]
    fn those_in_front_ask_for_their_turn_soon_and_those_behind_them_later() {
        assert_eq!(turn(0, 10), TURN);
        assert_eq!(turn(9, 10), TURN, "a place may be free for each of them");
        assert_eq!(turn(10, 10), 3 * TURN);
        assert_eq!(turn(1, 1), 3 * TURN);
        assert_eq!(turn(99, 100), Duration::from_secs(10));
        assert_eq!(turn(usize::MAX, 10), LONG_TURN);
        // Each second, of a thousand that wait.
        let asks: f64 = (0..1000)
            .map(|before| turn(before, 10).as_secs_f64().recip())
            .sum();
        assert!(asks < 20.0, "{asks}");
    }

    #[test]
    fn a_pause_is_looked_at_again_when_it_ends() {
        assert!(
            of(&world().claimed().running().paused()) >= QUIET,
            "though its key is gone"
        );
        assert_eq!(of(&rotating("Running").paused()), ROTATING);
        let creating = json!({ "waiting": { "reason": "ContainerCreating" } });
        let begun = world()
            .claimed()
            .with_key()
            .container(&creating, &json!({}));
        assert!(of(&begun.created("1970-01-01T00:00:00Z").paused()) < BLOCKED);
    }

    #[test]
    fn one_that_waits_for_somebody_is_looked_at_now_and_then() {
        let mut lost = rotating("Quiescing");
        let pod = json!({ "metadata": { "deletionTimestamp": "1970-01-01T00:00:00Z" }, "spec": { "containers": [] } });
        lost.0.rotating.holders = vec![serde_json::from_value(pod).unwrap()];
        lost.0.now = Timestamp::from_second(100).unwrap();
        assert!(is_now_and_then(of(&lost)));
        assert!(of(&world().claimed().with_key().running()) >= QUIET);
    }

    #[test]
    fn an_engine_that_comes_up_is_asked_what_keeps_it_often_enough_to_say_so_within_five_seconds() {
        let creating = json!({ "waiting": { "reason": "ContainerCreating" } });
        let at = |second: i64| {
            let world = world()
                .claimed()
                .with_key()
                .container(&creating, &json!({}));
            let mut world = world.created("1970-01-01T00:00:00Z");
            world.0.now = Timestamp::from_second(second).unwrap();
            of(&world)
        };
        // First when its patience ends, for before that nothing is read.
        let patience = Duration::try_from(observe::PATIENCE).unwrap();
        assert!(at(0) >= patience && at(0) < Duration::from_secs(4));
        assert_eq!(at(-1), at(0), "the clock is a little behind");
        assert!(at(-3600) < patience, "nobody knows how old it is");
        for second in [3, 30, 121, 299] {
            assert!(at(second) < Duration::from_millis(3500), "{second}");
        }
        assert!(
            at(301) >= SLOW && at(86_400) <= SLOW * 5 / 4,
            "it tires nobody"
        );
    }

    #[test]
    fn what_keeps_an_engine_is_asked_for_though_its_key_is_missing_too() {
        let creating = json!({ "waiting": { "reason": "ContainerCreating" } });
        let mut world = world().claimed().container(&creating, &json!({}));
        world = world.created("1970-01-01T00:00:00Z");
        world.0.now = Timestamp::from_second(10).unwrap();
        assert!(of(&world) < Duration::from_millis(3500));
        let said = "secret \"alice-key-0\" not found";
        world.0.events = vec![crate::user_engine::fixtures::told("FailedMount", said, 9)];
        assert!(
            of(&world) < Duration::from_millis(3500),
            "what comes after it, too"
        );
        world.0.now = Timestamp::from_second(400).unwrap();
        world.0.events = vec![crate::user_engine::fixtures::told("FailedMount", said, 399)];
        assert!(is_now_and_then(of(&world)), "until it has lasted");
    }

    #[test]
    fn what_shows_in_the_pod_is_not_looked_for_besides() {
        let ended = |reason: RefusalReason| {
            let said = json!({ "reason": reason, "message": "no" }).to_string();
            world().claimed().with_key().ended(&said)
        };
        assert!(of(&ended(RefusalReason::BrainCorrupt)) >= WATCHED);
        assert!(of(&ended(RefusalReason::BrainCorrupt).classes([])) >= WATCHED);
        assert!(is_now_and_then(of(&ended(RefusalReason::KeyForeign))));
        let keyless = json!({ "reason": RefusalReason::BrainCorrupt, "message": "no" });
        let keyless = world().claimed().ended(&keyless.to_string());
        assert!(is_now_and_then(of(&keyless)), "its key is gone too");
        let waits = |reason: &str| {
            let waiting = json!({ "waiting": { "reason": reason, "message": "no" } });
            of(&world().claimed().with_key().container(&waiting, &json!({})))
        };
        assert!(waits("CrashLoopBackOff") >= WATCHED);
        assert!(
            is_now_and_then(waits("ErrImagePull")),
            "for want of a Secret?"
        );
        assert!(is_now_and_then(waits("CreateContainerConfigError")));
    }

    #[test]
    fn what_cannot_be_written_during_a_pause_is_tried_for_again() {
        let world = world().claimed().with_key().running().paused();
        let trouble = crate::user_engine::assess::Finding::blocked(Reason::ChildRefused, "no");
        let World(observed) = &world;
        let assessment = world.assess();
        let report = Report {
            observed,
            assessment: &assessment,
            trouble: Some(&trouble),
            version: None,
            now: Timestamp::UNIX_EPOCH,
        };
        assert!(is_now_and_then(recheck(&report, None)));
    }

    #[test]
    fn a_pod_that_was_just_asked_for_is_looked_for() {
        let asked = || world().claimed().with_key();
        assert!(of(&asked()) < Duration::from_millis(3500));
        assert!(of(&asked().suspended()) >= QUIET);
        assert!(of(&asked().classes([])) >= WATCHED, "none will be made");
        let keyless = world().claimed().classes([]);
        assert!(is_now_and_then(of(&keyless)), "Secrets are not watched");
    }

    #[test]
    fn a_pod_that_goes_is_looked_at_when_it_should_be_gone() {
        let mut going = world().claimed().with_key().running().going();
        going.0.now = Timestamp::from_second(10).unwrap();
        let wait = of(&going);
        assert!(
            wait > Duration::from_secs(50) && wait < Duration::from_secs(65),
            "{wait:?}"
        );
    }

    /// Asked for another API key, with this record of it.
    fn changing(record: ApiKeyRecord) -> World {
        let World(mut seen) = world().claimed().with_key().running().with_api_key();
        if let ApiKeySecret::Ours(secret) = &mut seen.api_key {
            secret.record = record;
        }
        seen.now = Timestamp::from_second(100).unwrap();
        World(seen).spec(&json!({ "apiKey": { "rotationId": "r-1", "overlap": "7200s" } }))
    }

    #[test]
    fn a_former_api_key_is_looked_at_when_its_time_is_over() {
        let id = "r-1".to_owned().try_into().unwrap();
        let at = |since| {
            let former = "cd".to_owned();
            of(&changing(
                ApiKeyRecord::default().at(&id, Stage::Overlapping { since, former }),
            ))
        };
        assert_eq!(at(101 - 7200 + 42), Duration::from_secs(43));
        assert_eq!(at(101), QUIET / 2, "it is not at rest");
    }

    #[test]
    fn an_engine_that_is_to_accept_other_api_keys_is_asked_every_few_seconds() {
        let id = "r-1".to_owned().try_into().unwrap();
        let mut waiting = changing(ApiKeyRecord::default().at(&id, Stage::Retiring));
        assert_eq!(of(&waiting), INSIDE, "it does not answer");
        let seldom = Some(INSIDE * 8);
        assert_eq!(
            of_one_unheard(&waiting, seldom),
            INSIDE * 8,
            "nor did it before"
        );
        waiting.0.proof = Some(
            serde_json::from_value(json!({
                "version": "0.1.0", "write_kid": key(1).kid(), "api_key_hashes": ["ab", "cd"],
            }))
            .unwrap(),
        );
        assert_eq!(of(&waiting), API_KEYS);
        assert!(of(&changing(ApiKeyRecord::born(Some(&id)))) >= QUIET);
    }
}
