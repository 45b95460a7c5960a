//! The rotation of an API key, as the operator goes through it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use userengine_api::layout::secret;
use zeroize::Zeroizing;

use super::rotating::{built, known};
use super::*;
use crate::user_engine::api_key::{Change, Keys, News, short};
use crate::user_engine::inside::Inside;
use crate::user_engine::observe::{api_key_hash, ours};
use crate::user_engine::observed::NextKey;

/// The key that an engine is born with.
const FIRST: &str = "first-key";

/// Does what `apply` and the API server do, with a next key that is named after the rotation's id.
pub(super) fn turn(seen: &mut Observed, change: &Change) {
    let ApiKeySecret::Ours(before) = &seen.api_key else {
        panic!("no Secret")
    };
    let drawn = (change.keys == Keys::Draw).then(|| {
        let key = format!("key-of-{}", change.record.open.as_ref().unwrap().id);
        NextKey {
            hash: api_key_hash(&key),
            key: Zeroizing::new(key),
        }
    });
    let patch = build::api_key_change(before, change, drawn.as_ref()).unwrap();
    assert_eq!(patch["metadata"]["resourceVersion"], json!(before.version));
    let mut object = written(before);
    json_patch::merge(&mut object, &patch);
    for (name, text) in object["stringData"].take().as_object().unwrap() {
        object["data"][name] = encoded(text.as_str().unwrap());
    }
    object["metadata"]["resourceVersion"] = json!(format!("{}1", before.version.as_ref().unwrap()));
    seen.api_key = ours(serde_json::from_value(object).unwrap());
}

fn encoded(text: &str) -> Value {
    json!(STANDARD.encode(text))
}

#[test]
fn white_space_around_a_key_is_none_of_it() {
    let read = |key: &str| {
        let object = json!({ "metadata": {}, "data": { secret::API_KEY: encoded(key), secret::NEXT_API_KEY: encoded(key) } });
        match ours(serde_json::from_value(object).unwrap()) {
            ApiKeySecret::Ours(secret) => (secret.key_hash, secret.next.map(|next| next.hash)),
            _ => panic!("it is the engine's own"),
        }
    };
    let hash = Some(api_key_hash(FIRST));
    assert_eq!(read(&format!(" {FIRST}\r\n")), (hash.clone(), hash));
    assert_eq!(read(" \n"), (None, None));
}

/// The Secret that is read so. Which key it holds is known by its hash.
fn written(seen: &OurApiKey) -> Value {
    let known = [FIRST, "key-of-r-1", "key-of-r-2"];
    let key = known
        .into_iter()
        .find(|key| Some(api_key_hash(key)) == seen.key_hash);
    let mut object = json!({
        "metadata": {
            "resourceVersion": seen.version,
            "annotations": { labels::API_KEY_ROTATION: seen.record.text() },
        },
        "data": {
            secret::API_KEY: encoded(key.unwrap()),
            secret::API_KEY_HASHES: encoded(&seen.hashes),
        },
    });
    if let Some(next) = &seen.next {
        object["data"][secret::NEXT_API_KEY] = encoded(&next.key);
    }
    object
}

/// An engine that serves with its first key, and is asked for rotation `r-1` with an overlap of 60 s.
fn asked() -> World {
    let mut world = built(known().running());
    let hash = api_key_hash(FIRST);
    world.0.api_key = ApiKeySecret::Ours(Box::new(OurApiKey {
        key_hash: Some(hash.clone()),
        hashes: hash,
        ..api_key()
    }));
    ask(world, "r-1")
}

fn ask(world: World, id: &str) -> World {
    world.spec(&json!({ "apiKey": { "rotationId": id, "overlap": "60s" } }))
}

fn secret_of(World(seen): &World) -> &OurApiKey {
    match &seen.api_key {
        ApiKeySecret::Ours(secret) => secret,
        other => panic!("{other:?}"),
    }
}

/// The engine says that it accepts what the Secret gave it by now.
fn delivered(mut world: World) -> World {
    let hashes = secret_of(&world).hashes.clone();
    says(&mut world, hashes.split(',').map(short).collect());
    world
}

fn says(world: &mut World, api_key_hashes: Vec<String>) {
    world.0.proof = Some(Inside {
        version: "0.1.0".to_owned(),
        write_kid: key(1).kid(),
        held_kids: Vec::new(),
        rows_by_kid: std::collections::BTreeMap::new(),
        last_verify: None,
        api_key_hashes,
    });
}

