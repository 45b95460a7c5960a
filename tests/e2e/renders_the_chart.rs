//! What the chart makes of its values.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, ensure};
use regex::Regex;
use serde_json::{Value, json};
use userengine_e2e::chart::{CHART, pack, render};

/// The kinds that are in a namespace. Those of all others are in none.
const NAMESPACED: [&str; 11] = [
    "ConfigMap",
    "Deployment",
    "Job",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "PodMonitor",
    "PrometheusRule",
    "Role",
    "RoleBinding",
    "Service",
    "ServiceAccount",
];

/// Releases whose names are no words in YAML, begin as no Service may, have dots, or end badly where they are cut.
const AWKWARD: [(&str, &str); 4] = [
    ("no", "2026"),
    ("2026", "no"),
    ("my.op", "off"),
    (
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa--x.y",
        "on",
    ),
];

/// Where alerts say that this is read.
const RUNBOOK: &str = "https://docs.example.com/operations.md";

/// Everything that can be enabled. Without the definitions, which are the same everywhere.
fn everything() -> Value {
    json!({
        "replicas": 2,
        "crds": { "install": false },
        "watchNamespaces": ["no", "2026"],
        "relay": {
            "enabled": true,
            "oauthRedirectBaseURL": "https://connect.example.com",
            "engineURLTemplate": "https://{name}.{namespace}.engines.example.com",
        },
        "monitoring": {
            "podMonitor": { "enabled": true, "labels": { "release": "on" } },
            "enginePodMonitor": { "enabled": true },
            "rules": { "enabled": true, "runbookURL": RUNBOOK, "keyMaxAgeSeconds": 7_776_000 },
            "dashboard": { "enabled": true },
        },
    })
}

fn manual() -> anyhow::Result<String> {
    Ok(fs::read_to_string("../docs/operations.md")?)
}

/// The texts under this pointer, of those that have one.
fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    let found = object.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let of_kind = objects
        .iter()
        .filter(|object| text(object, "/kind") == kind);
    of_kind.collect()
}

/// The rules of all groups.
fn alerts(objects: &[Value]) -> anyhow::Result<Vec<&Value>> {
    let rules = of_kind(objects, "PrometheusRule");
    let rules = rules.first().context("no rules")?;
    let groups = rules.pointer("/spec/groups").and_then(Value::as_array);
    let groups = groups.context("no groups")?.iter();
    let alerts = groups.filter_map(|group| group.get("rules")?.as_array());
    Ok(alerts.flatten().collect())
}

fn dashboard(objects: &[Value]) -> anyhow::Result<Value> {
    let maps = of_kind(objects, "ConfigMap");
    let map = maps.first().context("no dashboard")?;
    ensure!(text(map, "/metadata/labels/grafana_dashboard") == "1");
    Ok(serde_json::from_str(text(map, "/data/userengine.json"))?)
}

/// The metrics of ours that a text names.
fn metrics(text: &str) -> anyhow::Result<BTreeSet<String>> {
    let name = Regex::new(r"\b(userengine_operator|engine)_[a-z_]+")?;
    let names = name.find_iter(text).map(|found| found.as_str());
    let of_histogram = ["_bucket", "_sum", "_count"];
    let whole = |name: &str| {
        let mut ends = of_histogram.iter();
        let base = ends.find_map(|end| name.strip_suffix(end));
        // `engine_brain_open_count` is no histogram.
        base.filter(|base| base.ends_with("_seconds"))
            .unwrap_or(name)
            .to_owned()
    };
    Ok(names.map(whole).collect())
}

/// Every value that has to be a word, with the place where it stands.
fn words<'a>(value: &'a Value, place: &str, found: &mut Vec<(String, &'a Value)>) {
    const WORDS: [&str; 6] = [
        "name",
        "namespace",
        "serviceAccountName",
        "value",
        "image",
        "app.kubernetes.io/instance",
    ];
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let place = format!("{place}/{name}");
                if WORDS.contains(&name.as_str()) {
                    found.push((place.clone(), value));
                }
                words(value, &place, found);
            }
        }
        Value::Array(values) => {
            for value in values {
                words(value, place, found);
            }
        }
        _ => {}
    }
}

