//! Whether there was a brain, and who remembers it.

use super::*;
use crate::user_engine::fixtures::class;

/// Whether a brain that is not there may be made.
fn brain_mode(world: &World) -> Value {
    child(&world.plan(), ChildKind::ConfigMap).unwrap()["data"]["brain"].clone()
}

#[test]
fn an_engine_that_is_ready_is_told_that_there_is_a_brain_and_that_is_the_only_write() {
    let before = alive();
    assert_eq!(brain_mode(&before), "create");
    assert!(amendments(&before.plan()).is_empty());

    let after = alive().running();
    assert_eq!(
        names(&after.plan()),
        [CHILDREN.as_slice(), &["Nudge"]].concat()
    );
    assert_eq!(brain_mode(&after), "existing");
}

#[test]
fn whichever_of_claim_settings_and_status_is_left_remembers_a_brain() {
    let on_claim = Record {
        initialised: true,
        ..record()
    };
    let on_claim = world().claimed_with(&on_claim).with_key().with_api_key();
    let mut in_settings = alive().running().with_children();
    in_settings.0.pod = None;
    let in_status = alive().had_storage().engine(|engine| {
        let storage = engine.status.as_mut().unwrap().storage.as_mut();
        storage.unwrap().initialised = true;
    });
    // Whoever deletes the settings, or writes others, finds them as they were.
    let mut told_otherwise = alive().with_children();
    told_otherwise.0.engine = in_status.0.engine.clone();
    for (memory, world) in [
        ("claim", on_claim),
        ("settings", in_settings),
        ("status", in_status),
        ("status, and settings that say otherwise", told_otherwise),
    ] {
        assert_eq!(brain_mode(&world), "existing", "{memory}");
    }
    assert_eq!(brain_mode(&alive().had_storage().with_children()), "create");
}

#[test]
fn settings_of_somebody_else_say_nothing_of_this_engines_brain() {
    let remembers = |uid: Option<&str>| {
        let mut world = alive().running().with_children();
        world.0.pod = None;
        for child in world.0.children.values_mut() {
            let owners = child.metadata.owner_references.as_mut().unwrap();
            for owner in owners.iter_mut() {
                owner.uid = uid.unwrap_or_default().to_owned();
            }
            owners.retain(|_| uid.is_some());
        }
        world.0.record().unwrap().unwrap().initialised
    };
    let own = world().0.uid();
    assert!(remembers(Some(&own)));
    assert!(
        !remembers(Some("former")),
        "of the engine that was there before"
    );
    assert!(!remembers(None), "of nobody");
}

#[test]
fn a_pod_that_goes_says_nothing_of_a_new_brain() {
    assert_eq!(brain_mode(&alive().running().going()), "create");
}

#[test]
fn a_brain_that_was_born_under_another_engine_was_made_unless_its_claim_denies_it() {
    let inherited = |initialised: Option<&str>| {
        alive().claim(|claim| {
            let annotations = claim.annotations_mut();
            annotations.insert(labels::DATABASE_ID.to_owned(), "another".to_owned());
            annotations.remove(labels::INITIALISED);
            let said = initialised.map(|text| (labels::INITIALISED.to_owned(), text.to_owned()));
            annotations.extend(said);
        })
    };
    for (said, mode) in [
        (None, "existing"),
        (Some("true"), "existing"),
        (Some("false"), "create"),
    ] {
        let world = inherited(said);
        let record = world.0.record().unwrap().unwrap();
        assert_eq!(record.initialised, mode == "existing", "{said:?}");
    }
}

#[test]
fn the_next_write_of_the_record_says_that_there_is_a_brain_and_none_takes_it_back() {
    let moved = |world: World| {
        let world = world
            .classes([
                class("standard", true, &json!({})),
                class("large", false, &json!({})),
            ])
            .spec(&json!({ "className": "large" }));
        amendments(&world.plan())[0]["metadata"]["annotations"].clone()
    };
    assert_eq!(moved(alive()), json!({ labels::CLASS: "large" }));
    assert_eq!(
        moved(alive().running()),
        json!({ labels::CLASS: "large", labels::INITIALISED: "true" })
    );
    assert_eq!(moved(alive().denied()), json!({ labels::CLASS: "large" }));
}

#[test]
fn a_claim_that_denies_its_brain_is_put_right_once_there_is_one() {
    assert!(amendments(&alive().denied().plan()).is_empty());
    assert_eq!(
        amendments(&alive().denied().running().plan())[0]["metadata"]["annotations"],
        json!({ labels::INITIALISED: "true" })
    );
}
