//! What the proxy remembers of what went through it.

use std::collections::HashMap;

use axum::body::Bytes;
use http::Request;
use serde_json::Value;

use super::Trouble;
use super::call::{Call, Kind};
use super::fault::{Fault, draw};

#[derive(Default)]
pub(super) struct Seen {
    /// Writes in this namespace count.
    pub namespace: String,
    pub writes: Vec<Write>,
    /// The write after which the operator dies.
    pub deadly: Option<usize>,
    /// The write that is held back, at which the operator dies.
    pub late: Option<usize>,
    /// The one that was.
    pub held: Option<(Call, Request<Bytes>)>,
    /// Requests and events that the fault could have struck.
    chances: u64,
    /// Those that it did strike.
    pub strikes: usize,
    /// Path of a watch, and version of an event that a bookmark took the place of.
    pub skipped: Vec<(String, String)>,
    /// Lists from before the fault.
    pub lists: HashMap<String, Bytes>,
}

/// A write that the API server has carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Its method.
    pub method: String,
    /// Path of the object, or of the collection that it was added to.
    pub path: String,
    /// Name of what was added.
    pub created: Option<String>,
    /// What a status that was written says, but for when it came to that and of what it was made.
    pub status: Option<String>,
}

impl Seen {
    /// Another fault begins.
    pub fn begin_trouble(&mut self) {
        (self.chances, self.strikes) = (0, 0);
    }

    /// Whether a fault strikes here: everywhere, or at each place that it concerns until it has struck once, and at one in three
    /// after that.
    pub fn strikes(&mut self, (fault, seed): Trouble) -> bool {
        let strikes = fault.is_everywhere()
            || self.strikes == 0
            || draw(seed, self.chances).is_multiple_of(3);
        self.chances += 1;
        // A bookmark counts once a watch has gone on from it, and a 410 that a stale list is to follow once that is served.
        let counts = !matches!(fault, Fault::BookmarksOnly | Fault::StaleList);
        self.strikes += usize::from(strikes && counts);
        strikes
    }

    /// The list from before the fault that is served in the place of this one, if there is one: that is what counts.
    pub fn stale(&mut self, list: &Call) -> Option<Bytes> {
        let former = self.lists.get(&list.target()).cloned();
        self.strikes += usize::from(former.is_some());
        former
    }

    /// Whether this watch goes on from a bookmark, past an event that it was not shown.
    pub fn goes_past(&mut self, watch: &Call) -> bool {
        let mut skipped = self.skipped.iter();
        let place = skipped
            .position(|(path, at)| *path == watch.path && Some(at.as_str()) == watch.version());
        // Once only: a list may have the same version, and then nothing is missing.
        if let Some(place) = place {
            self.skipped.swap_remove(place);
            self.strikes += 1;
        }
        place.is_some()
    }

    /// Counts a write that was carried out; true if it is the one after which the operator dies.
    pub fn is_deadly(&mut self, call: &Call, answer: &Bytes) -> bool {
        if !call.is_in(&self.namespace) {
            return false;
        }
        self.writes.push(Write::of(call, answer));
        let count = self.writes.len();
        self.deadly.take_if(|last| *last <= count).is_some()
    }

    /// Keeps a request that is to come late; true if it is the one.
    pub fn holds_back(&mut self, call: &Call, request: &Request<Bytes>) -> bool {
        let next = self.writes.len() + 1;
        let is_late = call.kind == Kind::Write
            && call.is_in(&self.namespace)
            && self.late.take_if(|late| *late <= next).is_some();
        if is_late {
            self.held = Some((call.clone(), request.clone()));
        }
        is_late
    }
}

impl Write {
    fn of(call: &Call, answer: &Bytes) -> Self {
        let is_new = call.method == http::Method::POST;
        let is_status = call.path.ends_with("/status");
        let object: Value = serde_json::from_slice(answer).unwrap_or_default();
        let name = object.pointer("/metadata/name").and_then(Value::as_str);
        Self {
            method: call.method.to_string(),
            path: call.path.clone(),
            created: name.filter(|_| is_new).map(str::to_owned),
            status: is_status.then(|| said(&object)),
        }
    }
}