/// What an API server would find wrong with names and labels.
fn is_valid(object: &Value) -> anyhow::Result<()> {
    let mut found = Vec::new();
    words(object, "", &mut found);
    for (place, value) in found {
        ensure!(value.is_string(), "{place} is {value} in {object}");
    }
    let part = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
    let name = text(object, "/metadata/name");
    let is_name = Regex::new(&format!(r"^{part}(\.{part})*$"))?;
    ensure!(is_name.is_match(name) && name.len() <= 253, "{name}");
    if NAMESPACED.contains(&text(object, "/kind")) {
        ensure!(name.len() <= 63, "{name} is too long");
    }
    if text(object, "/kind") == "Service" {
        let is_label = Regex::new("^[a-z]([-a-z0-9]*[a-z0-9])?$")?;
        ensure!(is_label.is_match(name), "{name} is no name of a Service");
    }
    let is_value = Regex::new("^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")?;
    let labels = object
        .pointer("/metadata/labels")
        .and_then(Value::as_object);
    for (name, value) in labels.context("no labels")? {
        let value = value.as_str().context("no text")?;
        ensure!(is_value.is_match(value), "{name} is {value}");
    }
    Ok(())
}

#[tokio::test]
async fn awkward_names_give_objects_that_an_api_server_takes() -> anyhow::Result<()> {
    for release in AWKWARD {
        for watched in [json!([]), json!(["no", "2026"]), json!(["2026"])] {
            let mut values = everything();
            values["watchNamespaces"] = watched;
            let objects = render(CHART, release, &values).await?;
            for object in &objects {
                is_valid(object).with_context(|| format!("{release:?}"))?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_version_with_a_plus_gives_labels_and_images_that_may_be() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path().to_str().context("no text")?;
    let packed = pack("0.1.0+build.7", folder).await?;
    let objects = render(&packed, ("userengine", "system"), &everything()).await?;
    for object in &objects {
        is_valid(object)?;
    }
    for deployment in of_kind(&objects, "Deployment") {
        let image = text(deployment, "/spec/template/spec/containers/0/image");
        ensure!(image.ends_with(":0.1.0_build.7"), "{image}");
    }
    Ok(())
}

#[tokio::test]
async fn without_the_operator_a_release_is_the_relay_and_no_more() -> anyhow::Result<()> {
    let mut values = everything();
    // Also the definitions are the operator's.
    values["crds"]["install"] = json!(true);
    values["operator"] = json!({ "enabled": false });
    let objects = render(CHART, ("second", "system"), &values).await?;
    let kinds: BTreeSet<_> = objects.iter().map(|object| text(object, "/kind")).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        [
            "Deployment",
            "NetworkPolicy",
            "PodDisruptionBudget",
            "PodMonitor",
            "Service",
            "ServiceAccount"
        ]
    );
    for object in &objects {
        assert_eq!(text(object, "/metadata/name"), "second-relay");
        let of = &object["metadata"]["labels"]["app.kubernetes.io/name"];
        assert_eq!(of, "userengine-relay");
    }
    Ok(())
}

#[tokio::test]
async fn releases_of_one_name_share_nothing_that_is_in_no_namespace() -> anyhow::Result<()> {
    let mut found = Vec::new();
    for namespace in ["one", "two"] {
        for watched in [json!([]), json!([namespace])] {
            let mut values = everything();
            values["watchNamespaces"] = watched;
            let objects = render(CHART, ("userengine", namespace), &values).await?;
            let shared = objects
                .iter()
                .filter(|it| !NAMESPACED.contains(&text(it, "/kind")));
            let named = |object: &Value| {
                let name = text(object, "/metadata/name").to_owned();
                (namespace, text(object, "/kind").to_owned(), name)
            };
            found.extend(shared.map(named));
        }
    }
    ensure!(!found.is_empty());
    for (namespace, kind, name) in &found {
        let twice = found.iter().any(|(other, same_kind, same_name)| {
            other != namespace && same_kind == kind && same_name == name
        });
        ensure!(!twice, "{kind} {name} is made in two namespaces");
    }
    Ok(())
}

#[tokio::test]
async fn nothing_of_the_prometheus_operator_is_made_unless_asked_for() -> anyhow::Result<()> {
    let objects = render(CHART, ("userengine", "system"), &json!({})).await?;
    for object in &objects {
        let version = text(object, "/apiVersion");
        ensure!(!version.starts_with("monitoring.coreos.com"), "{object}");
    }
    ensure!(of_kind(&objects, "ConfigMap").is_empty());
    Ok(())
}

#[tokio::test]
async fn pods_are_scraped_by_ports_that_they_have() -> anyhow::Result<()> {
    let objects = render(CHART, ("userengine", "system"), &everything()).await?;
    let monitors = of_kind(&objects, "PodMonitor");
    assert_eq!(monitors.len(), 3);
    for monitor in monitors {
        let port = &monitor["spec"]["podMetricsEndpoints"][0]["port"];
        let wanted = &monitor["spec"]["selector"]["matchLabels"];
        if wanted["app.kubernetes.io/component"] == "engine" {
            let namespaces = &monitor["spec"]["namespaceSelector"];
            assert_eq!(namespaces, &json!({ "matchNames": ["no", "2026"] }));
            assert_eq!(port, "internal");
            continue;
        }
        let deployments = of_kind(&objects, "Deployment");
        let mut scraped = deployments
            .iter()
            .filter(|it| &it["spec"]["selector"]["matchLabels"] == wanted);
        let scraped = scraped.next().context("no such pods")?;
        let container = &scraped["spec"]["template"]["spec"]["containers"][0];
        let ports = container["ports"].as_array().context("no ports")?;
        ensure!(ports.iter().any(|it| &it["name"] == port), "no port {port}");
    }
    Ok(())
}

#[tokio::test]
async fn each_alert_says_what_it_means_and_where_to_read_on() -> anyhow::Result<()> {
    let objects = render(CHART, ("userengine", "system"), &everything()).await?;
    let manual = manual()?;
    let anchors: BTreeSet<_> = manual
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|heading| heading.trim_start_matches('#').trim().to_lowercase())
        .map(|heading| heading.replace(|c: char| !c.is_alphanumeric() && c != ' ', ""))
        .map(|heading| heading.replace(' ', "-"))
        .collect();
    let alerts = alerts(&objects)?;
    for alert in &alerts {
        for pointer in ["/labels/severity", "/annotations/summary"] {
            ensure!(!text(alert, pointer).is_empty(), "no {pointer} in {alert}");
        }
        ensure!(!text(alert, "/annotations/description").is_empty());
        let runbook = text(alert, "/annotations/runbook_url").strip_prefix(RUNBOOK);
        let anchor = runbook.and_then(|it| it.strip_prefix('#'));
        let anchor = anchor.with_context(|| format!("no runbook in {alert}"))?;
        ensure!(anchors.contains(anchor), "there is no heading {anchor}");
    }
    let rows = manual.lines().filter_map(|line| line.strip_prefix("| "));
    let names = rows.filter_map(|row| row.split(" |").next());
    let told: BTreeSet<_> = names.filter(|it| it.starts_with("UserEngine")).collect();
    let made: BTreeSet<_> = alerts.iter().map(|alert| text(alert, "/alert")).collect();
    assert_eq!(told, made, "docs/operations.md tells of others");
    Ok(())
}

#[tokio::test]
async fn alerts_point_nowhere_unless_told_where_and_tell_of_no_age_of_keys() -> anyhow::Result<()> {
    let mut values = everything();
    values["monitoring"]["rules"] = json!({ "enabled": true });
    let objects = render(CHART, ("userengine", "system"), &values).await?;
    for alert in alerts(&objects)? {
        assert_eq!(alert.pointer("/annotations/runbook_url"), None, "{alert}");
        assert_ne!(alert["alert"], "UserEngineKeyTooOld");
    }
    Ok(())
}

#[tokio::test]
async fn alerts_and_dashboard_ask_for_metrics_that_the_manual_names() -> anyhow::Result<()> {
    let objects = render(CHART, ("userengine", "system"), &everything()).await?;
    let known = metrics(&manual()?)?;
    let dashboard = dashboard(&objects)?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let queries = panels.iter().filter_map(|panel| {
        assert_eq!(text(panel, "/datasource/uid"), "${datasource}");
        panel["targets"].as_array()
    });
    let queries = queries.flatten().chain(alerts(&objects)?);
    for query in queries {
        let expression = text(query, "/expr");
        let asked = metrics(expression)?;
        ensure!(!asked.is_empty(), "{query} asks for nothing");
        ensure!(asked.is_subset(&known), "{expression}");
    }
    Ok(())
}

#[tokio::test]
async fn the_wait_before_an_uninstall_runs_where_the_operator_may() -> anyhow::Result<()> {
    let mut values = everything();
    values["podAnnotations"] = json!({ "example.com/sidecar": "no" });
    values["nodeSelector"] = json!({ "example.com/pool": "2026" });
    values["affinity"] = json!({ "nodeAffinity": { "example": [] } });
    let objects = render(CHART, ("userengine", "system"), &values).await?;
    let jobs = of_kind(&objects, "Job");
    let job = jobs.first().context("no job")?;
    let template = &job["spec"]["template"];
    let annotations = &template["metadata"]["annotations"];
    assert_eq!(annotations, &values["podAnnotations"]);
    for part in ["nodeSelector", "affinity"] {
        assert_eq!(template["spec"][part], values[part], "{part}");
    }
    Ok(())
}
