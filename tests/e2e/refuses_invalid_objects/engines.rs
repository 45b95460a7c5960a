//! UserEngines that cannot work.

use serde_json::{Value, json};

use super::row::{Row, each, engine, row, without};

/// New ones.
pub fn rows() -> Vec<Row> {
    [
        users(),
        names(),
        engine_fields(),
        overrides(),
        rotations(),
        api_keys(),
    ]
    .concat()
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
        each(
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
        each(long, of, [("a name of 41 characters", json!("a".repeat(41)))]),
        each(form, of, [("a name that starts with a digit", json!("1alice")), ("a name with a dot", json!("alice.example"))]),
        each(kubernetes, of, [("a name in upper case", json!("Alice")), ("a name that ends with a hyphen", json!("alice-"))]),
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
        each(
            class_form,
            class,
            [("an empty class name", json!("")), ("a class name in upper case", json!("Standard")), ("a class name with a dot", json!("a.b"))],
        ),
        each(
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
        each(policies, policy, [("an unknown deletion policy", json!("Keep")), ("a deletion policy in lower case", json!("delete"))]),
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
        each(
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
        each(&["env: the name of a variable has letters, digits and '_'"], env, [("a variable with a hyphen", json!("A-B")), ("a variable that starts with a digit", json!("1A"))]),
        each(
            own,
            env,
            [
                ("the engine's address", json!("PUBLIC_URL")),
                ("the engine's brain", json!("DATABASE_ID")),
                ("a key in plain text", json!("AD_ENCRYPTION_KEY")),
                ("a limit of the engine", json!("CALLS_PER_ENGINE")),
            ],
        ),
        each(
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
        each(&["rotation.id", "letters, digits"], id, [("an empty id", json!("")), ("an id with a space", json!("r 1")), ("an id with a slash", json!("r/1"))]),
        each(&["rotation.id", "the operator's own"], id, [("the id of the first key", json!("initial")), ("the id of an automatic rotation", json!("age-0123456789abcdef"))]),
        each(&["rollbackTo", "16 digits"], back, [("a key id in upper case", json!("0123456789ABCDEF")), ("a key id that is too short", json!("0123"))]),
        each(row_form, aside, [("a row without a table", json!(["1"])), ("a row with a comma", json!(["connections/1,2"])), ("a row with a space", json!(["connections/1 2"]))]),
        each(&["spec.encryption.maxAge", "such as 168h"], age, [("an age in days", json!("90d")), ("an age in two units", json!("1h30m")), ("an age without a unit", json!("3600"))]),
    ]
    .concat()
}

#[rustfmt::skip] // a table: one row a line
fn api_keys() -> Vec<Row> {
    let id = |id: Value| engine("/spec/apiKey", json!({ "rotationId": id }));
    let overlap = |time: Value| engine("/spec/apiKey", json!({ "overlap": time }));
    [
        row("an API key's id of 64 characters", id(json!("r".repeat(64))), &["spec.apiKey.rotationId", "63"]),
        each(&["spec.apiKey.rotationId", "letters, digits"], id, [("an empty id of an API key", json!("")), ("an id of an API key with a space", json!("r 1"))]),
        each(&["spec.apiKey.overlap", "at most 168h"], overlap, [("an overlap of more than a week", json!("169h")), ("the same in seconds", json!("604801s"))]),
        each(&["spec.apiKey.overlap", "such as 168h"], overlap, [("an overlap without a unit", json!("300")), ("a negative overlap", json!("-1s"))]),
    ]
    .concat()
}

/// Changes of the largest one.
#[rustfmt::skip] // a table: one row a line
pub fn changes() -> Vec<Row> {
    let of = |spec: Value| json!({ "spec": spec });
    let sized = |size: &str| of(json!({ "storage": { "size": size } }));
    [
        row("another user", of(json!({ "user": "bob@example.com" })), &["spec.user", "cannot change", "create another UserEngine instead"]),
        row("a user taken away", of(json!({ "user": null })), &["spec.user", "Required"]),
        row("a size that is none", sized("big"), &["spec.storage.size", "such as 1Gi"]),
        row("a spec taken away", of(Value::Null), &["spec", "Required"]),
        row("another mode under the same id", of(json!({ "encryption": { "rotation": { "mode": "Normal" } } })), &["encryption.rotation: a request cannot change under its id"]),
        row("another way back under the same id", of(json!({ "encryption": { "rotation": { "rollbackTo": null } } })), &["encryption.rotation: a request cannot change under its id"]),
        row("fewer rows under the same id", of(json!({ "encryption": { "rotation": { "setAside": [] } } })), &["encryption.rotation: a request cannot change under its id"]),
    ]
    .concat()
}
