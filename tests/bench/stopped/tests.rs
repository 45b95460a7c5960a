use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::copies::Copies;
use super::fixtures::{UID, applied, copies, stamp, template};
use super::mould::{Form, Mould};
use super::template::WORKSPACE;
use crate::by_hand::TEMPLATE;

const SIZE: usize = 203;

fn engines(copies: &Copies) -> Vec<&Mould> {
    copies.moulds("userengine.dev/v1alpha1", "userengines")
}

fn object(copies: &Copies, plural: &str, number: usize) -> Value {
    let mut moulds = copies.moulds("v1", plural);
    moulds.extend(
        engines(copies)
            .into_iter()
            .filter(|_| plural == "userengines"),
    );
    serde_json::from_str(&copies.object(moulds[0], number, Form::Whole)).unwrap()
}

/// Everything of a kind, page by page.
fn listed(copies: &Copies, moulds: &[&Mould], limit: usize) -> Vec<Value> {
    let (mut all, mut from) = (Vec::new(), Some(0));
    while let Some(place) = from {
        let page = copies.page(moulds, Form::Metadata, place, limit);
        let items: Vec<Value> = serde_json::from_str(&format!("[{}]", page.items)).unwrap();
        assert!(items.len() == limit || page.next.is_none());
        all.extend(items);
        from = page.next;
    }
    all
}

#[test]
fn every_object_is_in_a_list_once_whatever_the_size_of_its_pages() {
    let copies = copies(SIZE);
    let services = copies.moulds("v1", "services");
    let whole = listed(&copies, &services, usize::MAX);
    for part in ["name", "uid", "resourceVersion"] {
        let of =
            |one: &Value| format!("{}/{}", one["metadata"]["namespace"], one["metadata"][part]);
        let different: BTreeSet<_> = whole.iter().map(of).collect();
        assert_eq!(different.len(), 2 * SIZE, "{part}");
    }
    for limit in [1, 2, 7, 100, 2 * SIZE - 1, 2 * SIZE] {
        assert_eq!(listed(&copies, &services, limit), whole, "{limit}");
    }
    assert_eq!(listed(&copies, &[], 100), [] as [Value; 0]);
}

#[test]
fn an_object_is_found_by_the_name_under_which_it_is_listed() {
    let copies = copies(SIZE);
    let services = copies.moulds("v1", "services");
    for listed in listed(&copies, &services, 100) {
        let text = |part: &str| listed["metadata"][part].as_str().unwrap();
        let find = |namespace| copies.find(&services, namespace, text("name"));
        let (mould, number) = find(text("namespace")).unwrap();
        let found = copies.object(mould, number, Form::Metadata);
        assert_eq!(serde_json::from_str::<Value>(&found).unwrap(), listed);
        assert!(find("workspace-9").is_none());
    }
    for absent in ["engine-203", "engine-1-api-key", "engine-", "other"] {
        assert!(
            copies.find(&services, "workspace-2", absent).is_none(),
            "{absent}"
        );
    }
}

#[test]
fn a_copy_is_its_own_and_nothing_of_the_template_is_left() {
    let copies = copies(SIZE);
    let uid = object(&copies, "userengines", 150)["metadata"]["uid"].clone();
    let mut wanted = applied("engine-150", "workspace-1", uid.as_str().unwrap());
    let stamp =
        json!({ "metadata": { "annotations": { "userengine.dev/applied": stamp(&wanted) } } });
    json_patch::merge(&mut wanted, &stamp);
    let mut live = object(&copies, "configmaps", 150);
    assert_ne!(live["metadata"]["uid"], uid);
    for of_the_server in ["uid", "resourceVersion"] {
        live["metadata"]
            .as_object_mut()
            .unwrap()
            .remove(of_the_server);
    }
    assert_eq!(live, wanted);
    for plural in ["userengines", "configmaps", "services"] {
        let text = object(&copies, plural, 150).to_string();
        for word in [TEMPLATE, WORKSPACE, UID, "@"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
}

#[test]
fn an_engine_that_came_to_rest_says_so_and_whoever_watches_sees_it_once() {
    let copies = copies(SIZE);
    let engine = engines(&copies)[0];
    let settle = |digest: &str| {
        let mut status = object(&copies, "userengines", 5)["status"].clone();
        status["settled"] = digest.into();
        copies.settle(engine, 5, &status)
    };
    let before = copies.version();
    assert_eq!(copies.since(engine, before), (String::new(), before));
    let restless = object(&copies, "userengines", 5);
    assert_eq!(restless["status"]["settled"], Value::Null);
    settle("00000000000000aa").unwrap();
    settle("00000000000000ab").unwrap();
    let at_rest = object(&copies, "userengines", 5);
    assert_eq!(at_rest["status"]["settled"], "00000000000000ab");
    let (events, after) = copies.since(engine, before);
    let event: Value = serde_json::from_str(&events).unwrap();
    assert_eq!(event, json!({ "type": "MODIFIED", "object": at_rest }));
    assert_eq!(at_rest["metadata"]["resourceVersion"], after.to_string());
    assert_eq!(after, copies.version());
    assert_eq!(copies.since(engine, after), (String::new(), after));
    assert!(settle("no digest").is_err());
    let other = object(&copies, "userengines", 6);
    assert_eq!(other["status"]["settled"], Value::Null);
}

#[test]
fn a_status_that_differs_in_more_than_that_is_refused() {
    let copies = copies(SIZE);
    let status = json!({ "phase": "Ready", "settled": "00000000000000aa", "url": "https://x" });
    let refused = copies.settle(engines(&copies)[0], 5, &status).unwrap_err();
    assert!(refused.to_string().contains("engine 5"), "{refused}");
    assert_eq!(copies.version(), 4 * SIZE);
}

#[test]
fn a_template_with_a_stamp_of_something_else_is_none() {
    let mut template = template();
    for written in template.written.values_mut() {
        written["data"]["url"] = "https://other".into();
    }
    let refused = Mould::all(&template).err().unwrap();
    assert!(format!("{refused:#}").contains("its stamp"), "{refused:#}");
}

#[test]
fn a_template_in_which_a_hole_is_not_found_is_none() {
    let mut template = template();
    template.objects[3].1.metadata.namespace = Some("elsewhere".to_owned());
    let refused = Mould::all(&template).err().unwrap();
    assert!(
        format!("{refused:#}").contains("Namespace was not"),
        "{refused:#}"
    );
}
