//! What a replica may do about the Lease, from what that says and since when it has said so. Pure.
//!
//! The times in a Lease are those of somebody else's clock, and are only ever compared for being the same: a claim runs out
//! when this replica has not seen it change for as long as its holder said that it would hold.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::Instant;

/// How long a claim holds after it was last renewed.
pub const TERM: Duration = Duration::from_secs(15);

/// Somebody's claim to lead, as this replica has seen it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    spec: LeaseSpec,
    since: Instant,
}

impl Claim {
    /// The claim after a look at the Lease; `None`: nobody has one. A Lease that says what it said before leaves the claim as
    /// old as it was. One that is not there says nothing: whoever held it may not know yet that somebody took it away.
    pub fn after(last: Option<Self>, lease: Option<&Lease>, now: Instant) -> Option<Self> {
        let Some(lease) = lease else { return last };
        let spec = lease.spec.clone().unwrap_or_default();
        let is_held = spec
            .holder_identity
            .as_ref()
            .is_some_and(|it| !it.is_empty());
        let is_known = last.as_ref().is_some_and(|last| last.spec == spec);
        match last {
            _ if !is_held => None,
            Some(last) if is_known => Some(last),
            _ => Some(Self { spec, since: now }),
        }
    }

    /// Whose it is.
    pub fn holder(&self) -> &str {
        self.spec.holder_identity.as_deref().unwrap_or_default()
    }

    /// How long it holds if it is not renewed.
    fn left(&self, now: Instant) -> Duration {
        let seconds = self.spec.lease_duration_seconds;
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let term = seconds.map_or(TERM, Duration::from_secs);
        (self.since + term).saturating_duration_since(now)
    }
}

/// What a replica may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nobody has a claim, or the one there was ran out: write its own.
    Take,
    /// The claim is its own: write it anew.
    Renew,
    /// Another replica's claim holds for so long: look again by then.
    Wait(Duration),
}

/// What the replica of this name may do.
pub fn step(me: &str, claim: Option<&Claim>, now: Instant) -> Step {
    let Some(claim) = claim else {
        return Step::Take;
    };
    if claim.holder() == me {
        return Step::Renew;
    }
    match claim.left(now) {
        Duration::ZERO => Step::Take,
        left => Step::Wait(left),
    }
}

/// The Lease with this replica's claim. Written in the version that was seen: of two who try, one succeeds.
pub fn claimed(lease: Option<Lease>, me: &str, now: Timestamp) -> Lease {
    let mut lease = lease.unwrap_or_default();
    let last = lease.spec.take().unwrap_or_default();
    let is_mine = last.holder_identity.as_deref() == Some(me);
    let acquired = last.acquire_time.clone().filter(|_| is_mine);
    let changes = last.lease_transitions;
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: i32::try_from(TERM.as_secs()).ok(),
        acquire_time: acquired.or(Some(MicroTime(now))),
        renew_time: Some(MicroTime(now)),
        lease_transitions: changes.map_or(Some(0), |it| it.checked_add(i32::from(!is_mine))),
        ..last
    });
    lease
}

/// The Lease without the claim of the replica of this name; `None` if it has none.
pub fn released(mut lease: Lease, me: &str) -> Option<Lease> {
    let spec = lease.spec.as_mut()?;
    spec.holder_identity.take_if(|holder| *holder == me)?;
    Some(lease)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lease(holder: &str, renewed: i64) -> Lease {
        claimed(None, holder, Timestamp::from_second(renewed).unwrap())
    }

    /// What `a` may do after these looks at these seconds: the last one counts.
    fn after(looks: &[(u64, Option<Lease>)]) -> Step {
        let began = Instant::now();
        let (mut claim, mut now) = (None, began);
        for (second, lease) in looks {
            now = began + Duration::from_secs(*second);
            claim = Claim::after(claim, lease.as_ref(), now);
        }
        step("a", claim.as_ref(), now)
    }

    fn waits(seconds: u64) -> Step {
        Step::Wait(Duration::from_secs(seconds))
    }

    #[test]
    fn nobodys_lease_is_taken_at_once() {
        assert_eq!(after(&[(0, None)]), Step::Take);
        assert_eq!(after(&[(0, Some(Lease::default()))]), Step::Take);
        assert_eq!(after(&[(0, Some(lease("", 0)))]), Step::Take);
        let left = released(lease("b", 0), "b");
        assert_eq!(after(&[(0, Some(lease("b", 0))), (2, left)]), Step::Take);
    }

    #[test]
    fn its_own_is_renewed_however_old_and_whether_or_not_it_is_still_there() {
        assert_eq!(after(&[(0, Some(lease("a", 0)))]), Step::Renew);
        let looks = [(0, Some(lease("a", 0))), (60, Some(lease("a", 0)))];
        assert_eq!(after(&looks), Step::Renew);
        assert_eq!(after(&[(0, Some(lease("a", 0))), (2, None)]), Step::Renew);
    }

    #[test]
    fn anothers_is_left_alone_until_it_has_not_changed_for_its_term() {
        let b = |renewed| Some(lease("b", renewed));
        // However old its times are: the other clock may be wrong.
        assert_eq!(after(&[(0, b(-1000))]), waits(15));
        assert_eq!(after(&[(0, b(1000))]), waits(15));
        assert_eq!(after(&[(0, b(0)), (14, b(0))]), waits(1));
        assert_eq!(after(&[(0, b(0)), (15, b(0))]), Step::Take);
        assert_eq!(after(&[(0, b(0)), (14, b(1)), (28, b(1))]), waits(1));
        assert_eq!(
            after(&[(0, b(0)), (60, b(1))]),
            waits(15),
            "it was away itself"
        );
        assert_eq!(after(&[(0, b(0)), (60, Some(lease("c", 0)))]), waits(15));
    }

    #[test]
    fn who_loses_its_lease_to_somebody_who_deletes_it_has_its_term_all_the_same() {
        let b = || Some(lease("b", 0));
        assert_eq!(after(&[(0, b()), (14, None)]), waits(1));
        assert_eq!(after(&[(0, b()), (15, None)]), Step::Take);
    }

    #[test]
    fn a_claim_holds_for_as_long_as_its_holder_said() {
        let with = |seconds: serde_json::Value| {
            let spec = json!({ "holderIdentity": "b", "leaseDurationSeconds": seconds });
            Some(serde_json::from_value(json!({ "spec": spec })).unwrap())
        };
        assert_eq!(after(&[(0, with(json!(60)))]), waits(60));
        assert_eq!(after(&[(0, with(json!(null)))]), waits(15));
    }

    #[test]
    fn a_claim_says_who_since_when_and_after_how_many_others() {
        let spec = |lease: &Lease| lease.spec.clone().unwrap();
        let first = lease("a", 100);
        assert_eq!(spec(&first).lease_transitions, Some(0));
        let renewed = claimed(
            Some(first.clone()),
            "a",
            Timestamp::from_second(102).unwrap(),
        );
        assert_eq!(spec(&renewed).acquire_time, spec(&first).acquire_time);
        assert_ne!(spec(&renewed).renew_time, spec(&first).renew_time);
        assert_eq!(spec(&renewed).lease_transitions, Some(0));
        let taken = claimed(
            released(renewed, "a"),
            "b",
            Timestamp::from_second(104).unwrap(),
        );
        assert_eq!(spec(&taken).acquire_time, spec(&taken).renew_time);
        assert_eq!(spec(&taken).lease_transitions, Some(1));
        assert_eq!(spec(&taken).holder_identity.as_deref(), Some("b"));
    }
}