/// Looks and writes until nothing is left to write for now, and gives what was told.
fn reconcile(world: &mut World) -> Vec<News> {
    let mut told = Vec::new();
    for _ in 0..8 {
        let plan = world.plan();
        carry_all_out(world, &plan.steps);
        told.extend(plan.api_key_news);
        if !plan.again {
            return told;
        }
    }
    panic!("it never comes to rest")
}

fn id(text: &str) -> userengine_rotation::request::RotationId {
    text.to_owned().try_into().unwrap()
}

fn at(mut world: World, seconds: i64) -> World {
    world.0.now = jiff::Timestamp::from_second(seconds).unwrap();
    world
}

fn nudges(world: &World) -> Vec<Value> {
    let steps = world.plan().steps.into_iter();
    let nudges = steps.filter_map(|step| match step {
        Step::Nudge(patch) => Some(patch["metadata"]["annotations"].clone()),
        _ => None,
    });
    nudges.collect()
}

#[test]
fn a_request_that_a_first_key_meets_is_told_after_another_look() {
    let mut world = asked();
    world.0.api_key = ApiKeySecret::Absent;
    assert!(world.plan().again);
    let mut unasked = built(known().running());
    unasked.0.api_key = ApiKeySecret::Absent;
    assert!(names(&unasked.plan()).contains(&"MintApiKey") && !unasked.plan().again);
}

#[test]
fn each_of_its_writes_comes_last_and_holds_nothing_up() {
    let plan = asked().plan();
    assert_eq!(
        (names(&plan).last(), plan.again),
        (Some(&"TurnApiKey"), true)
    );
    assert!(names(&plan).contains(&"StatefulSet"));
}

#[test]
fn a_former_key_whose_time_is_up_goes_whatever_comes_of_the_other_steps() {
    let mut world = asked();
    reconcile(&mut world);
    let mut world = delivered(world);
    reconcile(&mut world);
    // Something else has to be written first, and may be refused for ever.
    let unnamed = delivered(at(world, 61))
        .claim(|claim| drop(kube::ResourceExt::annotations_mut(claim).remove(labels::CLASS)));
    let plan = unnamed.plan();
    let is_urgent = |step: &Step| matches!(step, Step::TurnApiKey(_));
    assert!(plan.urgent.iter().any(is_urgent), "{plan:?}");
}

#[test]
fn a_rotation_goes_from_key_to_key_and_tells_each_turn_once() {
    let mut world = asked();
    assert_eq!(reconcile(&mut world), [News::Started(id("r-1"))]);
    let (first, next) = (api_key_hash(FIRST), api_key_hash("key-of-r-1"));
    assert_eq!(secret_of(&world).hashes, format!("{first},{next}"));
    assert_eq!(secret_of(&world).key_hash.as_ref(), Some(&first));
    assert_eq!(reconcile(&mut world), [], "the engine has not said a word");

    let mut world = delivered(world);
    assert_eq!(reconcile(&mut world), [News::Rotated(id("r-1"), 60)]);
    assert_eq!(secret_of(&world).hashes, format!("{next},{first}"));
    assert_eq!(secret_of(&world).key_hash.as_ref(), Some(&next));
    assert_eq!(secret_of(&world).next, None, "it is in one place only");

    let mut world = at(delivered(world), 60);
    assert_eq!(reconcile(&mut world), []);
    let mut world = at(world, 61);
    assert_eq!(reconcile(&mut world), [], "the engine may still accept it");
    assert_eq!(secret_of(&world).hashes, next);
    let mut world = delivered(world);
    assert_eq!(reconcile(&mut world), [News::Retired(id("r-1"))]);

    let version = secret_of(&world).version.clone();
    assert_eq!(reconcile(&mut world), []);
    assert_eq!(secret_of(&world).version, version, "the same id again");
    assert_eq!(
        reconcile(&mut ask(world, "r-2")),
        [News::Started(id("r-2"))]
    );
}

