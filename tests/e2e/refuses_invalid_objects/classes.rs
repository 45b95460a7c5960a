//! EngineClasses that cannot work, for other reasons than their addresses.

use serde_json::{Value, json};

use super::row::{Row, class, each, row, without};

/// New ones.
pub fn rows() -> Vec<Row> {
    [
        images(),
        amounts(),
        storage(),
        keys(),
        bounds(),
        scheduling(),
        rest(),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn images() -> Vec<Row> {
    let image = |image: Value| class("/spec/image", image);
    let form = &["spec.image", "a reference without spaces, with an optional digest of 64 hex digits"];
    let pull = class("/spec/imagePullPolicy", json!("Sometimes"));
    let secrets = class("/spec/imagePullSecrets", json!(vec!["s"; 9]));
    [
        row("no image", without(image(Value::Null), "/spec", "image"), &["spec.image", "Required"]),
        row("an image of 513 characters", image(json!("i".repeat(513))), &["spec.image", "512"]),
        row("an unknown pull policy", pull, &["spec.imagePullPolicy", "\"IfNotPresent\""]),
        row("nine pull secrets", secrets, &["spec.imagePullSecrets", "8"]),
        each(
            form,
            image,
            [("an empty image", json!("")), ("an image with a space", json!("engine :1")), ("a digest that is too short", json!("engine@sha256:0123"))],
        ),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn amounts() -> Vec<Row> {
    let cpu = |cpu: Value| class("/spec/resources/limits", json!({ "cpu": cpu, "memory": "64Mi" }));
    let memory = |memory: Value| class("/spec/resources/limits", json!({ "cpu": "1", "memory": memory }));
    let cpu_form = &["spec.resources.limits.cpu", "such as 1 or 250m"];
    let memory_form = &["spec.resources.limits.memory", "a whole number above 0 and a unit", "such as 64Mi"];
    let half = class("/spec/resources/limits", json!({ "cpu": "1" }));
    [
        row("limits without memory", half, &["spec.resources.limits.memory", "Required"]),
        row("less CPU than is set aside", cpu(json!("5m")), &["requests.cpu must not be above limits.cpu"]),
        row("less memory than is set aside", memory(json!("16Mi")), &["requests.memory must not be above limits.memory"]),
        each(cpu_form, cpu, [("no CPU at all", json!("0")), ("a fraction of a CPU", json!("1.5")), ("letters for CPUs", json!("abc"))]),
        each(memory_form, memory, [("memory without a unit", json!("64")), ("memory in a unit that does not exist", json!("64MB"))]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn storage() -> Vec<Row> {
    let of = |storage: Value| class("/spec/storage", storage);
    let above = &["spec.storage", "maxSize must not be smaller than size"];
    [
        each(
            above,
            of,
            [("a maximum below the size", json!({ "size": "2Gi", "maxSize": "1Gi" })), ("a maximum below the default size", json!({ "maxSize": "1Mi" }))],
        ),
        each(&["spec.storage.maxSize", "such as 1Gi"], of, [("a maximum that is no size", json!({ "maxSize": "much" }))]),
        each(&["spec.storage.accessMode", "\"ReadWriteOncePod\""], of, [("a volume for many pods", json!({ "accessMode": "ReadWriteMany" }))]),
        each(&["spec.storage.storageClassName", "the name of a StorageClass"], of, [("a StorageClass in upper case", json!({ "storageClassName": "Fast" }))]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn keys() -> Vec<Row> {
    let of = |keys: Value| class("/spec/keys", keys);
    [
        row("a class whose keys grow old at once", of(json!({ "maxAge": "1s" })), &["spec.keys.maxAge", "at least 1h"]),
        each(&["spec.keys.retainRetired", "such as 168h"], |time| of(json!({ "retainRetired": time })), [("a time in days", json!("7d")), ("a negative time", json!("-1h")), ("no time at all", json!(""))]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn bounds() -> Vec<Row> {
    let images = |images: Value| class("/spec/allowedImages", images);
    let env = |names: Value| class("/spec/allowedEnv", names);
    let from = |field: &str, name: &str| class("/spec/allowedEnvFrom", json!({ field: [name] }));
    let most = |most: Value| class("/spec/maxResources", most);
    [
        row("33 images", images(json!((0..33).map(|n| format!("i{n}/")).collect::<Vec<_>>())), &["spec.allowedImages", "32"]),
        row("65 variables", env(json!((0..65).map(|n| format!("V{n}")).collect::<Vec<_>>())), &["spec.allowedEnv", "64"]),
        row("a variable twice", env(json!(["A", "A"])), &["spec.allowedEnv[1]", "Duplicate"]),
        row("a variable with a hyphen", env(json!(["A-B"])), &["allowedEnv: the name of a variable"]),
        row("a variable that the operator sets", env(json!(["A", "PUBLIC_URL"])), &["allowedEnv: no variable that the engine itself reads"]),
        row("a Secret in upper case", from("secretNames", "Extra"), &["secretNames: the name of a Secret"]),
        row("a ConfigMap in upper case", from("configMapNames", "More"), &["configMapNames: the name of a ConfigMap"]),
        row("a maximum of memory alone", most(json!({ "memory": "1Gi" })), &["spec.maxResources.cpu", "Required"]),
        row("less CPU than the class gives", most(json!({ "cpu": "999m", "memory": "1Gi" })), &["maxResources.cpu must not be below resources.limits.cpu"]),
        row("less memory than the class gives", most(json!({ "cpu": "1", "memory": "255Mi" })), &["maxResources.memory must not be below resources.limits.memory"]),
        each(&["allowedImages: each entry is an image, or a prefix"], images, [("every image", json!([""])), ("any image below nothing", json!(["/"])), ("an image with a space", json!(["a b/"]))]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn scheduling() -> Vec<Row> {
    let of = |toleration: Value| class("/spec/tolerations", json!([toleration]));
    let spread = |spread: Value| class("/spec/topologySpreadConstraints", json!([spread]));
    let zone = |skew: i32| json!({ "maxSkew": skew, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule" });
    let many: serde_json::Map<_, _> = (0..17).map(|n| (format!("l{n}"), json!("v"))).collect();
    [
        row("a RuntimeClass in upper case", class("/spec/runtimeClassName", json!("Gvisor")), &["runtimeClassName: the name of a RuntimeClass"]),
        row("a PriorityClass in upper case", class("/spec/priorityClassName", json!("High")), &["priorityClassName: the name of a PriorityClass"]),
        row("17 labels of nodes", class("/spec/nodeSelector", json!(many)), &["spec.nodeSelector", "16"]),
        row("a label's value with a space", class("/spec/nodeSelector", json!({ "pool": "a b" })), &["spec.nodeSelector.pool"]),
        row("17 tolerations", class("/spec/tolerations", json!(vec![json!({ "operator": "Exists" }); 17])), &["spec.tolerations", "16"]),
        row("a toleration of every key with one value", of(json!({ "value": "v" })), &["without a key, operator is Exists"]),
        row("a toleration of any value with a value", of(json!({ "key": "k", "operator": "Exists", "value": "v" })), &["with operator Exists there is no value"]),
        row("a toleration for a while of what never drives away", of(json!({ "key": "k", "effect": "NoSchedule", "tolerationSeconds": 1 })), &["tolerationSeconds goes with effect NoExecute only"]),
        row("a toleration of an unknown effect", of(json!({ "key": "k", "effect": "Never" })), &["spec.tolerations[0].effect", "\"NoSchedule\""]),
        row("a taint's key with a space", of(json!({ "key": "a b" })), &["tolerations: a key is a name"]),
        row("no skew at all", spread(zone(0)), &["spec.topologySpreadConstraints[0].maxSkew", "greater than or equal to 1"]),
        row("a spread over nothing", spread(json!({ "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule" })), &["spec.topologySpreadConstraints[0].topologyKey", "Required"]),
        row("a spread twice", class("/spec/topologySpreadConstraints", json!([zone(1), zone(2)])), &["spec.topologySpreadConstraints[1]", "Duplicate"]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn rest() -> Vec<Row> {
    let grace = |seconds: Value| class("/spec/terminationGracePeriodSeconds", seconds);
    let name = |name: Value| class("/metadata/name", name);
    [
        row("a rollout that never begins", class("/spec/rollout", json!({ "maxConcurrent": 0 })), &["spec.rollout.maxConcurrent", "greater than or equal to 1"]),
        row("a rollout of too many", class("/spec/rollout", json!({ "maxConcurrent": 10001 })), &["spec.rollout.maxConcurrent", "less than or equal to 10000"]),
        row("too little time to stop", grace(json!(4)), &["spec.terminationGracePeriodSeconds", "greater than or equal to 5"]),
        row("too much time to stop", grace(json!(601)), &["spec.terminationGracePeriodSeconds", "less than or equal to 600"]),
        row("an unknown log level", class("/spec/logLevel", json!("verbose")), &["spec.logLevel", "\"info\""]),
        row("a class's name with a dot", name(json!("a.b")), &["metadata.name: no dots", "spec.className"]),
        row("a class's name of 64 characters", name(json!("c".repeat(64))), &["metadata.name: at most 63 characters"]),
    ]
    .concat()
}

/// Changes of the largest one.
#[rustfmt::skip] // a table: one row a line
pub fn changes() -> Vec<Row> {
    let of = |spec: Value| json!({ "spec": spec });
    [
        row("an image taken away", of(json!({ "image": null })), &["spec.image", "Required"]),
        row("a size above the maximum", of(json!({ "storage": { "maxSize": "1Gi" } })), &["spec.storage", "maxSize must not be smaller than size"]),
        row("a limit below what is set aside", of(json!({ "resources": { "limits": { "cpu": "1" } } })), &["requests.cpu must not be above limits.cpu"]),
        row("an address that all engines share", of(json!({ "publicURL": "https://engines.example.com" })), &["two engines must not share an address"]),
    ]
    .concat()
}
