use serde_json::json;

use super::entry::Child;
use super::*;

fn child(name: &str, version: u64, label: &str) -> ObjectMeta {
    serde_json::from_value(json!({
        "namespace": "ns", "name": format!("alice-{name}"), "uid": name, "resourceVersion": version.to_string(),
        "labels": { labels::ENGINE: "alice", "l": label },
    }))
    .unwrap()
}

fn alice() -> EngineName {
    EngineName::new("ns", "alice")
}

fn digest(seen: &Seen) -> Digest {
    seen.digest(&alice(), 0, &())
}

fn show(seen: &Seen, name: &str, version: u64) -> bool {
    let shown = Shown::Changed(1);
    seen.show(Watched::Service, &child(name, version, ""), shown)
        .is_some()
}

#[test]
fn a_child_is_remembered_in_no_more_than_200_bytes() {
    assert!(size_of::<Child>() <= 40, "{}", size_of::<Child>());
    let entry = size_of::<EngineName>() + size_of::<Entry>();
    assert!(entry <= 200, "{entry}");
}

/// A look that ends now, and the next of which is an hour away.
fn looked(seen: &Seen, look: Look) -> Instant {
    let now = Instant::now();
    seen.rests(&alice(), look, digest(seen), now + Duration::from_hours(1));
    now
}

fn rests(seen: &Seen, now: Instant) -> bool {
    rest(seen, None, now).is_some()
}

fn rest(seen: &Seen, settled: Option<&str>, now: Instant) -> Option<Duration> {
    let rest = Rest {
        digest: digest(seen),
        settled,
        first: Duration::from_secs(9),
    };
    seen.rest(&alice(), &rest, now)
}

#[test]
fn an_engine_rests_until_a_child_of_it_changes_or_its_time_has_come() {
    let seen = Seen::default();
    assert!(show(&seen, "a", 1));
    assert!(!rests(&seen, Instant::now()), "nobody has looked");
    let now = looked(&seen, seen.begin(&alice()));
    assert!(rests(&seen, now));
    assert!(!rests(&seen, now + Duration::from_hours(2)));
    assert!(!show(&seen, "a", 1), "no news");
    assert!(rests(&seen, now));
    assert!(show(&seen, "a", 2));
    assert!(!rests(&seen, now));
}

#[test]
fn what_changes_during_a_look_is_looked_at_again() {
    let seen = Seen::default();
    let look = seen.begin(&alice());
    show(&seen, "a", 1);
    assert!(!seen.is_undisturbed(&alice(), look));
    let now = looked(&seen, look);
    assert!(!rests(&seen, now));
}

#[test]
fn what_a_disturbed_look_found_is_left_to_the_next_one_but_not_for_ever() {
    let (seen, began) = (Seen::default(), Instant::now());
    let puts_off = |version: Option<u64>, after: Duration| {
        let look = seen.begin(&alice());
        version.map(|version| show(&seen, "a", version));
        seen.puts_off(&alice(), look, began + after)
    };
    let (at_once, late) = (Duration::ZERO, AT_MOST_PUT_OFF);
    assert!(!puts_off(None, at_once), "undisturbed");
    assert!(puts_off(Some(1), at_once));
    assert!(puts_off(Some(2), late / 2));
    assert!(!puts_off(Some(3), late), "it is told of");
    assert!(puts_off(Some(4), late), "and begins anew");
    assert!(!puts_off(None, late), "undisturbed");
    assert!(puts_off(Some(5), late * 2), "told in between");
}

#[test]
fn what_a_look_has_read_is_part_of_it_though_it_is_shown_later() {
    let seen = Seen::default();
    show(&seen, "a", 1);
    let look = seen.begin(&alice());
    seen.read("Service", &child("a", 2, ""));
    seen.read("Service", &child("b", 3, ""));
    assert!(seen.is_undisturbed(&alice(), look));
    let now = looked(&seen, look);
    assert!(!show(&seen, "a", 2), "no news");
    assert!(rests(&seen, now));
    seen.read("Service", &child("a", 1, "older"));
    assert!(rests(&seen, now));
    assert!(show(&seen, "a", 4));
    assert!(!rests(&seen, now));
    // What goes before a read of it is known to have ended does not come back by it.
    seen.forget(Watched::Service, &child("a", 5, ""));
    let gone = digest(&seen);
    seen.read("Service", &child("a", 4, ""));
    assert_eq!(digest(&seen), gone);
}

