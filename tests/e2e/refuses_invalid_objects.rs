//! What cannot work is refused at the door, in words that name the field and the cure.

use anyhow::{Context as _, ensure};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use userengine_api::{EngineClass, UserEngine};
use userengine_e2e::{Namespace, in_namespace};

/// An object, or a change of one, that the API server must refuse.
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
    class["metadata"]["name"] = json!(namespace.name);
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
    for row in users().into_iter().chain(names()).chain(engine_fields()) {
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
fn largest_engine() -> Value {
    json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "UserEngine",
        "metadata": { "name": "largest" },
        "spec": {
            "user": format!("auth0|{}", "ü".repeat(247)),
            "className": "c".repeat(63),
            "suspended": true,
            "storage": { "size": "2Gi" },
            "deletionPolicy": "Retain",
        },
    })
}

/// Every field, at its bound where it has one.
fn largest_class() -> Value {
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
            "storage": {
                "size": "999999999M",
                "maxSize": "999999999Ti",
                "storageClassName": "fast.example.com",
                "accessMode": "ReadWriteOnce",
            },
            "publicURL": "https://engines.example.com:8443/{namespace}/{name}",
            "ingressFrom": vec![selected.clone(); 32],
            "monitoringFrom": vec![range.clone(); 32],
            "egress": {
                "default": "None",
                "cidrs": vec![json!({ "cidr": "192.0.2.1/32", "ports": ports }); 64],
                "namespaces": vec![json!({ "selector": { "matchLabels": labels }, "ports": ports }); 32],
                "denyCIDRs": vec!["0.0.0.0/0"; 64],
                "dnsPeers": vec![range; 8],
            },
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

fn row(wrong: &'static str, json: Value, words: &'static [&'static str]) -> Row {
    Row { wrong, json, words }
}

fn users() -> Vec<Row> {
    let of = |user: Value| engine("/spec/user", user);
    let blanks: &[_] = &[
        "spec.user",
        "no white space at either end and no control characters",
    ];
    vec![
        row(
            "no user",
            without(of(json!("")), "/spec", "user"),
            &["spec.user", "Required"],
        ),
        row(
            "an empty user",
            of(json!("")),
            &["spec.user", "at least 1 char"],
        ),
        row(
            "a user of 254 characters",
            of(json!("u".repeat(254))),
            &["spec.user", "253"],
        ),
        row("a user with a space before it", of(json!(" alice")), blanks),
        row(
            "a user with a newline behind it",
            of(json!("alice\n")),
            blanks,
        ),
        row(
            "a user with a control character",
            of(json!("ali\u{7}ce")),
            blanks,
        ),
        row(
            "a user that is null",
            of(Value::Null),
            &["spec.user", "Required"],
        ),
        row(
            "a user that is a number",
            of(json!(7)),
            &["spec.user", "must be of type string"],
        ),
    ]
}

fn names() -> Vec<Row> {
    let of = |name: String| engine("/metadata/name", json!(name));
    let form: &[_] = &[
        "metadata.name: lowercase letters, digits and '-'",
        "Services",
    ];
    vec![
        row(
            "a name of 41 characters",
            of("a".repeat(41)),
            &["metadata.name: at most 40 characters"],
        ),
        row(
            "a name in upper case",
            of("Alice".to_owned()),
            &["metadata.name", "lower case"],
        ),
        row(
            "a name that starts with a digit",
            of("1alice".to_owned()),
            form,
        ),
        row(
            "a name that ends with a hyphen",
            of("alice-".to_owned()),
            &["metadata.name", "end with an alphanumeric"],
        ),
        row("a name with a dot", of("alice.example".to_owned()), form),
    ]
}

fn engine_fields() -> Vec<Row> {
    let class = |name: Value| engine("/spec/className", name);
    let size = |size: Value| engine("/spec/storage/size", size);
    let class_form: &[_] = &["spec.className", "lowercase letters, digits and '-'"];
    let size_form: &[_] = &[
        "spec.storage.size",
        "a whole number above 0 and a unit",
        "such as 1Gi",
    ];
    vec![
        row(
            "no spec",
            without(engine("/spec/user", json!("a")), "", "spec"),
            &["spec", "Required"],
        ),
        row("an empty class name", class(json!("")), class_form),
        row(
            "a class name in upper case",
            class(json!("Standard")),
            class_form,
        ),
        row(
            "a class name of 64 characters",
            class(json!("c".repeat(64))),
            &["spec.className", "63"],
        ),
        row("a class name with a dot", class(json!("a.b")), class_form),
        row(
            "storage without a size",
            engine("/spec/storage", json!({})),
            &["spec.storage.size", "Required"],
        ),
        row("an empty size", size(json!("")), size_form),
        row(
            "a size in a unit that does not exist",
            size(json!("1gb")),
            size_form,
        ),
        row(
            "a size without a unit",
            size(json!("1073741824")),
            size_form,
        ),
        row("no size at all", size(json!("0Gi")), size_form),
        row("a negative size", size(json!("-1Gi")), size_form),
        row("a fraction of a size", size(json!("1.5Gi")), size_form),
        row(
            "a size that is a number",
            size(json!(1)),
            &["spec.storage.size", "must be of type string"],
        ),
        row(
            "a size of 17 characters",
            size(json!("100000000000000Gi")),
            &["spec.storage.size", "16"],
        ),
        row(
            "an unknown deletion policy",
            engine("/spec/deletionPolicy", json!("Keep")),
            &["spec.deletionPolicy", "\"Retain\", \"Delete\""],
        ),
        row(
            "a deletion policy in lower case",
            engine("/spec/deletionPolicy", json!("delete")),
            &["spec.deletionPolicy", "\"Retain\", \"Delete\""],
        ),
        row(
            "suspended as a string",
            engine("/spec/suspended", json!("true")),
            &["spec.suspended", "must be of type boolean"],
        ),
    ]
}

fn images() -> Vec<Row> {
    let image = |image: String| class("/spec/image", json!(image));
    let form: &[_] = &[
        "spec.image",
        "a reference without spaces, with an optional digest of 64 hex digits",
    ];
    vec![
        row(
            "no image",
            without(class("/spec/image", Value::Null), "/spec", "image"),
            &["spec.image", "Required"],
        ),
        row("an empty image", image(String::new()), form),
        row("an image with a space", image("engine :1".to_owned()), form),
        row(
            "a digest that is too short",
            image("engine@sha256:0123".to_owned()),
            form,
        ),
        row(
            "an image of 513 characters",
            image("i".repeat(513)),
            &["spec.image", "512"],
        ),
        row(
            "an unknown pull policy",
            class("/spec/imagePullPolicy", json!("Sometimes")),
            &["spec.imagePullPolicy", "\"IfNotPresent\""],
        ),
        row(
            "nine pull secrets",
            class("/spec/imagePullSecrets", json!(vec!["s"; 9])),
            &["spec.imagePullSecrets", "8"],
        ),
    ]
}

fn amounts() -> Vec<Row> {
    let of = |cpu: &str, memory: &str| {
        class(
            "/spec/resources/limits",
            json!({ "cpu": cpu, "memory": memory }),
        )
    };
    let cpu: &[_] = &["spec.resources.limits.cpu", "such as 1 or 250m"];
    let memory: &[_] = &[
        "spec.resources.limits.memory",
        "a whole number above 0 and a unit",
        "such as 64Mi",
    ];
    vec![
        row("no CPU at all", of("0", "64Mi"), cpu),
        row("a fraction of a CPU", of("1.5", "64Mi"), cpu),
        row("letters for CPUs", of("abc", "64Mi"), cpu),
        row("memory without a unit", of("1", "64"), memory),
        row(
            "memory in a unit that does not exist",
            of("1", "64MB"),
            memory,
        ),
        row(
            "limits without memory",
            class("/spec/resources/limits", json!({ "cpu": "1" })),
            &["spec.resources.limits.memory", "Required"],
        ),
        row(
            "less CPU than is set aside",
            of("5m", "64Mi"),
            &[
                "spec.resources",
                "requests.cpu must not be above limits.cpu",
            ],
        ),
        row(
            "less memory than is set aside",
            of("1", "16Mi"),
            &[
                "spec.resources",
                "requests.memory must not be above limits.memory",
            ],
        ),
    ]
}

fn storage() -> Vec<Row> {
    let of = |field: &str, value: &str| class(&format!("/spec/storage/{field}"), json!(value));
    vec![
        row(
            "a maximum below the size",
            class("/spec/storage", json!({ "size": "2Gi", "maxSize": "1Gi" })),
            &["spec.storage", "maxSize must not be smaller than size"],
        ),
        row(
            "a maximum below the default size",
            of("maxSize", "1Mi"),
            &["spec.storage", "maxSize must not be smaller than size"],
        ),
        row(
            "a maximum that is no size",
            of("maxSize", "much"),
            &["spec.storage.maxSize", "such as 1Gi"],
        ),
        row(
            "a volume for many pods",
            of("accessMode", "ReadWriteMany"),
            &["spec.storage.accessMode", "\"ReadWriteOncePod\""],
        ),
        row(
            "a StorageClass in upper case",
            of("storageClassName", "Fast"),
            &[
                "spec.storage.storageClassName",
                "the name of a StorageClass",
            ],
        ),
    ]
}

fn addresses() -> Vec<Row> {
    let of = |url: &str| class("/spec/publicURL", json!(url));
    let form: &[_] = &[
        "spec.publicURL",
        "an https address without user, query or fragment",
    ];
    let both: &[_] = &["spec.publicURL", "two engines must not share an address"];
    vec![
        row(
            "an address without TLS",
            of("http://{name}.{namespace}.example.com"),
            form,
        ),
        row(
            "an address with a query",
            of("https://{name}.{namespace}.example.com/?a=b"),
            form,
        ),
        row(
            "an address with a password",
            of("https://a:b@{name}.{namespace}.example.com"),
            form,
        ),
        row(
            "an address without the name",
            of("https://{namespace}.example.com"),
            both,
        ),
        row(
            "an address without the namespace",
            of("https://{name}.example.com"),
            both,
        ),
    ]
}

fn peers() -> Vec<Row> {
    let of = |peer: Value| class("/spec/ingressFrom", json!([peer]));
    let either: &[_] = &[
        "spec.ingressFrom[0]",
        "give either cidr, or namespaceSelector and/or podSelector",
    ];
    let range: &[_] = &[
        "spec.ingressFrom[0].cidr",
        "network/bits",
        "such as 192.0.2.0/24",
    ];
    let labels: serde_json::Map<_, _> = (0..17).map(|n| (format!("l{n}"), json!("v"))).collect();
    vec![
        row(
            "a range and pods at once",
            of(json!({ "cidr": "192.0.2.0/24", "podSelector": {} })),
            either,
        ),
        row("a peer that is nobody", of(json!({})), either),
        row(
            "an address without bits",
            of(json!({ "cidr": "192.0.2.1" })),
            range,
        ),
        row(
            "a range of a name",
            of(json!({ "cidr": "example.com/24" })),
            range,
        ),
        row(
            "a range with bits behind its network",
            of(json!({ "cidr": "192.0.2.1/24" })),
            range,
        ),
        row(
            "33 peers",
            class(
                "/spec/ingressFrom",
                json!(vec![json!({ "podSelector": {} }); 33]),
            ),
            &["spec.ingressFrom", "32"],
        ),
        row(
            "17 labels",
            of(json!({ "podSelector": { "matchLabels": labels } })),
            &["matchLabels", "16"],
        ),
        row(
            "a label's value with a space",
            of(json!({ "podSelector": { "matchLabels": { "app": "a b" } } })),
            &["spec.ingressFrom[0].podSelector.matchLabels.app"],
        ),
        row(
            "a label's value of 64 characters",
            of(json!({ "podSelector": { "matchLabels": { "app": "v".repeat(64) } } })),
            &["matchLabels.app", "63"],
        ),
    ]
}

fn egress() -> Vec<Row> {
    let ports = |ports: Value| {
        class(
            "/spec/egress/cidrs",
            json!([{ "cidr": "192.0.2.0/24", "ports": ports }]),
        )
    };
    vec![
        row(
            "an unknown default",
            class("/spec/egress/default", json!("All")),
            &["spec.egress.default", "\"Public\", \"None\""],
        ),
        row(
            "port 0",
            ports(json!([0])),
            &[
                "spec.egress.cidrs[0].ports[0]",
                "greater than or equal to 1",
            ],
        ),
        row(
            "port 65536",
            ports(json!([65536])),
            &[
                "spec.egress.cidrs[0].ports[0]",
                "less than or equal to 65535",
            ],
        ),
        row(
            "a port by name",
            ports(json!(["https"])),
            &["spec.egress.cidrs[0].ports[0]", "must be of type integer"],
        ),
        row(
            "no range beside its ports",
            class("/spec/egress/cidrs", json!([{ "ports": [443] }])),
            &["spec.egress.cidrs[0].cidr", "Required"],
        ),
        row(
            "a range with too many bits",
            class("/spec/egress/cidrs", json!([{ "cidr": "192.0.2.0/33" }])),
            &["spec.egress.cidrs[0].cidr", "network/bits"],
        ),
        row(
            "a denied name",
            class(
                "/spec/egress/denyCIDRs",
                json!(["192.0.2.0/24", "example.com"]),
            ),
            &["spec.egress.denyCIDRs", "network/bits"],
        ),
        row(
            "a denied range with bits behind its network",
            class("/spec/egress/denyCIDRs", json!(["1.2.3.4/0"])),
            &["spec.egress.denyCIDRs", "network/bits"],
        ),
        row(
            "namespaces without a selector",
            class("/spec/egress/namespaces", json!([{}])),
            &["spec.egress.namespaces[0].selector", "Required"],
        ),
        row(
            "nine name servers",
            class(
                "/spec/egress/dnsPeers",
                json!(vec![json!({ "cidr": "192.0.2.1/32" }); 9]),
            ),
            &["spec.egress.dnsPeers", "8"],
        ),
    ]
}

fn rest() -> Vec<Row> {
    let grace = |seconds: Value| class("/spec/terminationGracePeriodSeconds", seconds);
    vec![
        row(
            "too little time to stop",
            grace(json!(4)),
            &[
                "spec.terminationGracePeriodSeconds",
                "greater than or equal to 5",
            ],
        ),
        row(
            "too much time to stop",
            grace(json!(601)),
            &[
                "spec.terminationGracePeriodSeconds",
                "less than or equal to 600",
            ],
        ),
        row(
            "an unknown log level",
            class("/spec/logLevel", json!("verbose")),
            &["spec.logLevel", "\"info\""],
        ),
        row(
            "a class's name with a dot",
            class("/metadata/name", json!("a.b")),
            &["metadata.name: no dots", "spec.className"],
        ),
        row(
            "a class's name of 64 characters",
            class("/metadata/name", json!("c".repeat(64))),
            &["metadata.name: at most 63 characters"],
        ),
    ]
}

fn engine_changes() -> Vec<Row> {
    vec![
        row(
            "another user",
            json!({ "spec": { "user": "bob@example.com" } }),
            &[
                "spec.user",
                "cannot change",
                "create another UserEngine instead",
            ],
        ),
        row(
            "a user taken away",
            json!({ "spec": { "user": null } }),
            &["spec.user", "Required"],
        ),
        row(
            "a smaller size",
            json!({ "spec": { "storage": { "size": "2047Mi" } } }),
            &["spec.storage.size", "a volume cannot shrink"],
        ),
        row(
            "a size that is none",
            json!({ "spec": { "storage": { "size": "big" } } }),
            &["spec.storage.size", "such as 1Gi"],
        ),
        row(
            "a spec taken away",
            json!({ "spec": null }),
            &["spec", "Required"],
        ),
    ]
}

fn class_changes() -> Vec<Row> {
    vec![
        row(
            "an image taken away",
            json!({ "spec": { "image": null } }),
            &["spec.image", "Required"],
        ),
        row(
            "a size above the maximum",
            json!({ "spec": { "storage": { "maxSize": "1Gi" } } }),
            &["spec.storage", "maxSize must not be smaller than size"],
        ),
        row(
            "a limit below what is set aside",
            json!({ "spec": { "resources": { "limits": { "cpu": "1" } } } }),
            &["requests.cpu must not be above limits.cpu"],
        ),
        row(
            "an address that all engines share",
            json!({ "spec": { "publicURL": "https://engines.example.com" } }),
            &["two engines must not share an address"],
        ),
    ]
}