#[test]
fn an_engine_that_sleeps_has_its_next_key_at_once() {
    let mut world = asked().suspended();
    world.0.pod = None;
    let told = [News::Started(id("r-1")), News::Rotated(id("r-1"), 60)];
    assert_eq!(reconcile(&mut world), told);
    let mut world = at(world, 61);
    assert_eq!(reconcile(&mut world), [News::Retired(id("r-1"))]);
    assert_eq!(secret_of(&world).hashes, api_key_hash("key-of-r-1"));
}

#[test]
fn an_engine_that_is_told_to_sleep_and_still_runs_is_waited_for() {
    let mut world = asked().suspended();
    assert_eq!(reconcile(&mut world), [News::Started(id("r-1"))]);
}

#[test]
fn the_kubelet_is_told_once_to_bring_what_the_engine_has_not_got() {
    let mut world = asked();
    let before = secret_of(&world).hashes.clone();
    reconcile(&mut world);
    assert_eq!(nudges(&world), [] as [Value; 0], "the engine was not asked");
    says(&mut world, vec![short(&before)]);
    let wanted = format!("{}.{}", short(&before), short(&api_key_hash("key-of-r-1")));
    assert_eq!(nudges(&world), [json!({ labels::API_KEYS: wanted })]);
    reconcile(&mut world);
    assert_eq!(nudges(&world), [] as [Value; 0]);
    // When they have changed their places, it is told without a question.
    let mut world = delivered(world);
    reconcile(&mut world);
    let told = world.0.pod.as_ref().unwrap().annotations();
    let wanted = format!("{}.{}", short(&api_key_hash("key-of-r-1")), short(&before));
    assert_eq!(told.get(labels::API_KEYS), Some(&wanted));
    // One that goes reads nothing more.
    let mut world = asked().going();
    reconcile(&mut world);
    says(&mut world, vec![short(&before)]);
    assert_eq!(nudges(&world), [] as [Value; 0]);
}

#[test]
fn a_pause_holds_a_rotation_where_it_is() {
    assert_eq!(asked().paused().plan(), Plan::default());
    let mut world = asked();
    reconcile(&mut world);
    assert_eq!(delivered(world).paused().plan(), Plan::default());
}

#[test]
fn an_engine_that_is_blocked_begins_none_and_ends_what_has_begun() {
    let block = |mut world: World| {
        world.0.keys.clear();
        world
    };
    assert_eq!(reconcile(&mut block(asked())), []);
    let mut world = asked();
    reconcile(&mut world);
    let mut world = delivered(block(world).classes([]));
    assert_eq!(reconcile(&mut world), [News::Rotated(id("r-1"), 60)]);
    let mut world = at(world, 61);
    reconcile(&mut world);
    let pod = world.0.pod.as_ref().unwrap();
    let left = short(&api_key_hash("key-of-r-1"));
    assert_eq!(pod.annotations().get(labels::API_KEYS), Some(&left));
    assert_eq!(reconcile(&mut delivered(world)), [News::Retired(id("r-1"))]);
}

#[test]
fn hashes_that_somebody_changed_meanwhile_are_mended() {
    let mut world = asked();
    reconcile(&mut world);
    let should = secret_of(&world).hashes.clone();
    let mut spoilt = secret_of(&world).clone();
    spoilt.hashes = api_key_hash(FIRST);
    assert_eq!(spoilt.hashes_with(&api_key_hash(FIRST)), should);
    world.0.api_key = ApiKeySecret::Ours(Box::new(spoilt));
    assert!(names(&world.plan()).contains(&"MendApiKey"));
}

#[test]
fn a_key_that_is_made_while_a_rotation_is_asked_for_satisfies_it() {
    let world = ask(known().running(), "r-1");
    let made = build::api_key_secret(&world.0, FIRST, &api_key_hash(FIRST));
    let annotations = serde_json::from_value(made["metadata"]["annotations"].clone()).unwrap();
    let record = crate::user_engine::api_key::Record::parse(&annotations);
    assert_eq!(record.done, Some(id("r-1")));
}

#[test]
fn what_is_written_names_the_key_in_one_place_only() {
    let mut world = asked();
    reconcile(&mut world);
    let object = written(secret_of(&world)).to_string();
    let (key, next) = (encoded(FIRST), encoded("key-of-r-1"));
    for text in [key.as_str().unwrap(), next.as_str().unwrap()] {
        assert_eq!(object.matches(text).count(), 1, "{object}");
    }
    assert!(!format!("{:?}", world.0.api_key).contains("key-of"));
}