#[test]
fn a_write_of_our_own_is_part_of_the_look_and_its_echo_no_news() {
    let seen = Seen::default();
    let look = seen.begin(&alice());
    seen.wrote("Service", &child("a", 5, ""));
    let now = looked(&seen, look);
    assert!(rests(&seen, now));
    assert!(!show(&seen, "a", 4), "older than the answer");
    assert!(!show(&seen, "a", 5));
    assert!(rests(&seen, now));
    seen.wrote("Secret", &child("b", 6, ""));
    assert!(rests(&seen, now), "nobody watches Secrets");
}

#[test]
fn an_echo_that_comes_before_the_answer_disturbs_nothing() {
    let seen = Seen::default();
    let look = seen.begin(&alice());
    assert!(show(&seen, "a", 5));
    seen.wrote("Service", &child("a", 5, ""));
    assert!(seen.is_undisturbed(&alice(), look));
    seen.wrote("Service", &child("a", 5, ""));
    assert!(seen.is_undisturbed(&alice(), look), "once only");
    assert!(show(&seen, "a", 6));
    seen.wrote("Service", &child("a", 5, ""));
    assert!(
        !seen.is_undisturbed(&alice(), look),
        "somebody else wrote after us"
    );
}

#[test]
fn a_failed_look_is_tried_again_though_status_says_that_all_was_well() {
    let seen = Seen::default();
    let settled = digest(&seen).text();
    let rest = || rest(&seen, Some(&settled), Instant::now());
    assert_eq!(
        rest().map(|rest| rest.as_secs()),
        Some(9),
        "the first after a start"
    );
    let _failed = seen.begin(&alice());
    assert_eq!(rest(), None);
}

#[test]
fn what_a_list_does_not_show_any_more_is_gone() {
    let seen = Seen::default();
    for (name, kind) in [
        ("a", Watched::Service),
        ("b", Watched::Service),
        ("c", Watched::Pod),
    ] {
        seen.show(kind, &child(name, 9, ""), Shown::Listed(1));
    }
    let all = digest(&seen);
    // The list of a namespace says nothing of others.
    let elsewhere = Place::In("elsewhere".into());
    assert!(seen.listed(Watched::Service, &elsewhere, 2).is_empty());
    assert_eq!(digest(&seen), all);
    // As after the restore of a backup: an older version, but what the list says holds.
    let news = seen.show(Watched::Service, &child("a", 3, ""), Shown::Listed(2));
    assert!(news.is_some());
    assert_eq!(
        seen.listed(Watched::Service, &Place::Everywhere, 2),
        [alice()]
    );
    assert_ne!(digest(&seen), all);
    assert!(
        seen.listed(Watched::Service, &Place::Everywhere, 2)
            .is_empty()
    );
    assert!(seen.forget(Watched::Service, &child("b", 9, "")).is_none());
    assert!(seen.forget(Watched::Pod, &child("c", 9, "")).is_some());
}

#[test]
fn a_child_that_somebody_labels_as_anothers_wakes_the_engine_that_lost_it() {
    let seen = Seen::default();
    let labelled = |name: &str, version, engine: Option<&str>| {
        let mut child = child("", version, "");
        child.name = Some(name.to_owned());
        child.labels = engine.map(|engine| [(labels::ENGINE.to_owned(), engine.to_owned())].into());
        child
    };
    for (name, anothers) in [
        ("alice", Some("bob")),
        ("alice-headless", Some("alice-headless")),
        ("alice-rotate-0123456789-1", None),
    ] {
        let born = labelled(name, 3, Some("alice"));
        seen.show(Watched::Service, &born, Shown::Changed(1));
        let before = digest(&seen);
        let late = labelled(name, 2, anothers);
        assert_eq!(
            seen.strayed(Watched::Service, &late),
            None,
            "it was put right since"
        );
        let stays = labelled(name, 4, Some("alice"));
        assert_eq!(seen.strayed(Watched::Service, &stays), None, "{name}");
        let strayed = labelled(name, 5, anothers);
        assert_eq!(seen.strayed(Watched::Pod, &strayed), None, "another kind");
        assert_eq!(seen.strayed(Watched::Service, &strayed), Some(alice()));
        assert_eq!(seen.strayed(Watched::Service, &strayed), None, "once");
        assert_ne!(digest(&seen), before);
    }
    let strayed = labelled("alice", 6, Some("bob"));
    let news = seen.show(Watched::Service, &strayed, Shown::Changed(1));
    assert_eq!(news, None, "bob has no child of that name");
}

