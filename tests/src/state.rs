//! What a namespace holds, without what differs from one run to the next: two runs of the same story end with the same text.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use regex::Regex;
use serde_json::{Map, Value, json};
use userengine_api::{UserEngine, labels};

use crate::local_operator::WINDOW;
use crate::{Namespace, at};

/// What every namespace has, and what a test puts there for itself.
const OTHERS: [&str; 3] = ["default", "kube-root-ca.crt", WINDOW];

/// All of it as text: an object a kind and name, with its labels, annotations, finalizers and owners, its spec or data, and
/// of its status what a story comes to.
pub async fn state(namespace: &Namespace) -> anyhow::Result<String> {
    let kinds = [
        ApiResource::erase::<UserEngine>(&()),
        ApiResource::erase::<PersistentVolumeClaim>(&()),
        ApiResource::erase::<Secret>(&()),
        ApiResource::erase::<ServiceAccount>(&()),
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<NetworkPolicy>(&()),
        ApiResource::erase::<PodDisruptionBudget>(&()),
        ApiResource::erase::<StatefulSet>(&()),
        ApiResource::erase::<Job>(&()),
        ApiResource::erase::<Pod>(&()),
    ];
    let lists = kinds.iter().map(|kind| async {
        let all: Api<DynamicObject> =
            Api::namespaced_with(namespace.client.clone(), &namespace.name, kind);
        let found = all.list(&ListParams::default()).await?;
        let found = found.items.into_iter().map(serde_json::to_value);
        let mut found: Vec<_> = found.collect::<Result<_, _>>()?;
        found.retain(|it| !OTHERS.iter().any(|name| at(it, "/metadata/name") == name));
        let found = found.iter().map(|it| essence(&kind.kind, it));
        anyhow::Ok(found.collect::<Vec<_>>())
    });
    let objects = futures::future::try_join_all(lists).await?.concat();
    let text = serde_json::to_string_pretty(&objects)?;
    nameless(&text.replace(&namespace.name, "NAMESPACE"))
}

