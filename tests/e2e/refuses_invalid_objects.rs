//! What cannot work is refused at the door, in words that name the field and the cure.

use anyhow::{Context as _, ensure};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use userengine_api::{EngineClass, UserEngine};
use userengine_e2e::{Namespace, in_namespace};

/// An object, or a change of one, that the API server must refuse.
#[derive(Clone)]
struct Row {
    /// What is wrong.
    wrong: &'static str,
    /// The object, or the merge patch.
    json: Value,
    /// What its answer must say.
    words: &'static [&'static str],
}

#[tokio::test]
async fn refuses_invalid_objects() -> anyhow::Result<()> {
    in_namespace("refuses", |namespace| async move {
        let classes = Door::new(Api::all_with(
            namespace.client.clone(),
            &ApiResource::erase::<EngineClass>(&()),
        ));
        // The class lives outside the namespace, so its name is the namespace's.
        let result = check(&namespace, &classes).await;
        let _ = classes
            .api
            .delete(&namespace.name, &DeleteParams::default())
            .await;
        result
    })
    .await
}

async fn check(namespace: &Namespace, classes: &Door) -> anyhow::Result<()> {
    let resource = ApiResource::erase::<UserEngine>(&());
    let engines = Door::new(Api::namespaced_with(
        namespace.client.clone(),
        &namespace.name,
        &resource,
    ));
    let mut class = largest_class();
    set(&mut class, "/metadata/name", json!(namespace.name));
    engines
        .accept(largest_engine())
        .await
        .context("the largest valid UserEngine")?;
    classes
        .accept(class)
        .await
        .context("the largest valid EngineClass")?;

    let mut wrong = Vec::new();
    let mut rows = 0;
    for row in users()
        .into_iter()
        .chain(names())
        .chain(engine_fields())
        .chain(overrides())
        .chain(rotations())
        .chain(api_keys())
    {
        rows += 1;
        wrong.extend(engines.create(row).await);
    }
    for row in images()
        .into_iter()
        .chain(amounts())
        .chain(storage())
        .chain(addresses())
        .chain(peers())
        .chain(egress())
        .chain(connectors())
        .chain(keys())
        .chain(bounds())
        .chain(scheduling())
        .chain(rest())
    {
        rows += 1;
        wrong.extend(classes.create(row).await);
    }
    for row in engine_changes() {
        rows += 1;
        wrong.extend(engines.change("largest", row).await);
    }
    for row in class_changes() {
        rows += 1;
        wrong.extend(classes.change(&namespace.name, row).await);
    }
    ensure!(
        wrong.is_empty(),
        "{} of {rows} rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}

/// Where objects of one kind come in.
struct Door {
    api: Api<DynamicObject>,
}

impl Door {
    fn new(api: Api<DynamicObject>) -> Self {
        Self { api }
    }

    async fn accept(&self, object: Value) -> anyhow::Result<()> {
        self.api
            .create(&PostParams::default(), &serde_json::from_value(object)?)
            .await?;
        Ok(())
    }

    /// What is wrong with the answer to a create, if anything.
    async fn create(&self, row: Row) -> Option<String> {
        let object = match serde_json::from_value(row.json.clone()) {
            Ok(object) => object,
            Err(error) => return Some(format!("{}: the row itself is wrong: {error}", row.wrong)),
        };
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        judge(&row, self.api.create(&dry, &object).await)
    }

    /// What is wrong with the answer to a change, if anything.
    async fn change(&self, name: &str, row: Row) -> Option<String> {
        let dry = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        judge(
            &row,
            self.api.patch(name, &dry, &Patch::Merge(&row.json)).await,
        )
    }
}

fn judge(row: &Row, answer: kube::Result<DynamicObject>) -> Option<String> {
    let message = match answer {
        Ok(_) => return Some(format!("- {}: it was accepted", row.wrong)),
        Err(kube::Error::Api(status)) if status.code == 422 => status.message,
        Err(error) => return Some(format!("- {}: {error}", row.wrong)),
    };
    let missing: Vec<_> = row
        .words
        .iter()
        .filter(|word| !message.contains(**word))
        .collect();
    (!missing.is_empty()).then(|| format!("- {}: expected {missing:?} in: {message}", row.wrong))
}

/// Every field, at its bound where it has one.
pub(super) fn largest_engine() -> Value {
    json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "UserEngine",
        "metadata": { "name": "largest" },
        "spec": {
            "user": format!("auth0|{}", "ü".repeat(247)),
            "className": "c".repeat(63),
            "suspended": true,
            "image": format!("registry.example.com:5000/{}@sha256:{}", "i".repeat(414), "0".repeat(64)),
            "resources": { "requests": { "cpu": "999999m", "memory": "64Mi" }, "limits": { "cpu": "1000", "memory": "999999999Mi" } },
            "env": (0..32)
                .map(|n| json!({ "name": format!("{}{n:02}", "V".repeat(126)), "value": "v".repeat(1024) }))
                .collect::<Vec<_>>(),
            "envFrom": vec![json!({ "prefix": "P".repeat(64), "secretRef": { "name": "s".repeat(253), "optional": true } }); 8],
            "storage": { "size": "2Gi" },
            "encryption": {
                "rotation": {
                    "id": "r".repeat(63),
                    "mode": "Compromised",
                    "rollbackTo": "0123456789abcdef",
                    "setAside": (0..64).map(|n| format!("connections/{n:0>148}")).collect::<Vec<_>>(),
                },
                "maxAge": "999999h",
            },
            "apiKey": { "rotationId": "r".repeat(63), "overlap": "168h" },
            "deletionPolicy": "Retain",
        },
    })
}