#[test]
fn a_status_that_its_controller_writes_wakes_and_changes_no_digest() {
    let seen = Seen::default();
    let shown = |version| {
        seen.show(
            Watched::StatefulSet,
            &child("a", version, ""),
            Shown::Changed(1),
        )
    };
    shown(1);
    let (before, look) = (digest(&seen), seen.begin(&alice()));
    assert!(shown(2).is_some());
    assert_eq!(digest(&seen), before);
    assert!(seen.is_undisturbed(&alice(), look));
}

#[test]
fn marks_tell_what_is_wanted_and_where_it_matters_what_is() {
    let marked = |kind, version, label| mark::mark(kind, &child("a", version, label));
    assert_eq!(
        marked(Watched::StatefulSet, 1, ""),
        marked(Watched::StatefulSet, 2, "")
    );
    assert_ne!(
        marked(Watched::StatefulSet, 1, ""),
        marked(Watched::StatefulSet, 1, "x")
    );
    assert_ne!(marked(Watched::Pod, 1, ""), marked(Watched::Pod, 2, ""));
}

#[test]
fn the_mark_of_an_engine_outlives_a_round_trip_and_not_a_change() {
    let engine = json!({
        "apiVersion": "userengine.dev/v1alpha1", "kind": "UserEngine",
        "metadata": { "name": "alice", "namespace": "ns", "uid": "1", "generation": 3 },
        "spec": { "user": "alice" },
        "status": { "phase": "Ready", "className": "standard", "settled": "0123456789abcdef", "conditions": [{
            "type": "Ready", "status": "True", "reason": "AsExpected", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
        }] },
    });
    let sketch: EngineSketch = serde_json::from_value(engine.clone()).unwrap();
    assert_eq!(sketch.settled.as_deref(), Some("0123456789abcdef"));
    let of = |path: &str, value: serde_json::Value| {
        let mut engine = engine.clone();
        *engine.pointer_mut(path).unwrap() = value;
        serde_json::from_value::<EngineSketch>(engine).unwrap().mark
    };
    assert_eq!(of("/status/settled", json!("0")), sketch.mark);
    assert_ne!(of("/metadata/generation", json!(4)), sketch.mark);
    assert_ne!(of("/status/phase", json!("Starting")), sketch.mark);
    let now: UserEngineStatusNow = crate::clock::now().into();
    let sent = serde_json::to_value(&now.0).unwrap();
    let back: userengine_api::status::UserEngineStatus = serde_json::from_value(sent).unwrap();
    let metadata = ObjectMeta::default();
    assert_eq!(mark_of(&metadata, &now.0), mark_of(&metadata, &back));
}

/// A status whose times have fractions of a second, as ours have before they are sent.
struct UserEngineStatusNow(userengine_api::status::UserEngineStatus);

impl From<jiff::Timestamp> for UserEngineStatusNow {
    fn from(now: jiff::Timestamp) -> Self {
        let status = json!({ "conditions": [{ "type": "Ready", "status": "True", "reason": "x", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z" }] });
        let mut status: userengine_api::status::UserEngineStatus =
            serde_json::from_value(status).unwrap();
        status.conditions[0].last_transition_time.0 = now;
        Self(status)
    }
}

#[test]
fn the_answer_to_the_write_that_lets_a_child_go_brings_it_back_to_nobody() {
    let seen = Seen::default();
    let claim = |version| ObjectMeta {
        deletion_timestamp: Some(serde_json::from_value(json!("2026-06-01T12:00:00Z")).unwrap()),
        ..child("brain", version, "")
    };
    seen.show(Watched::PersistentVolumeClaim, &claim(1), Shown::Listed(1));
    seen.forget(Watched::PersistentVolumeClaim, &claim(3));
    seen.wrote("PersistentVolumeClaim", &claim(2));
    seen.gone(&alice());
    assert!(seen.entries().is_empty());
}
