//! Whether the brain lets a Job in. The brain's own state decides, not what was mounted.

use std::collections::BTreeMap;

use userengine_api::key::Kid;

use crate::request::RotationId;

/// What the brain says of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BrainKeys {
    /// The key that seals.
    pub write_kid: Kid,
    /// Counts the runs that were let in to write.
    pub epoch: u64,
    /// The rotation that has begun to write and is not certified.
    pub open: Option<OpenInBrain>,
    /// When the latest of the rotations that began was opened, as its order said.
    pub latest: Option<i64>,
}

/// A rotation that has begun to write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpenInBrain {
    /// Its id.
    pub id: RotationId,
    /// The key before.
    pub from: Kid,
    /// The key that it seals with.
    pub to: Kid,
}

/// What a Job was told to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Order {
    /// The rotation.
    pub id: RotationId,
    /// The keys that may seal now; one, unless an earlier rotation ended with nobody knowing how far it had come.
    pub from: Vec<Kid>,
    /// The key to seal with.
    pub to: Kid,
    /// Unix seconds of when the rotation was opened: no two of a brain are opened in the same second, and of two orders
    /// the later one counts. `None`: given by hand.
    pub opened: Option<i64>,
}

/// The brain's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Admission {
    /// Nothing of it has been done: check, then begin with the epoch transaction.
    Begin,
    /// It had begun: check, then go on under a new epoch.
    Resume,
    /// It was certified: nothing to do.
    Done,
    /// It must not run.
    Refuse(Objection),
}

/// Why a Job must not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Objection {
    /// The brain is sealed with another key than the order says: the direction is wrong, or the order is old.
    Reversed,
    /// This rotation is over: it was superseded by another.
    Over,
    /// Its key is the one that seals already.
    SameKey,
    /// It has begun with another target.
    OtherTarget,
}

/// How a rotation stands in the brain's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Logged {
    /// It wrote, and neither of the ends below came.
    Begun,
    /// Another began before it was certified.
    Superseded,
    /// It came to its certificate.
    Certified,
}

/// Every rotation that ever wrote to the brain.
pub type Log = BTreeMap<RotationId, Logged>;

/// Lets a Job in, or says why not. An id that the log knows never begins again, whatever the order says: what fires an
/// old request, a revert or a clock, must not turn keys. Nor does an order begin that is older than one that began: its
/// sender has gone on, and may have put its key out of the ring, while it lay in a process that nobody saw.
pub fn admit(keys: &BrainKeys, log: &Log, order: &Order) -> Admission {
    let open = keys.open.as_ref().filter(|open| open.id == order.id);
    match (log.get(&order.id), open) {
        (Some(Logged::Certified), _) => Admission::Done,
        (_, Some(open)) if open.to == order.to => Admission::Resume,
        (_, Some(_)) => Admission::Refuse(Objection::OtherTarget),
        (Some(_), None) => Admission::Refuse(Objection::Over),
        (None, None) if is_outdated(keys, order) => Admission::Refuse(Objection::Over),
        (None, None) if order.to == keys.write_kid => Admission::Refuse(Objection::SameKey),
        (None, None) if order.from.contains(&keys.write_kid) => Admission::Begin,
        (None, None) => Admission::Refuse(Objection::Reversed),
    }
}

