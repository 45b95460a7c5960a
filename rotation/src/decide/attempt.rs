//! The Job: what comes of an attempt, and its way out.

use super::end::{End, end};
use super::open::{LOST_TARGET, is_free, is_late, is_usable, moved, start, stopped};
use super::{ATTEMPT_SECONDS, ATTEMPTS, Decision, Job, News, PROGRESS_SECONDS, Seen, Wish};
use crate::ledger::{Ledger, Open, Outcome, Phase, Reached};
use crate::verdict::{Certificate, Progress, Step, Verdict};

pub(super) fn running(ledger: &Ledger, open: &Open, seen: &Seen<'_>) -> Decision {
    match &seen.job {
        Job::Ended(verdict) => ended(ledger, open, seen, verdict.as_ref()),
        Job::Going => retry(ledger, open, seen, true, "the Job was deleted"),
        Job::Running(Some(progress)) if let Some(reached) = news(open, progress) => {
            extend(ledger, open, seen, reached)
        }
        Job::Absent | Job::Unreachable | Job::Running(_) => attempt(ledger, open, seen),
    }
}

fn attempt(ledger: &Ledger, open: &Open, seen: &Seen<'_>) -> Decision {
    if is_late(open, seen, ATTEMPT_SECONDS) {
        let why = format!("no progress within {ATTEMPT_SECONDS} s");
        return clear(ledger, open, seen, true, Some(why));
    }
    Decision::Wish(Wish {
        job: Some(open.attempt),
        ..stopped(ledger, open, seen, ATTEMPT_SECONDS)
    })
}

/// Progress moves the deadline; it is written down once a step, so that nobody is told of an earlier one while the Job cannot
/// be asked, and within a step once in a while.
fn extend(ledger: &Ledger, open: &Open, seen: &Seen<'_>, reached: Reached) -> Decision {
    let before = open.reached.map_or(Step::Checking, |before| before.step);
    if reached.step <= before && !is_late(open, seen, PROGRESS_SECONDS) {
        return attempt(ledger, open, seen);
    }
    let reached = Some(reached);
    let next = moved(
        ledger,
        seen,
        Open {
            reached,
            ..open.clone()
        },
    );
    Decision::Write(Box::new(next), Vec::new())
}

fn news(open: &Open, progress: &Progress) -> Option<Reached> {
    let reached = Reached {
        step: progress.step,
        done: progress.done,
    };
    let is_news = progress.rotation == open.id && Some(reached) > open.reached;
    is_news.then_some(reached)
}

fn ended(ledger: &Ledger, open: &Open, seen: &Seen<'_>, verdict: Option<&Verdict>) -> Decision {
    if let Some(certificate) = certificate(ledger, open, verdict) {
        return end(ledger, open, seen.now, End::Certified(certificate));
    }
    let Some(Verdict::Refused(refused)) = verdict else {
        return retry(ledger, open, seen, true, "the Job ended without a verdict");
    };
    let why = refused.refusal.to_string();
    if refused.refusal.reason.may_pass() && open.attempt < ATTEMPTS {
        return retry(ledger, open, seen, false, &why);
    }
    let write_kid = refused.write_kid.clone();
    let how = match (refused.touched, open.doubt) {
        (false, false) => End::Untouched(Outcome::Refused, why),
        (false, true) => End::Touched(Outcome::Refused, why, write_kid),
        (true, _) => End::Touched(Outcome::Failed, why, write_kid),
    };
    end(ledger, open, seen.now, how)
}

fn certificate(
    ledger: &Ledger,
    open: &Open,
    verdict: Option<&Verdict>,
) -> Option<Box<Certificate>> {
    let Some(Verdict::Certified(certificate)) = verdict else {
        return None;
    };
    let is_ours = certificate.rotation == open.id
        && ledger.target().is_some_and(|key| key.kid == certificate.to);
    is_ours.then(|| certificate.clone())
}

/// Another attempt, if there is one left. `doubt`: this one may have written without having said so.
fn retry(ledger: &Ledger, open: &Open, seen: &Seen<'_>, doubt: bool, why: &str) -> Decision {
    let tried = || format!("{why}, {ATTEMPTS} times");
    let ending = (open.attempt >= ATTEMPTS).then(tried);
    let cleared = clear(ledger, open, seen, doubt, ending.clone());
    match cleared {
        Decision::Write(next, _) if ending.is_none() => {
            let why = why.to_owned();
            Decision::Write(next, vec![News::Retrying { why }])
        }
        other => other,
    }
}

fn clear(
    ledger: &Ledger,
    open: &Open,
    seen: &Seen<'_>,
    doubt: bool,
    ending: Option<String>,
) -> Decision {
    let (phase, doubt) = (Phase::Clearing, open.doubt || doubt);
    let next = moved(
        ledger,
        seen,
        Open {
            phase,
            doubt,
            ending,
            ..open.clone()
        },
    );
    Decision::Write(Box::new(next), Vec::new())
}

/// Nothing but the Job's own end leads out: with a pod of it about, neither attempt nor engine may come.
pub(super) fn clearing(ledger: &Ledger, open: &Open, seen: &Seen<'_>) -> Decision {
    if let Job::Ended(verdict) = &seen.job
        && let Some(certificate) = certificate(ledger, open, verdict.as_ref())
    {
        return end(ledger, open, seen.now, End::Certified(certificate));
    }
    let gave_up = |why: String| {
        end(
            ledger,
            open,
            seen.now,
            End::Touched(Outcome::Failed, why, None),
        )
    };
    match (&seen.job, &open.ending) {
        (Job::Absent, Some(why)) => gave_up(why.clone()),
        (Job::Absent, None) if !is_usable(ledger, seen) => gave_up(LOST_TARGET.to_owned()),
        (Job::Absent, None) if is_free(seen) => {
            start(ledger, open, seen, open.attempt.saturating_add(1))
        }
        (Job::Absent, None) if is_late(open, seen, ATTEMPT_SECONDS) => {
            gave_up("another pod has the volume".to_owned())
        }
        _ => Decision::Wish(Wish {
            clear_jobs: seen.job != Job::Absent,
            ..stopped(ledger, open, seen, ATTEMPT_SECONDS)
        }),
    }
}
