//! The room that a rotation needs on the volume, for a while.

use userengine_rotation::request::Mode;

use super::RotationError;

/// Whatever the brain's size.
const LEAST: u64 = 1024 * 1024;
/// The log of some batches.
const LOG: u64 = 32 * 1024 * 1024;

/// Refuses a volume with fewer bytes free than a brain of this size may need.
pub(super) fn check_room(mode: Mode, brain: u64, free: u64) -> Result<(), RotationError> {
    let needed = needed(mode, brain);
    if free < needed {
        return Err(RotationError::NoRoom { free, needed });
    }
    Ok(())
}

/// What SQLite may need: a log of some batches, or of everything if every connection is marked.
fn needed(mode: Mode, brain: u64) -> u64 {
    let twice = brain.saturating_mul(2);
    let log = match mode {
        Mode::Normal => twice.min(LOG),
        Mode::Compromised => twice,
    };
    log.saturating_add(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1_048_576;

    #[test]
    fn needs_twice_the_brain_and_a_mebibyte_up_to_the_log_of_some_batches() {
        for (brain, expected) in [
            (0, MIB),
            (MIB, 3 * MIB),
            (16 * MIB - 1, 33 * MIB - 2),
            (16 * MIB, 33 * MIB),
            (16 * MIB + 1, 33 * MIB),
            (u64::MAX, 33 * MIB),
        ] {
            assert_eq!(needed(Mode::Normal, brain), expected, "{brain}");
        }
    }

    #[test]
    fn needs_twice_the_brain_whatever_its_size_where_every_connection_is_marked() {
        for (brain, expected) in [
            (0, MIB),
            (16 * MIB + 1, 33 * MIB + 2),
            (1024 * MIB, 2049 * MIB),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(needed(Mode::Compromised, brain), expected, "{brain}");
        }
    }

    #[test]
    fn exactly_what_is_needed_is_enough_and_a_byte_less_is_not() {
        let check = |free| check_room(Mode::Normal, 2 * MIB, free);
        assert!(check(5 * MIB).is_ok());
        assert!(check(5 * MIB + 1).is_ok());
        let refused = check(5 * MIB - 1).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the volume has 5242879 bytes free: expected at least 5242880"
        );
    }
}