/// Every field, at its bound where it has one.
pub(super) fn largest_class() -> Value {
    let labels: serde_json::Map<_, _> = (0..16)
        .map(|n| (format!("example.com/label-{n}"), json!("v".repeat(63))))
        .collect();
    let selected = json!({ "namespaceSelector": { "matchLabels": labels }, "podSelector": {} });
    let range = json!({ "cidr": "2001:db8::/32" });
    let ports: Vec<_> = (65520..=65535).collect();
    json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "EngineClass",
        "metadata": { "name": "largest" },
        "spec": {
            "image": format!("registry.example.com:5000/{}@sha256:{}", "i".repeat(414), "0".repeat(64)),
            "imagePullPolicy": "Always",
            "imagePullSecrets": vec!["s"; 8],
            "resources": {
                "requests": { "cpu": "999999m", "memory": "64Mi" },
                "limits": { "cpu": "1000", "memory": "999999999Mi" },
            },
            "maxResources": { "cpu": "999999", "memory": "999999999Gi" },
            "allowedImages": (0..32).map(|n| format!("{}{n:02}@", "i".repeat(509))).collect::<Vec<_>>(),
            "allowedEnv": (0..64).map(|n| format!("{}{n:02}", "V".repeat(126))).collect::<Vec<_>>(),
            "allowedEnvFrom": {
                "secretNames": (0..32).map(|n| format!("{}{n:02}", "s".repeat(251))).collect::<Vec<_>>(),
                "configMapNames": (0..32).map(|n| format!("{}{n:02}", "c".repeat(251))).collect::<Vec<_>>(),
            },
            "runtimeClassName": "r".repeat(253),
            "priorityClassName": "p".repeat(253),
            "nodeSelector": labels,
            "tolerations": vec![
                json!({
                    "key": format!("{}/{}", "k".repeat(253), "k".repeat(63)), "operator": "Equal", "value": "v".repeat(63),
                    "effect": "NoExecute", "tolerationSeconds": 86400,
                });
                16
            ],
            "topologySpreadConstraints": (0..8)
                .map(|n| json!({
                    "maxSkew": 1000, "topologyKey": format!("{}/{}{n}", "k".repeat(253), "k".repeat(62)), "whenUnsatisfiable": "ScheduleAnyway",
                }))
                .collect::<Vec<_>>(),
            "storage": {
                "size": "999999999M",
                "maxSize": "999999999Ti",
                "storageClassName": "fast.example.com",
                "accessMode": "ReadWriteOnce",
            },
            "publicURL": "https://engines.example.com:8443/{namespace}/{name}",
            "clientMetadataDocument": "Always",
            "ingressFrom": vec![selected.clone(); 32],
            "monitoringFrom": vec![range.clone(); 32],
            "catalog": { "configMap": "c".repeat(253) },
            "secretNames": (0..32).map(|n| format!("{}{n:02}", "s".repeat(251))).collect::<Vec<_>>(),
            "oauthRedirectBaseURL": format!("https://connect.example.com/{}", "p".repeat(484)),
            "tls": { "caConfigMap": "c".repeat(253) },
            "egress": {
                "default": "None",
                "allow": (1..=64)
                    .map(|port| json!({ "host": "h".repeat(253), "port": port, "insecureHTTP": true }))
                    .collect::<Vec<_>>(),
                "cidrs": vec![json!({ "cidr": "192.0.2.1/32", "ports": ports }); 64],
                "namespaces": vec![json!({ "selector": { "matchLabels": labels }, "ports": ports }); 32],
                "denyCIDRs": vec!["0.0.0.0/0"; 64],
                "dnsPeers": vec![range; 8],
            },
            "keys": { "maxAge": "999999h", "retainRetired": "999999h" },
            "rollout": { "maxConcurrent": 10000 },
            "terminationGracePeriodSeconds": 600,
            "logLevel": "debug",
        },
    })
}

