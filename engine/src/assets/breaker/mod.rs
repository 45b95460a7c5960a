//! The breaker of one connection: a state machine that is told the time and does nothing by itself.
//!
//! Closed, it counts. Enough failures open it, and then no call goes through. Whoever owns it asks [`Breaker::next_probe`]
//! when to probe, takes the one [`Probe`] that [`Breaker::begin_probe`] gives (the breaker is half open meanwhile) and
//! reports with [`Breaker::probed`]. Times are durations since the process started, which no clock adjustment moves.

mod window;

use std::time::Duration;

use window::Window;

/// When the breaker opens, and when it lets a probe through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Fewer failures within the window never open it.
    pub failures: u32,
    /// Nor do failures that are a smaller part of the calls, in percent.
    pub percent: u32,
    /// How far back is counted.
    pub window: Duration,
    /// The first wait after time-outs and 5xx; it doubles with each probe that fails.
    pub cool_down: Duration,
    /// The longest such wait.
    pub longest_cool_down: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            percent: 50,
            window: Duration::from_secs(30),
            cool_down: Duration::from_secs(30),
            longest_cool_down: Duration::from_mins(5),
        }
    }
}

/// A server that nobody reaches is looked for this often at first: it may only be restarting.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long at first is.
const LOOK_OFTEN_FOR: Duration = Duration::from_mins(1);
/// And this often later.
const LOOK_LATER_EVERY: Duration = Duration::from_secs(5);

/// What a call says of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It answered, whatever it said.
    Alive,
    /// Nobody is there: refused, reset, no such name. It costs the server nothing to be looked for.
    Unreachable,
    /// It is there and does not cope: time-outs, 5xx, another protocol. It is given rest.
    Unwell,
}

/// The states, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakerStatus {
    /// Calls go through.
    Closed,
    /// Calls are refused.
    Open,
    /// Calls are refused, and one probe is under way.
    HalfOpen,
}

/// Lets one call through. Its verdict counts only as long as the breaker did not open in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    opening: u64,
}

/// The right to probe once.
#[derive(Debug, PartialEq, Eq)]
pub struct Probe {
    opening: u64,
}

/// A call is refused: try again after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// From now.
    pub retry_after: Duration,
}

/// A state machine; see the module.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: BreakerSettings,
    /// From 0 to 1. Engines that lost the same server must not look for it in step.
    jitter: fn() -> f64,
    window: Window,
    state: State,
    /// Counts the openings.
    opening: u64,
    /// The last cool-down, until a call has shown that the server copes again.
    cool_down: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open { since: Duration, probe_at: Duration },
    HalfOpen { since: Duration },
}

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: BreakerSettings, jitter: fn() -> f64) -> Self {
        Self {
            settings,
            jitter,
            window: Window::new(settings.window),
            state: State::Closed,
            opening: 0,
            cool_down: None,
        }
    }

    /// May a call go through?
    pub fn admit(&self, now: Duration) -> Result<Pass, Refused> {
        match self.state {
            State::Closed => Ok(Pass {
                opening: self.opening,
            }),
            State::Open { probe_at, .. } => Err(Refused {
                retry_after: probe_at.saturating_sub(now),
            }),
            State::HalfOpen { .. } => Err(Refused {
                retry_after: LOOK_EVERY,
            }),
        }
    }

    /// Reports how a call went. `true` if that opened the breaker.
    pub fn report(&mut self, now: Duration, pass: Pass, verdict: Verdict) -> bool {
        if self.state != State::Closed || pass.opening != self.opening {
            return false;
        }
        self.window.add(now, verdict != Verdict::Alive);
        if verdict == Verdict::Alive {
            self.cool_down = None;
            return false;
        }
        let count = self.window.total(now);
        let calls = u64::from(count.failed) + u64::from(count.succeeded);
        let share = u64::from(count.failed) * 100;
        if count.failed < self.settings.failures || share < calls * u64::from(self.settings.percent)
        {
            return false;
        }
        self.opening += 1;
        self.open(now, now, verdict);
        true
    }

    /// When the next probe is due; `None` while the breaker is closed or being probed.
    pub fn next_probe(&self) -> Option<Duration> {
        match self.state {
            State::Open { probe_at, .. } => Some(probe_at),
            State::Closed | State::HalfOpen { .. } => None,
        }
    }

    /// Gives the one probe that is due, and makes the breaker half open.
    pub fn begin_probe(&mut self, now: Duration) -> Option<Probe> {
        match self.state {
            State::Open { since, probe_at } if probe_at <= now => {
                self.state = State::HalfOpen { since };
                Some(Probe {
                    opening: self.opening,
                })
            }
            _ => None,
        }
    }

    /// Reports how a probe went. `true` if that closed the breaker.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a probe is reported once, so it is consumed"
    )]
    pub fn probed(&mut self, now: Duration, probe: Probe, verdict: Verdict) -> bool {
        let State::HalfOpen { since } = self.state else {
            return false;
        };
        if probe.opening != self.opening {
            return false;
        }
        if verdict == Verdict::Alive {
            self.state = State::Closed;
            self.window.clear();
            return true;
        }
        self.open(now, since, verdict);
        false
    }

    /// Where it is.
    pub fn status(&self) -> BreakerStatus {
        match self.state {
            State::Closed => BreakerStatus::Closed,
            State::Open { .. } => BreakerStatus::Open,
            State::HalfOpen { .. } => BreakerStatus::HalfOpen,
        }
    }

    /// Since when it has not been closed.
    #[cfg(test)]
    fn open_since(&self) -> Option<Duration> {
        match self.state {
            State::Closed => None,
            State::Open { since, .. } | State::HalfOpen { since } => Some(since),
        }
    }

    /// Failures within the window.
    pub fn failures(&self, now: Duration) -> u32 {
        self.window.total(now).failed
    }

    fn open(&mut self, now: Duration, since: Duration, verdict: Verdict) {
        let wait = match verdict {
            Verdict::Unwell => {
                let next = self.cool_down.map_or(self.settings.cool_down, |last| {
                    (last * 2).min(self.settings.longest_cool_down)
                });
                self.cool_down = Some(next);
                next.mul_f64(1.0 - 0.1 * (self.jitter)())
            }
            Verdict::Unreachable | Verdict::Alive => {
                let often = now.saturating_sub(since) < LOOK_OFTEN_FOR;
                let period = if often { LOOK_EVERY } else { LOOK_LATER_EVERY };
                period.mul_f64(1.0 - 0.25 * (self.jitter)())
            }
        };
        self.state = State::Open {
            since,
            probe_at: now + wait,
        };
    }
}

#[cfg(test)]
mod tests;
