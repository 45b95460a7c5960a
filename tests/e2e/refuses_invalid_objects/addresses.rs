//! EngineClasses that cannot work: where their engines are published, whom they talk to, and who talks to them.

use serde_json::{Value, json};

use super::row::{Row, class, each, row};

/// New ones.
pub fn rows() -> Vec<Row> {
    [addresses(), peers(), egress(), connectors()].concat()
}

#[rustfmt::skip] // a table: one row a line
fn addresses() -> Vec<Row> {
    let of = |url: Value| class("/spec/publicURL", url);
    let form = &["spec.publicURL", "an https address without user, query or fragment"];
    let both = &["spec.publicURL", "two engines must not share an address"];
    [
        each(
            form,
            of,
            [
                ("an address without TLS", json!("http://{name}.{namespace}.example.com")),
                ("an address with a query", json!("https://{name}.{namespace}.example.com/?a=b")),
                ("an address with a password", json!("https://a:b@{name}.{namespace}.example.com")),
            ],
        ),
        each(
            both,
            of,
            [
                ("an address without the name", json!("https://{namespace}.example.com")),
                ("an address without the namespace", json!("https://{name}.example.com")),
            ],
        ),
        each(
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
        each(either, of, [("a range and pods at once", json!({ "cidr": "192.0.2.0/24", "podSelector": {} })), ("a peer that is nobody", json!({}))]),
        each(
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
        each(
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
        each(
            host_form,
            allow,
            [("a server with a scheme", host("http://mcp.example")), ("a server with a port", host("mcp.example:443")), ("an address in brackets", host("[fd00::1]"))],
        ),
        each(
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