/// The lines that `now` has more often than `before`, or less often, and by how much.
pub fn difference(before: &str, now: &str) -> String {
    let mut more = BTreeMap::<&str, i64>::new();
    for line in now.lines() {
        *more.entry(line).or_default() += 1;
    }
    for line in before.lines() {
        *more.entry(line).or_default() -= 1;
    }
    more.retain(|_, count| *count != 0);
    let lines = more.iter().map(|(line, count)| format!("{count:+} {line}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// What differs each time, and what stands for it.
type Patterns = Result<Vec<(Regex, &'static str)>, regex::Error>;

static NAMELESS: LazyLock<Patterns> = LazyLock::new(|| {
    [
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "TIME"),
        (r"(?-u:\b)[0-9a-f]{8,}(?-u:\b)", "HEX"),
    ]
    .into_iter()
    .map(|(pattern, instead)| Ok((Regex::new(pattern)?, instead)))
    .collect()
});

/// Without ids, hashes, keys' names and times.
fn nameless(text: &str) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    for (pattern, instead) in NAMELESS.as_ref().map_err(Clone::clone)? {
        text = pattern.replace_all(&text, *instead).into_owned();
    }
    Ok(text)
}

fn essence(kind: &str, object: &Value) -> Value {
    let mut short = Map::new();
    short.insert("kind".to_owned(), json!(kind));
    short.insert("name".to_owned(), at(object, "/metadata/name").clone());
    for field in ["labels", "annotations"] {
        short.insert(
            field.to_owned(),
            at(object, &format!("/metadata/{field}")).clone(),
        );
    }
    short.insert(
        "finalizers".to_owned(),
        sorted(at(object, "/metadata/finalizers")),
    );
    let owners = at(object, "/metadata/ownerReferences").as_array();
    let owners = owners.into_iter().flatten();
    let owners: Vec<_> = owners
        .map(|owner| json!([owner["kind"], owner["name"]]))
        .collect();
    short.insert("owners".to_owned(), json!(owners));
    short.insert(
        "goes".to_owned(),
        json!(!at(object, "/metadata/deletionTimestamp").is_null()),
    );
    let rest = match kind {
        "UserEngine" => {
            let acted_on = at(object, "/status/observedGeneration");
            let is_current = acted_on == at(object, "/metadata/generation");
            json!({ "spec": object["spec"], "status": said(&object["status"]), "current": is_current })
        }
        "Secret" => json!({ "type": object["type"], "data": lengths(&object["data"]) }),
        "ConfigMap" => json!({ "data": object["data"] }),
        // What it is made of stands in the StatefulSet.
        "Pod" => json!({ "ready": condition(&object["status"], "Ready") }),
        "StatefulSet" => json!({ "spec": object["spec"], "rolledOut": is_rolled_out(object) }),
        _ => {
            json!({ "spec": without(&object["spec"], &["clusterIP", "clusterIPs", "volumeName"]) })
        }
    };
    short.insert("rest".to_owned(), rest);
    if kind == "Pod" {
        // The StatefulSet's controller names the revision, whose hash is of what has other ids each time.
        short.remove("labels");
        // A kubelet that has looked at its mounts by itself is not nudged.
        let annotations = without(at(object, "/metadata/annotations"), &[labels::API_KEYS]);
        short.insert("annotations".to_owned(), annotations);
    }
    Value::Object(short)
}

fn sorted(names: &Value) -> Value {
    let mut names: Vec<_> = names.as_array().into_iter().flatten().cloned().collect();
    names.sort_by_key(ToString::to_string);
    json!(names)
}

/// What a status says, without its wording, which may name what was in between.
fn said(status: &Value) -> Value {
    let mut said = without(status, &["conditions", "observedGeneration"]);
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let conditions = conditions.map(|it| json!([it["type"], it["status"], it["reason"]]));
    if let Some(said) = said.as_object_mut() {
        said.insert("conditions".to_owned(), conditions.collect());
    }
    said
}

fn condition(status: &Value, kind: &str) -> Value {
    let all = status["conditions"].as_array().into_iter().flatten();
    let mut found = all.filter(|it| it["type"] == kind);
    found.next().map_or(Value::Null, |it| it["status"].clone())
}

fn is_rolled_out(set: &Value) -> bool {
    let number = |pointer: &str| at(set, pointer).as_u64().unwrap_or_default();
    let wanted = number("/spec/replicas");
    number("/status/observedGeneration") == number("/metadata/generation")
        && number("/status/readyReplicas") == wanted
        && number("/status/replicas") == wanted
        && at(set, "/status/currentRevision") == at(set, "/status/updateRevision")
}

/// A Secret is never shown: how long each of its values is says enough.
fn lengths(data: &Value) -> Value {
    let data = data.as_object().into_iter().flatten();
    let lengths = data.map(|(name, value)| {
        let length = value.as_str().map(str::len);
        (name.clone(), json!(length))
    });
    Value::Object(lengths.collect())
}

fn without(value: &Value, fields: &[&str]) -> Value {
    let mut value = value.clone();
    if let Some(value) = value.as_object_mut() {
        value.retain(|name, _| !fields.contains(&name.as_str()));
    }
    value
}

/// Nothing is on its way any more, as far as this text shows, and the operator has said so: for a run that there is nothing to
/// compare with yet.
pub fn is_at_rest(state: &str) -> anyhow::Result<bool> {
    let objects: Vec<Value> = serde_json::from_str(state).context("a state is JSON")?;
    Ok(objects.iter().all(|it| {
        let phase = at(it, "/rest/status/phase");
        it["goes"] == false
            && at(it, "/rest/rolledOut") != false
            && (it["kind"] != "Pod" || at(it, "/rest/ready") == "True")
            && (phase.is_null() || phase == "Ready" || phase == "Suspended")
            && (it["kind"] != "UserEngine" || !phase.is_null() && is_settled(it))
    }))
}

/// An engine that was changed since the last look, has not answered yet, waits for its turn to be restarted, or gets another API
/// key, is looked at again.
fn is_settled(engine: &Value) -> bool {
    let status = at(engine, "/rest/status");
    let has_answered = status["phase"] != "Ready" || !at(status, "/engine/version").is_null();
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let mut reasons = conditions.map(|it| &it[2]);
    at(engine, "/rest/current") == true
        && has_answered
        && !status["settled"].is_null()
        && at(status, "/apiKey/phase").is_null()
        && !reasons.any(|reason| reason == "RolloutQueued")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hashes_and_times_are_not_compared() {
        let a = r#""alice-key-0123456789", "at 2026-01-01T00:00:00Z by 8c7b0e1a-0000-4000-8000-0123456789ab""#;
        let b = r#""alice-key-abcdef0123", "at 2026-02-03T10:20:30.5Z by 11111111-2222-4333-8444-555555555555""#;
        assert_eq!(nameless(a).unwrap(), nameless(b).unwrap());
        assert_eq!(
            nameless(r#""engine:0.1.0", 128"#).unwrap(),
            r#""engine:0.1.0", 128"#
        );
    }

    #[test]
    fn a_secrets_content_is_not_shown() {
        let secret = json!({ "metadata": { "name": "a" }, "data": { "key": "c2VjcmV0" } });
        let shown = essence("Secret", &secret).to_string();
        assert!(
            !shown.contains("c2VjcmV0") && shown.contains(r#""key":8"#),
            "{shown}"
        );
    }

    #[test]
    fn what_is_there_once_more_is_a_difference() {
        assert_eq!(difference("a\nb\nc", "a\nb\nb\nd"), "+1 b\n-1 c\n+1 d");
        assert_eq!(difference("a\nb", "a\nb"), "");
    }

    #[test]
    fn what_goes_or_is_not_ready_is_not_at_rest() {
        let pod = |ready: &str| json!({ "metadata": { "name": "a-0" }, "status": { "conditions": [{ "type": "Ready", "status": ready }] } });
        let rests = |pod: &Value| is_at_rest(&json!([essence("Pod", pod)]).to_string()).unwrap();
        assert!(rests(&pod("True")) && !rests(&pod("False")));
        let mut going = pod("True");
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert!(!rests(&going));
    }

    #[test]
    fn an_engine_that_is_ready_is_at_rest_once_the_operator_has_nothing_left_to_do() {
        let conditions =
            |reason: &str| json!([{ "type": "ClassResolved", "status": "True", "reason": reason }]);
        let rests = |changed: &str, to: Value| {
            let mut engine = json!({ "metadata": { "generation": 2 }, "status": {
                "phase": "Ready", "observedGeneration": 2, "settled": "0123456789abcdef", "engine": { "version": "1" },
                "conditions": conditions("AsExpected"),
            } });
            *engine.pointer_mut(changed).unwrap() = to;
            is_at_rest(&json!([essence("UserEngine", &engine)]).to_string()).unwrap()
        };
        assert!(rests("/status/phase", json!("Ready")));
        assert!(!rests("/status/settled", Value::Null));
        assert!(
            !rests("/status/engine", Value::Null),
            "it has not answered yet"
        );
        assert!(
            !rests("/metadata/generation", json!(3)),
            "nobody has looked"
        );
        assert!(!rests("/status/conditions", conditions("RolloutQueued")));
    }
}