/// A valid UserEngine with one field, by its JSON pointer, set to another value.
fn engine(pointer: &str, value: Value) -> Value {
    let mut object = json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "UserEngine",
        "metadata": { "name": "alice" },
        "spec": { "user": "alice@example.com" },
    });
    set(&mut object, pointer, value);
    object
}

/// A valid EngineClass with one field of its spec, by its JSON pointer, set to another value.
fn class(pointer: &str, value: Value) -> Value {
    let mut object = json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "EngineClass",
        "metadata": { "name": "standard" },
        "spec": { "image": "registry.example.com/engine:1" },
    });
    set(&mut object, pointer, value);
    object
}

fn set(object: &mut Value, pointer: &str, value: Value) {
    let path = pointer.trim_start_matches('/').split('/');
    *path.fold(object, |object, field| &mut object[field]) = value;
}

fn without(mut object: Value, parent: &str, field: &str) -> Value {
    if let Some(Value::Object(fields)) = object.pointer_mut(parent) {
        fields.remove(field);
    }
    object
}

/// One row.
fn row(wrong: &'static str, json: Value, words: &'static [&'static str]) -> Vec<Row> {
    vec![Row { wrong, json, words }]
}

/// A row for each value that must be refused in the same words.
fn rows<const N: usize>(
    words: &'static [&'static str],
    object: impl Fn(Value) -> Value,
    wrong: [(&'static str, Value); N],
) -> Vec<Row> {
    wrong
        .into_iter()
        .flat_map(|(wrong, value)| row(wrong, object(value), words))
        .collect()
}

#[rustfmt::skip] // a table: one row a line
fn users() -> Vec<Row> {
    let of = |user: Value| engine("/spec/user", user);
    let blanks = &["spec.user", "no white space at either end and no control characters"];
    let required = &["spec.user", "Required"];
    [
        row("no user", without(of(json!("")), "/spec", "user"), required),
        row("a user that is null", of(Value::Null), required),
        row("an empty user", of(json!("")), &["spec.user", "at least 1 char"]),
        row("a user of 254 characters", of(json!("u".repeat(254))), &["spec.user", "253"]),
        row("a user that is a number", of(json!(7)), &["spec.user", "must be of type string"]),
        rows(
            blanks,
            of,
            [
                ("a user with a space before it", json!(" alice")),
                ("a user with a newline behind it", json!("alice\n")),
                ("a user with a control character", json!("ali\u{7}ce")),
            ],
        ),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn names() -> Vec<Row> {
    let of = |name: Value| engine("/metadata/name", name);
    let form = &["metadata.name: lowercase letters, digits and '-'", "Services"];
    let long = &["metadata.name: at most 40 characters"];
    let kubernetes = &["metadata.name", "lower case alphanumeric characters"];
    [
        rows(long, of, [("a name of 41 characters", json!("a".repeat(41)))]),
        rows(form, of, [("a name that starts with a digit", json!("1alice")), ("a name with a dot", json!("alice.example"))]),
        rows(kubernetes, of, [("a name in upper case", json!("Alice")), ("a name that ends with a hyphen", json!("alice-"))]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn engine_fields() -> Vec<Row> {
    let class = |name: Value| engine("/spec/className", name);
    let size = |size: Value| engine("/spec/storage/size", size);
    let policy = |policy: Value| engine("/spec/deletionPolicy", policy);
    let policies = &["spec.deletionPolicy", "\"Retain\", \"Delete\", \"Erase\""];
    let class_form = &["spec.className", "lowercase letters, digits and '-'"];
    let size_form = &["spec.storage.size", "a whole number above 0 and a unit", "such as 1Gi"];
    let no_spec = without(policy(json!("Retain")), "", "spec");
    let (no_size, text) = (engine("/spec/storage", json!({})), engine("/spec/suspended", json!("true")));
    [
        row("no spec", no_spec, &["spec", "Required"]),
        row("storage without a size", no_size, &["spec.storage.size", "Required"]),
        row("suspended as a string", text, &["spec.suspended", "must be of type boolean"]),
        row("a class name of 64 characters", class(json!("c".repeat(64))), &["spec.className", "63"]),
        row("a size that is a number", size(json!(1)), &["spec.storage.size", "must be of type string"]),
        row("a size of 17 characters", size(json!("100000000000000Gi")), &["spec.storage.size", "16"]),
        rows(
            class_form,
            class,
            [("an empty class name", json!("")), ("a class name in upper case", json!("Standard")), ("a class name with a dot", json!("a.b"))],
        ),
        rows(
            size_form,
            size,
            [
                ("an empty size", json!("")),
                ("a size in a unit that does not exist", json!("1gb")),
                ("a size without a unit", json!("1073741824")),
                ("no size at all", json!("0Gi")),
                ("a negative size", json!("-1Gi")),
                ("a fraction of a size", json!("1.5Gi")),
            ],
        ),
        rows(policies, policy, [("an unknown deletion policy", json!("Keep")), ("a deletion policy in lower case", json!("delete"))]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn overrides() -> Vec<Row> {
    let image = |image: Value| engine("/spec/image", image);
    let limits = |limits: Value| engine("/spec/resources", json!({ "limits": limits }));
    let above = engine("/spec/resources", json!({ "requests": { "memory": "65Mi" }, "limits": { "memory": "64Mi" } }));
    let env = |name: Value| engine("/spec/env", json!([{ "name": name, "value": "v" }]));
    let many: Vec<_> = (0..33).map(|n| json!({ "name": format!("V{n}") })).collect();
    let from = |source: Value| engine("/spec/envFrom", json!([source]));
    let prefix = |prefix: Value| from(json!({ "prefix": prefix, "secretRef": { "name": "extra" } }));
    let secret = json!({ "name": "extra" });
    let both = from(json!({ "prefix": "P_", "secretRef": secret, "configMapRef": secret }));
    let image_form = &["spec.image", "the reference of an image", "such as registry.example.com/engine:1.2.3"];
    let own = &["env: no variable", "the engine itself reads it", "leave it out"];
    let leads = &["envFrom: no prefix", "the engine itself reads", "choose another one"];
    [
        row("an image of 513 characters", image(json!("i".repeat(513))), &["spec.image", "512"]),
        row("more memory set aside than it may use", above, &["spec.resources", "requests.memory must not be above limits.memory"]),
        row("no CPU at all", limits(json!({ "cpu": "0" })), &["spec.resources.limits.cpu", "such as 1 or 250m"]),
        row("memory without a unit", limits(json!({ "memory": "64" })), &["spec.resources.limits.memory", "such as 64Mi"]),
        row("a variable twice", engine("/spec/env", json!([{ "name": "A" }, { "name": "A" }])), &["spec.env[1]", "Duplicate"]),
        row("a variable without a name", engine("/spec/env", json!([{ "value": "v" }])), &["spec.env[0].name", "Required"]),
        row("33 variables", engine("/spec/env", json!(many)), &["spec.env", "32"]),
        row("a value of 1025 characters", engine("/spec/env", json!([{ "name": "A", "value": "v".repeat(1025) }])), &["spec.env[0].value", "1024"]),
        row("nine sources", engine("/spec/envFrom", json!(vec![json!({ "prefix": "P_", "secretRef": secret }); 9])), &["spec.envFrom", "8"]),
        row("a source without a prefix", from(json!({ "secretRef": secret })), &["spec.envFrom[0].prefix", "Required"]),
        row("a source that is nothing", from(json!({ "prefix": "P_" })), &["envFrom: give either secretRef or configMapRef"]),
        row("a source that is two things", both, &["envFrom: give either secretRef or configMapRef"]),
        rows(
            image_form,
            image,
            [
                ("an empty image", json!("")),
                ("an image with a space", json!("engine :1")),
                ("an image on the way up", json!("registry.example.com/engines/../mallory:1")),
                ("an image with two tags", json!("registry.example.com/engine:1:2")),
                ("a digest that is too short", json!("engine@sha256:0123")),
            ],
        ),
        rows(&["env: the name of a variable has letters, digits and '_'"], env, [("a variable with a hyphen", json!("A-B")), ("a variable that starts with a digit", json!("1A"))]),
        rows(
            own,
            env,
            [
                ("the engine's address", json!("PUBLIC_URL")),
                ("the engine's brain", json!("DATABASE_ID")),
                ("a key in plain text", json!("AD_ENCRYPTION_KEY")),
                ("a limit of the engine", json!("CALLS_PER_ENGINE")),
            ],
        ),
        rows(
            leads,
            prefix,
            [("a prefix of the engine's own", json!("ENGINE_")), ("a prefix of one letter", json!("P")), ("a prefix that is a variable", json!("PUBLIC_URL"))],
        ),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn rotations() -> Vec<Row> {
    let of = |rotation: Value| engine("/spec/encryption", json!({ "rotation": rotation }));
    let id = |id: Value| of(json!({ "id": id }));
    let back = |kid: Value| of(json!({ "id": "r", "rollbackTo": kid }));
    let aside = |rows: Value| of(json!({ "id": "r", "setAside": rows }));
    let age = |age: Value| engine("/spec/encryption", json!({ "maxAge": age }));
    let many: Vec<_> = (0..65).map(|n| format!("connections/{n}")).collect();
    let row_form = &["spec.encryption.rotation.setAside", "<table>/<row id>"];
    [
        row("a rotation without an id", of(json!({})), &["spec.encryption.rotation.id", "Required"]),
        row("an id of 64 characters", id(json!("r".repeat(64))), &["spec.encryption.rotation.id", "63"]),
        row("an unknown mode", of(json!({ "id": "r", "mode": "Urgent" })), &["rotation.mode", "\"Normal\", \"Compromised\""]),
        row("65 rows to set aside", aside(json!(many)), &["setAside", "64"]),
        row("a row twice", aside(json!(["connections/1", "connections/1"])), &["setAside[1]", "Duplicate"]),
        row("a key that grows old at once", age(json!("59m")), &["spec.encryption.maxAge", "at least 1h"]),
        rows(&["rotation.id", "letters, digits"], id, [("an empty id", json!("")), ("an id with a space", json!("r 1")), ("an id with a slash", json!("r/1"))]),
        rows(&["rotation.id", "the operator's own"], id, [("the id of the first key", json!("initial")), ("the id of an automatic rotation", json!("age-0123456789abcdef"))]),
        rows(&["rollbackTo", "16 digits"], back, [("a key id in upper case", json!("0123456789ABCDEF")), ("a key id that is too short", json!("0123"))]),
        rows(row_form, aside, [("a row without a table", json!(["1"])), ("a row with a comma", json!(["connections/1,2"])), ("a row with a space", json!(["connections/1 2"]))]),
        rows(&["spec.encryption.maxAge", "such as 168h"], age, [("an age in days", json!("90d")), ("an age in two units", json!("1h30m")), ("an age without a unit", json!("3600"))]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn api_keys() -> Vec<Row> {
    let id = |id: Value| engine("/spec/apiKey", json!({ "rotationId": id }));
    let overlap = |time: Value| engine("/spec/apiKey", json!({ "overlap": time }));
    [
        row("an API key's id of 64 characters", id(json!("r".repeat(64))), &["spec.apiKey.rotationId", "63"]),
        rows(&["spec.apiKey.rotationId", "letters, digits"], id, [("an empty id of an API key", json!("")), ("an id of an API key with a space", json!("r 1"))]),
        rows(&["spec.apiKey.overlap", "at most 168h"], overlap, [("an overlap of more than a week", json!("169h")), ("the same in seconds", json!("604801s"))]),
        rows(&["spec.apiKey.overlap", "such as 168h"], overlap, [("an overlap without a unit", json!("300")), ("a negative overlap", json!("-1s"))]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn keys() -> Vec<Row> {
    let of = |keys: Value| class("/spec/keys", keys);
    [
        row("a class whose keys grow old at once", of(json!({ "maxAge": "1s" })), &["spec.keys.maxAge", "at least 1h"]),
        rows(&["spec.keys.retainRetired", "such as 168h"], |time| of(json!({ "retainRetired": time })), [("a time in days", json!("7d")), ("a negative time", json!("-1h")), ("no time at all", json!(""))]),
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
        rows(
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
        rows(cpu_form, cpu, [("no CPU at all", json!("0")), ("a fraction of a CPU", json!("1.5")), ("letters for CPUs", json!("abc"))]),
        rows(memory_form, memory, [("memory without a unit", json!("64")), ("memory in a unit that does not exist", json!("64MB"))]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn storage() -> Vec<Row> {
    let of = |storage: Value| class("/spec/storage", storage);
    let above = &["spec.storage", "maxSize must not be smaller than size"];
    [
        rows(
            above,
            of,
            [("a maximum below the size", json!({ "size": "2Gi", "maxSize": "1Gi" })), ("a maximum below the default size", json!({ "maxSize": "1Mi" }))],
        ),
        rows(&["spec.storage.maxSize", "such as 1Gi"], of, [("a maximum that is no size", json!({ "maxSize": "much" }))]),
        rows(&["spec.storage.accessMode", "\"ReadWriteOncePod\""], of, [("a volume for many pods", json!({ "accessMode": "ReadWriteMany" }))]),
        rows(&["spec.storage.storageClassName", "the name of a StorageClass"], of, [("a StorageClass in upper case", json!({ "storageClassName": "Fast" }))]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn addresses() -> Vec<Row> {
    let of = |url: Value| class("/spec/publicURL", url);
    let form = &["spec.publicURL", "an https address without user, query or fragment"];
    let both = &["spec.publicURL", "two engines must not share an address"];
    [
        rows(
            form,
            of,
            [
                ("an address without TLS", json!("http://{name}.{namespace}.example.com")),
                ("an address with a query", json!("https://{name}.{namespace}.example.com/?a=b")),
                ("an address with a password", json!("https://a:b@{name}.{namespace}.example.com")),
            ],
        ),
        rows(
            both,
            of,
            [
                ("an address without the name", json!("https://{namespace}.example.com")),
                ("an address without the namespace", json!("https://{name}.example.com")),
            ],
        ),
        rows(
            &["spec.publicURL", "put '.', '/' or '_' between {name} and {namespace}"],
            of,
            [
                ("an address with a hyphen between name and namespace", json!("https://{name}-{namespace}.example.com")),
                ("an address with nothing between them", json!("https://example.com/{namespace}{name}")),
            ],
        ),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn peers() -> Vec<Row> {
    let of = |peer: Value| class("/spec/ingressFrom", json!([peer]));
    let labelled = |labels: Value| of(json!({ "podSelector": { "matchLabels": labels } }));
    let either = &["spec.ingressFrom[0]", "give either cidr, or namespaceSelector and/or podSelector"];
    let range = &["spec.ingressFrom[0].cidr", "network/bits", "such as 192.0.2.0/24"];
    let many: serde_json::Map<_, _> = (0..17).map(|n| (format!("l{n}"), json!("v"))).collect();
    let crowd = class("/spec/ingressFrom", json!(vec![json!({ "podSelector": {} }); 33]));
    [
        row("33 peers", crowd, &["spec.ingressFrom", "32"]),
        row("17 labels", labelled(json!(many)), &["matchLabels", "16"]),
        row("a label's value with a space", labelled(json!({ "app": "a b" })), &["spec.ingressFrom[0].podSelector.matchLabels.app"]),
        row("a label's value of 64 characters", labelled(json!({ "app": "v".repeat(64) })), &["matchLabels.app", "63"]),
        rows(either, of, [("a range and pods at once", json!({ "cidr": "192.0.2.0/24", "podSelector": {} })), ("a peer that is nobody", json!({}))]),
        rows(
            range,
            of,
            [
                ("an address without bits", json!({ "cidr": "192.0.2.1" })),
                ("a range of a name", json!({ "cidr": "example.com/24" })),
                ("a range with bits behind its network", json!({ "cidr": "192.0.2.1/24" })),
            ],
        ),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn egress() -> Vec<Row> {
    let of = |egress: Value| class("/spec/egress", egress);
    let ports = |port: Value| of(json!({ "cidrs": [{ "cidr": "192.0.2.0/24", "ports": [port] }] }));
    let cidr = |range: Value| of(json!({ "cidrs": [range] }));
    let denied = |ranges: Value| of(json!({ "denyCIDRs": ranges }));
    let servers = of(json!({ "dnsPeers": vec![json!({ "cidr": "192.0.2.1/32" }); 9] }));
    [
        row("an unknown default", of(json!({ "default": "All" })), &["spec.egress.default", "\"Public\", \"None\""]),
        row("namespaces without a selector", of(json!({ "namespaces": [{}] })), &["spec.egress.namespaces[0].selector", "Required"]),
        row("nine name servers", servers, &["spec.egress.dnsPeers", "8"]),
        row("port 0", ports(json!(0)), &["spec.egress.cidrs[0].ports[0]", "greater than or equal to 1"]),
        row("port 65536", ports(json!(65536)), &["spec.egress.cidrs[0].ports[0]", "less than or equal to 65535"]),
        row("a port by name", ports(json!("https")), &["spec.egress.cidrs[0].ports[0]", "must be of type integer"]),
        row("no range beside its ports", cidr(json!({ "ports": [443] })), &["spec.egress.cidrs[0].cidr", "Required"]),
        row("a range with too many bits", cidr(json!({ "cidr": "192.0.2.0/33" })), &["spec.egress.cidrs[0].cidr", "network/bits"]),
        rows(
            &["spec.egress.denyCIDRs", "network/bits"],
            denied,
            [("a denied name", json!(["192.0.2.0/24", "example.com"])), ("a denied range with bits behind its network", json!(["1.2.3.4/0"]))],
        ),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn connectors() -> Vec<Row> {
    let secrets = |names: Value| class("/spec/secretNames", names);
    let many: Vec<_> = (0..33).map(|n| format!("s{n}")).collect();
    let url = |url: Value| class("/spec/oauthRedirectBaseURL", url);
    let url_form = &["spec.oauthRedirectBaseURL", "an https address (http only for localhost)"];
    let allow = |host: Value| class("/spec/egress", json!({ "allow": [host] }));
    let host = |host: &str| json!({ "host": host, "port": 443 });
    let host_form = &["spec.egress.allow[0].host", "without scheme, port or brackets"];
    let twice = class("/spec/egress", json!({ "allow": [host("mcp.example"), host("mcp.example")] }));
    let crowd: Vec<_> = (1..=65).map(|port| json!({ "host": "mcp.example", "port": port })).collect();
    [
        row("a catalog that is nowhere", class("/spec/catalog", json!({})), &["spec.catalog.configMap", "Required"]),
        row("a catalog in upper case", class("/spec/catalog/configMap", json!("Servers")), &["spec.catalog.configMap", "the name of a ConfigMap"]),
        row("authorities in upper case", class("/spec/tls/caConfigMap", json!("Roots")), &["spec.tls.caConfigMap", "the name of a ConfigMap"]),
        row("33 Secrets", secrets(json!(many)), &["spec.secretNames", "32"]),
        row("a Secret twice", secrets(json!(["slack", "slack"])), &["spec.secretNames[1]", "Duplicate"]),
        row("a Secret in upper case", secrets(json!(["Slack"])), &["spec.secretNames", "the name of a Secret"]),
        row("a server without a port", allow(json!({ "host": "mcp.example" })), &["spec.egress.allow[0].port", "Required"]),
        row("a server on port 0", allow(json!({ "host": "mcp.example", "port": 0 })), &["spec.egress.allow[0].port", "greater than or equal to 1"]),
        row("a server twice", twice, &["spec.egress.allow[1]", "Duplicate"]),
        row("65 servers", class("/spec/egress", json!({ "allow": crowd })), &["spec.egress.allow", "64"]),
        rows(
            host_form,
            allow,
            [("a server with a scheme", host("http://mcp.example")), ("a server with a port", host("mcp.example:443")), ("an address in brackets", host("[fd00::1]"))],
        ),
        rows(
            url_form,
            url,
            [
                ("a callback without TLS", json!("http://connect.example.com")),
                ("a callback on a machine that looks like this one", json!("http://localhost.example.com")),
                ("a callback with a query", json!("https://connect.example.com/?a=b")),
                ("a callback with a password", json!("https://a:b@connect.example.com")),
            ],
        ),
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
        rows(&["allowedImages: each entry is an image, or a prefix"], images, [("every image", json!([""])), ("any image below nothing", json!(["/"])), ("an image with a space", json!(["a b/"]))]),
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

#[rustfmt::skip] // a table: one row a line
fn engine_changes() -> Vec<Row> {
    let of = |spec: Value| json!({ "spec": spec });
    let sized = |size: &str| of(json!({ "storage": { "size": size } }));
    [
        row("another user", of(json!({ "user": "bob@example.com" })), &["spec.user", "cannot change", "create another UserEngine instead"]),
        row("a user taken away", of(json!({ "user": null })), &["spec.user", "Required"]),
        row("a smaller size", sized("2047Mi"), &["spec.storage.size", "a volume cannot shrink"]),
        row("a size that is none", sized("big"), &["spec.storage.size", "such as 1Gi"]),
        row("a spec taken away", of(Value::Null), &["spec", "Required"]),
        row("another mode under the same id", of(json!({ "encryption": { "rotation": { "mode": "Normal" } } })), &["encryption.rotation: a request cannot change under its id"]),
        row("another way back under the same id", of(json!({ "encryption": { "rotation": { "rollbackTo": null } } })), &["encryption.rotation: a request cannot change under its id"]),
        row("fewer rows under the same id", of(json!({ "encryption": { "rotation": { "setAside": [] } } })), &["encryption.rotation: a request cannot change under its id"]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn class_changes() -> Vec<Row> {
    let of = |spec: Value| json!({ "spec": spec });
    [
        row("an image taken away", of(json!({ "image": null })), &["spec.image", "Required"]),
        row("a size above the maximum", of(json!({ "storage": { "maxSize": "1Gi" } })), &["spec.storage", "maxSize must not be smaller than size"]),
        row("a limit below what is set aside", of(json!({ "resources": { "limits": { "cpu": "1" } } })), &["requests.cpu must not be above limits.cpu"]),
        row("an address that all engines share", of(json!({ "publicURL": "https://engines.example.com" })), &["two engines must not share an address"]),
    ]
    .concat()
}
