//! When a token is refreshed, and when again after that failed. Pure: time and chance come from the caller.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Outcome;

/// No token is refreshed earlier than this before its end.
const LONGEST_LEAD: Duration = Duration::from_mins(10);
/// The lead of a short-lived token: a fifth of its lifetime.
const LEAD_SHARE: u32 = 5;
/// Up to a quarter of the lead is added by chance, so that tokens of one hour are not refreshed in one second.
const JITTER_SHARE: f64 = 0.25;
/// A provider that gives tokens for a moment is not asked more often than this.
const SHORTEST: Duration = Duration::from_secs(5);
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_mins(5);
/// A provider that asks for more patience than this is asked again nevertheless.
const LONGEST_PATIENCE: Duration = Duration::from_hours(1);

/// What the background does next for a connection.
#[derive(Debug, Default)]
pub(in crate::assets) struct Schedule {
    /// When the access token is to be refreshed; `None` if there is no reason to.
    pub(in crate::assets) refresh_at: Option<Timestamp>,
    /// Since the start of the process: no refresh before this.
    pub(super) not_before: Duration,
    /// Failures in a row.
    pub(super) failures: u32,
    /// How the last one ended.
    pub(super) failure: Option<Outcome>,
}

/// When to refresh a token of this lifetime. `chance` is from 0 to 1.
pub(in crate::assets) fn refresh_at(
    issued: Timestamp,
    expires: Timestamp,
    chance: f64,
) -> Timestamp {
    let lifetime = Duration::try_from(expires.duration_since(issued)).unwrap_or_default();
    let lead = (lifetime / LEAD_SHARE).min(LONGEST_LEAD);
    let lead = lead.mul_f64(1.0 + JITTER_SHARE * chance.clamp(0.0, 1.0));
    let at = expires.saturating_sub(signed(lead)).unwrap_or(issued);
    at.max(issued.saturating_add(signed(SHORTEST)).unwrap_or(issued))
}

/// How long to wait after so many failures in a row: 1 s doubling to 5 min, more if the provider asks for it.
pub(super) fn delay(failures: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let doubled = FIRST_DELAY.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let jittered = doubled
        .min(LONGEST_DELAY)
        .mul_f64(0.9 + 0.2 * chance.clamp(0.0, 1.0));
    jittered.max(asked.unwrap_or_default().min(LONGEST_PATIENCE))
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(lifetime: i32, chance: f64) -> f64 {
        let issued: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let expires = issued + SignedDuration::from_secs(lifetime.into());
        expires
            .duration_since(refresh_at(issued, expires, chance))
            .as_secs_f64()
    }

    #[test]
    fn the_lead_is_a_fifth_of_the_lifetime_and_ten_minutes_at_most() {
        for (lifetime, least) in [(10, 2.0), (300, 60.0), (3000, 600.0), (86_400, 600.0)] {
            assert!((lead(lifetime, 0.0) - least).abs() < 1e-6, "{lifetime}");
            assert!(
                (lead(lifetime, 1.0) - 1.25 * least).abs() < 1e-6,
                "{lifetime}"
            );
        }
    }

    #[test]
    fn a_token_for_a_moment_is_not_refreshed_at_every_moment() {
        for lifetime in [-5, 0, 1, 5] {
            let early = lead(lifetime, 0.5);
            assert!(
                (early - (f64::from(lifetime) - 5.0)).abs() < 1e-6,
                "{lifetime}: {early}"
            );
        }
    }

    #[test]
    fn failures_wait_one_second_doubling_to_five_minutes() {
        let waits: Vec<u64> = (1..=11).map(|n| delay(n, None, 0.5).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(delay(u32::MAX, None, 0.5).as_secs(), 300);
        assert!(delay(1, None, 0.0) >= Duration::from_millis(900));
        assert!(delay(1, None, 1.0) <= Duration::from_millis(1100));
    }

    #[test]
    fn a_provider_may_ask_for_more_patience_up_to_an_hour() {
        let asked = |seconds| delay(1, Some(Duration::from_secs(seconds)), 0.5).as_secs();
        assert_eq!((asked(0), asked(30), asked(1_000_000)), (1, 30, 3600));
    }
}