fn said(object: &Value) -> String {
    let mut status = object.get("status").cloned().unwrap_or_default();
    if let Some(fields) = status.as_object_mut() {
        fields.remove("settled");
    }
    let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        if let Some(fields) = condition.as_object_mut() {
            fields.remove("lastTransitionTime");
        }
    }
    status.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn write(namespace: &str) -> Call {
        let path = format!("/api/v1/namespaces/{namespace}/secrets");
        Call::of(&Request::post(path).body(()).unwrap())
    }

    #[test]
    fn one_write_is_deadly_and_those_of_other_namespaces_do_not_count() {
        let mut seen = Seen {
            namespace: "a".to_owned(),
            deadly: Some(2),
            ..Seen::default()
        };
        let answer = Bytes::from(r#"{"metadata":{"name":"alice-key-0123456789"}}"#);
        let deadly = ["a", "b", "a", "a"].map(|it| seen.is_deadly(&write(it), &answer));
        assert_eq!(deadly, [false, false, true, false]);
        assert_eq!(seen.writes.len(), 3);
        let created = seen.writes[0].created.as_deref();
        assert_eq!(created, Some("alice-key-0123456789"));
    }

    #[test]
    fn one_write_is_held_back_and_no_look() {
        let mut seen = Seen {
            namespace: "a".to_owned(),
            late: Some(1),
            ..Seen::default()
        };
        let path = "/api/v1/namespaces/a/secrets";
        let look = Request::get(path).body(Bytes::new()).unwrap();
        let write = Request::post(path).body(Bytes::new()).unwrap();
        let held = [&look, &write, &write].map(|it| seen.holds_back(&Call::of(it), it));
        assert_eq!(held, [false, true, false]);
        assert!(seen.held.is_some());
    }

    #[test]
    fn a_bookmark_counts_once_the_watch_has_gone_on_from_it() {
        let watch = |version: u32| {
            let target = format!("/api/v1/pods?&watch=true&resourceVersion={version}");
            Call::of(&Request::get(target).body(()).unwrap())
        };
        let mut seen = Seen::default();
        assert!(seen.strikes((Fault::BookmarksOnly, 1)));
        seen.skipped
            .push(("/api/v1/pods".to_owned(), "7".to_owned()));
        let gone_past = [6, 7, 7].map(|version| seen.goes_past(&watch(version)));
        assert_eq!(gone_past, [false, true, false]);
        assert_eq!(seen.strikes, 1);
    }

    #[test]
    fn every_watch_is_told_to_list_until_a_stale_list_was_served_which_is_what_counts() {
        let list = Call::of(&Request::get("/api/v1/pods?limit=100").body(()).unwrap());
        let (mut seen, trouble) = (Seen::default(), (Fault::StaleList, 1));
        assert!((0..100).all(|_| seen.strikes(trouble)));
        assert_eq!(seen.stale(&list), None, "there is no former one");
        assert_eq!(seen.strikes, 0);
        let former = Bytes::from("{}");
        seen.lists.insert(list.target(), former.clone());
        assert_eq!(seen.stale(&list), Some(former));
        assert_eq!(seen.strikes, 1);
        assert!((0..100).any(|_| !seen.strikes(trouble)));
        assert_eq!(seen.strikes, 1);
    }

    #[test]
    fn a_status_says_the_same_whenever_and_of_whatever_it_was_made() {
        let path = "/apis/userengine.dev/v1alpha1/namespaces/a/userengines/b/status";
        let call = Call::of(&Request::patch(path).body(()).unwrap());
        let said = |phase: &str, made: &str| {
            let conditions = json!([{ "type": "Ready", "lastTransitionTime": made }]);
            let status = json!({ "phase": phase, "settled": made, "conditions": conditions });
            let answer = json!({ "metadata": { "name": "b" }, "status": status });
            Write::of(&call, &Bytes::from(answer.to_string())).status
        };
        assert_eq!(said("Ready", "1"), said("Ready", "2"));
        assert_ne!(said("Ready", "1"), said("Starting", "1"));
        let other = Call::of(
            &Request::patch("/api/v1/namespaces/a/pods/b")
                .body(())
                .unwrap(),
        );
        assert_eq!(Write::of(&other, &Bytes::from("{}")).status, None);
    }

    #[test]
    fn a_fault_strikes_the_first_place_and_the_same_ones_with_the_same_seed() {
        let strikes = |fault, seed| {
            let mut seen = Seen::default();
            let struck: Vec<_> = (0..100).map(|_| seen.strikes((fault, seed))).collect();
            assert_eq!(seen.strikes, struck.iter().filter(|it| **it).count());
            struck
        };
        let of_one = strikes(Fault::Failure, 1);
        assert!(of_one[0]);
        assert_eq!(of_one, strikes(Fault::Failure, 1));
        assert_ne!(of_one, strikes(Fault::Failure, 2));
        assert_eq!(strikes(Fault::CutOff, 1), [true; 100]);
    }
}
