//! When an engine is looked at again though nothing wakes its reconcile.

use std::time::Duration;

use userengine_api::condition::Reason;

use super::assess::{Rotation, Severity};
use super::retry;
use super::status::Report;

/// How soon a Secret that somebody has to mend is looked at again; Secrets are not watched.
const BLOCKED: Duration = Duration::from_secs(10);
/// How soon an engine that could not be asked is asked again.
const INSIDE: Duration = Duration::from_secs(5);
/// How soon a rotation that has stopped the engine is looked at again: pods that are not ours, and are in its way, wake
/// nobody, and its progress is shown within two seconds.
const ROTATING: Duration = Duration::from_secs(1);
/// How soon an engine is asked again whether it does without a key whose time is up.
const PROOF: Duration = Duration::from_mins(1);
/// How soon everything is looked at again if nothing happens.
const QUIET: Duration = Duration::from_mins(30);

/// When to look again without being told to.
pub fn recheck(report: &Report<'_>, unheard: bool) -> Duration {
    let quiet = retry::jittered(QUIET, &report.observed.uid());
    let ready = report.ready();
    if report.assessment.paused.holds() {
        // Nothing would come of it, and the end of the pause wakes it.
        return if unheard { INSIDE } else { quiet };
    }
    let own = if ready.severity == Severity::Blocked || ready.reason == Reason::Waiting {
        BLOCKED
    } else if unheard {
        INSIDE
    } else {
        quiet
    };
    let rotation = report.assessment.rotation.as_ref();
    rotation.map_or(own, |rotation| own.min(self::rotation(rotation, quiet)))
}

fn rotation(rotation: &Rotation, quiet: Duration) -> Duration {
    let Some(wish) = rotation.wish() else {
        return ROTATING;
    };
    let is_at_work = wish.stopped || wish.clear_jobs || wish.mint.is_some();
    if wish.stuck.is_some() || wish.queued.is_some() && !is_at_work || !wish.destroy.is_empty() {
        return BLOCKED;
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

    use super::*;
    use crate::user_engine::fixtures::{World, rotating, world};

    fn of(World(observed): &World) -> Duration {
        let assessment = crate::user_engine::assess::assess(observed);
        let report = Report {
            observed,
            assessment: &assessment,
            trouble: None,
            inside: None,
            now: Timestamp::UNIX_EPOCH,
        };
        recheck(&report, false)
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
    fn a_pause_is_looked_at_again_when_it_ends() {
        assert!(
            of(&world().claimed().running().paused()) >= QUIET,
            "though its key is gone"
        );
        assert_eq!(of(&rotating("Running").paused()), ROTATING);
    }

    #[test]
    fn one_that_waits_for_somebody_is_looked_at_now_and_then() {
        let mut lost = rotating("Quiescing");
        let pod = json!({ "metadata": { "deletionTimestamp": "1970-01-01T00:00:00Z" }, "spec": { "containers": [] } });
        lost.0.rotating.holders = vec![serde_json::from_value(pod).unwrap()];
        lost.0.now = Timestamp::from_second(100).unwrap();
        assert_eq!(of(&lost), BLOCKED);
        assert!(of(&world().claimed().with_key().running()) >= QUIET);
    }
}
