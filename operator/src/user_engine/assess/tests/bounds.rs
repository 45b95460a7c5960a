//! What an engine asks for itself, and the bounds of its class.

use userengine_api::engine_class::Amounts;

use super::*;

fn bounded() -> Value {
    json!({
        "allowedImages": ["registry.example.com/engine:", "registry.example.com/next/"],
        "maxResources": { "cpu": "2", "memory": "1Gi" },
        "allowedEnv": ["GREETING"],
        "allowedEnvFrom": { "secretNames": ["extra"], "configMapNames": ["more"] },
    })
}

/// An engine that runs and asks for this.
fn asks(fields: &Value) -> World {
    alive().class(&bounded()).with_children().spec(fields)
}

fn from(kind: &str, name: &str) -> Value {
    json!({ "envFrom": [{ "prefix": "EXTRA_", kind: { "name": name } }] })
}

pub fn situations() -> Vec<Situation> {
    let of: fn(&Assessment) -> &Finding = |all| &all.class;
    let goes_on = |fields: Value, reason, words: &'static [&'static str]| {
        (asks(&fields), of, reason, Severity::Fine, words)
    };
    let blocked = |world: World, reason, words: &'static [&'static str]| {
        (world, of, reason, Severity::Blocked, words)
    };
    let other = json!({ "image": "registry.example.com/other:1" });
    let limits = |limits: Value| json!({ "resources": { "limits": limits } });
    vec![
        goes_on(
            other.clone(),
            Reason::ImageNotAllowed,
            &[
                "spec.image 'registry.example.com/other:1'",
                "'standard'",
                "(registry.example.com/engine:1, registry.example.com/engine:, registry.example.com/next/)",
                "the engine stays as it is",
            ],
        ),
        goes_on(
            limits(json!({ "memory": "2Gi" })),
            Reason::ResourcesOutOfBounds,
            &[
                "spec.resources.limits.memory 2Gi",
                "the 1Gi that EngineClass 'standard' allows",
                "ask for what it allows",
            ],
        ),
        goes_on(
            limits(json!({ "cpu": "2001m" })),
            Reason::ResourcesOutOfBounds,
            &[
                "spec.resources.limits.cpu 2001m",
                "the 2 that EngineClass 'standard' allows",
            ],
        ),
        goes_on(
            limits(json!({ "memory": "16Mi" })),
            Reason::ResourcesOutOfBounds,
            &[
                "spec.resources.requests.memory 32Mi",
                "limit of 16Mi that it comes with",
            ],
        ),
        goes_on(
            json!({ "env": [{ "name": "GREETING" }, { "name": "OTHER" }] }),
            Reason::EnvNotAllowed,
            &["spec.env 'OTHER'", "EngineClass 'standard'", "(GREETING)"],
        ),
        goes_on(
            from("secretRef", "more"),
            Reason::EnvNotAllowed,
            &["Secret 'more' of spec.envFrom", "(extra)"],
        ),
        goes_on(
            from("configMapRef", "extra"),
            Reason::EnvNotAllowed,
            &["ConfigMap 'extra' of spec.envFrom", "(more)"],
        ),
        blocked(
            world().spec(&other),
            Reason::ImageNotAllowed,
            &["(registry.example.com/engine:1)", "not started until then"],
        ),
        blocked(
            alive().spec(&from("secretRef", "extra")),
            Reason::EnvNotAllowed,
            &["Secret 'extra'", "(none)", "not started until then"],
        ),
    ]
}

#[test]
fn what_is_within_the_bounds_is_what_the_engine_gets() {
    let asked = json!({
        "image": "registry.example.com/engine:2",
        "resources": { "requests": { "cpu": "500m" }, "limits": { "cpu": "2000m", "memory": "1024Mi" } },
        "env": [{ "name": "GREETING" }],
        "envFrom": from("secretRef", "extra")["envFrom"],
    });
    let assessment = asks(&asked).assess();
    assert_eq!(
        assessment.class.reason,
        Reason::AsExpected,
        "{}",
        assessment.class.message
    );
    assert!(assessment.kept.is_none());
    let spec = assessment.resolved.unwrap().spec;
    assert_eq!(spec.image, "registry.example.com/engine:2");
    let Amounts { cpu, memory } = spec.resources.requests;
    assert_eq!((cpu.as_str(), memory.as_str()), ("500m", "32Mi"));
    let Amounts { cpu, memory } = spec.resources.limits;
    assert_eq!((cpu.as_str(), memory.as_str()), ("2000m", "1024Mi"));
}

/// A class says what it gives; only what it says besides allows more.
#[test]
fn a_class_without_bounds_allows_what_it_gives_itself() {
    let given = json!({ "image": "registry.example.com/engine:1", "resources": { "limits": { "cpu": "1000m", "memory": "256Mi" } } });
    assert_eq!(
        world().spec(&given).assess().class.reason,
        Reason::AsExpected
    );
    let more = json!({ "resources": { "limits": { "memory": "257Mi" } } });
    let reason = world().spec(&more).assess().class.reason;
    assert_eq!(reason, Reason::ResourcesOutOfBounds);
}

#[test]
fn a_message_lists_a_few_names_and_counts_the_others() {
    let names: Vec<_> = (0..20).map(|n| format!("V{n}")).collect();
    let world = world().class(&json!({ "allowedEnv": names }));
    let message = world
        .spec(&json!({ "env": [{ "name": "OTHER" }] }))
        .assess()
        .class
        .message;
    assert!(message.contains("V6, V7 and 12 more)"), "{message}");
}

#[test]
fn an_engine_that_keeps_its_pod_is_as_ready_as_it_is() {
    let serving = asks(&json!({ "image": "registry.example.com/other:1" })).running();
    assert_eq!(serving.assess().ready().reason, Reason::AsExpected);
    let asleep = serving.suspended();
    assert_eq!(asleep.assess().ready().reason, Reason::Stopping);
}