fn is_outdated(keys: &BrainKeys, order: &Order) -> bool {
    order
        .opened
        .zip(keys.latest)
        .is_some_and(|(opened, latest)| opened <= latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kid(digit: char) -> Kid {
        digit.to_string().repeat(16).parse().unwrap()
    }

    fn id(text: &str) -> RotationId {
        text.to_owned().try_into().unwrap()
    }

    fn sealed_with(write: char, open: Option<(&str, char, char)>) -> BrainKeys {
        BrainKeys {
            write_kid: kid(write),
            epoch: 3,
            open: open.map(|(name, from, to)| OpenInBrain {
                id: id(name),
                from: kid(from),
                to: kid(to),
            }),
            latest: None,
        }
    }

    fn order(name: &str, from: &str, to: char) -> Order {
        Order {
            id: id(name),
            from: from.chars().map(kid).collect(),
            to: kid(to),
            opened: None,
        }
    }

    fn log(entries: &[(&str, Logged)]) -> Log {
        entries.iter().map(|(name, how)| (id(name), *how)).collect()
    }

    #[test]
    fn begins_where_the_brain_is_sealed_with_a_key_that_the_order_names() {
        let before = log(&[("older", Logged::Certified)]);
        for from in ["a", "ba"] {
            let admitted = admit(&sealed_with('a', None), &before, &order("r", from, 'c'));
            assert_eq!(admitted, Admission::Begin);
        }
    }

    #[test]
    fn goes_on_with_what_is_open_and_only_to_the_target_it_began_with() {
        let open = sealed_with('b', Some(("r", 'a', 'b')));
        let begun = log(&[("r", Logged::Begun)]);
        assert_eq!(
            admit(&open, &begun, &order("r", "a", 'b')),
            Admission::Resume
        );
        let other = admit(&open, &begun, &order("r", "ab", 'c'));
        assert_eq!(other, Admission::Refuse(Objection::OtherTarget));
    }

    #[test]
    fn never_begins_an_id_again() {
        let certified = log(&[("r", Logged::Certified)]);
        for keys in [
            sealed_with('b', None),
            sealed_with('a', None),
            sealed_with('c', Some(("s", 'b', 'c'))),
        ] {
            assert_eq!(
                admit(&keys, &certified, &order("r", "a", 'b')),
                Admission::Done
            );
        }
        for how in [Logged::Superseded, Logged::Begun] {
            let over = admit(
                &sealed_with('a', None),
                &log(&[("r", how)]),
                &order("r", "a", 'b'),
            );
            assert_eq!(over, Admission::Refuse(Objection::Over));
        }
    }

    #[test]
    fn a_new_rotation_takes_over_from_one_that_was_left_open() {
        let open = sealed_with('b', Some(("r", 'a', 'b')));
        let begun = log(&[("r", Logged::Begun)]);
        for to in ['a', 'c'] {
            let admitted = admit(&open, &begun, &order("s", "ab", to));
            assert_eq!(admitted, Admission::Begin);
        }
        let reversed = admit(&open, &begun, &order("s", "a", 'c'));
        assert_eq!(reversed, Admission::Refuse(Objection::Reversed));
    }

    #[test]
    fn an_order_that_is_no_later_than_one_that_began_is_over() {
        let keys = BrainKeys {
            latest: Some(20),
            ..sealed_with('a', None)
        };
        let opened = |opened| Order {
            opened,
            ..order("r", "a", 'b')
        };
        for (at, admission) in [
            (Some(19), Admission::Refuse(Objection::Over)),
            (Some(20), Admission::Refuse(Objection::Over)),
            (Some(21), Admission::Begin),
            (None, Admission::Begin),
        ] {
            assert_eq!(admit(&keys, &Log::new(), &opened(at)), admission);
        }
        let resumed = BrainKeys {
            latest: Some(20),
            ..sealed_with('b', Some(("r", 'a', 'b')))
        };
        let begun = log(&[("r", Logged::Begun)]);
        assert_eq!(
            admit(&resumed, &begun, &opened(Some(20))),
            Admission::Resume
        );
    }

    #[test]
    fn refuses_the_wrong_direction_and_the_key_that_seals_already() {
        let keys = sealed_with('b', None);
        let reversed = admit(&keys, &Log::new(), &order("r", "a", 'c'));
        assert_eq!(reversed, Admission::Refuse(Objection::Reversed));
        for from in ["a", "b"] {
            let same = admit(&keys, &Log::new(), &order("r", from, 'b'));
            assert_eq!(same, Admission::Refuse(Objection::SameKey));
        }
    }
}
