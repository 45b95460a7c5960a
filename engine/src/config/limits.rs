//! What calls may take, and when a connection is given rest.

use std::time::Duration;

use userengine_api::layout::env;

use super::{ConfigError, Environment};
use crate::assets::BreakerSettings;

/// The limits of tool calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once through one connection; the next one is refused.
    pub per_connection: usize,
    /// Calls at once through the engine; the next one is refused.
    pub per_engine: usize,
    /// How long a call may take, all of it.
    pub timeout: Duration,
    /// When a breaker opens, and for how long.
    pub breaker: BreakerSettings,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_connection: 16,
            per_engine: 64,
            timeout: Duration::from_mins(1),
            breaker: BreakerSettings::default(),
        }
    }
}

impl Limits {
    /// Reads `CALLS_PER_CONNECTION`, `CALLS_PER_ENGINE`, `CALL_TIMEOUT_SECONDS` and `BREAKER_…`.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let number = |variable, default, most, expected| {
            let number: u32 = environment.parsed(variable, expected, default)?;
            if (1..=most).contains(&number) {
                Ok(number)
            } else {
                Err(ConfigError::Invalid { variable, expected })
            }
        };
        let seconds = |variable, default: Duration, most, expected| {
            let default = u32::try_from(default.as_secs()).unwrap_or(most);
            number(variable, default, most, expected).map(|n| Duration::from_secs(u64::from(n)))
        };
        let defaults = BreakerSettings::default();
        let breaker = BreakerSettings {
            failures: number(env::BREAKER_FAILURES, defaults.failures, 1000, TO_1000)?,
            percent: number(env::BREAKER_FAILURE_PERCENT, defaults.percent, 100, PERCENT)?,
            window: seconds(
                env::BREAKER_WINDOW_SECONDS,
                defaults.window,
                600,
                TEN_MINUTES,
            )?,
            cool_down: seconds(
                env::BREAKER_COOL_DOWN_SECONDS,
                defaults.cool_down,
                3600,
                AN_HOUR,
            )?,
            longest_cool_down: seconds(
                env::BREAKER_COOL_DOWN_MAX_SECONDS,
                defaults.longest_cool_down,
                3600,
                AN_HOUR,
            )?,
        };
        if breaker.longest_cool_down < breaker.cool_down {
            return Err(ConfigError::Invalid {
                variable: env::BREAKER_COOL_DOWN_MAX_SECONDS,
                expected: "no less than BREAKER_COOL_DOWN_SECONDS",
            });
        }
        Ok(Self {
            per_connection: number(env::CALLS_PER_CONNECTION, 16, 1000, TO_1000)? as usize,
            per_engine: number(env::CALLS_PER_ENGINE, 64, 10_000, TO_10_000)? as usize,
            timeout: seconds(
                env::CALL_TIMEOUT_SECONDS,
                Duration::from_mins(1),
                600,
                TEN_MINUTES,
            )?,
            breaker,
        })
    }
}

const TO_1000: &str = "a whole number, 1 to 1000";
const TO_10_000: &str = "a whole number, 1 to 10000";
const PERCENT: &str = "a whole number of percent, 1 to 100";
const TEN_MINUTES: &str = "a whole number of seconds, 1 to 600";
const AN_HOUR: &str = "a whole number of seconds, 1 to 3600";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_documented_ones() {
        assert_eq!(Limits::read(&Environment::of(&[])), Ok(Limits::default()));
    }

    #[test]
    fn a_value_outside_its_bounds_names_the_variable() {
        for (variable, value) in [
            ("CALLS_PER_CONNECTION", "0"),
            ("CALLS_PER_ENGINE", "10001"),
            ("CALL_TIMEOUT_SECONDS", "601"),
            ("BREAKER_FAILURES", "-1"),
            ("BREAKER_FAILURE_PERCENT", "101"),
            ("BREAKER_WINDOW_SECONDS", "1.5"),
            ("BREAKER_COOL_DOWN_SECONDS", ""),
            ("BREAKER_COOL_DOWN_MAX_SECONDS", "29"),
        ] {
            match Limits::read(&Environment::of(&[(variable, value)])) {
                Err(ConfigError::Invalid {
                    variable: named, ..
                }) => assert_eq!(named, variable),
                other => panic!("{variable}={value}: {other:?}"),
            }
        }
    }
}
