//! The walls: who may talk to the engine, and to whom it may talk. Never to a peer.

use std::net::IpAddr;

use serde_json::{Value, json};
use userengine_api::engine_class::{Egress, EgressDefault, Peer};
use userengine_api::labels;
use userengine_api::layout::{API_PORT, INTERNAL_PORT};

use super::{Blueprint, job, pod_selector};
use crate::user_engine::child::{Child, ChildKind};

/// Every IPv4 block of the IANA special-purpose registry, and multicast (<https://www.iana.org/assignments/iana-ipv4-special-registry>).
const NOT_PUBLIC_V4: [&str; 18] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];
/// The global unicast range of IPv6: loopback, link-local, unique local, NAT64 and multicast lie outside it.
const GLOBAL_V6: &str = "2000::/3";
/// What the IANA special-purpose registry takes out of [`GLOBAL_V6`]
/// (<https://www.iana.org/assignments/iana-ipv6-special-registry>).
const NOT_PUBLIC_V6: [&str; 5] = [
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
];

/// Both directions are closed but for what is listed
/// (<https://kubernetes.io/docs/concepts/services-networking/network-policies/>).
pub fn build(blueprint: &Blueprint<'_>) -> Child {
    let body = json!({
        "spec": {
            "podSelector": { "matchLabels": pod_selector(blueprint.name) },
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress(blueprint),
            "egress": egress(&blueprint.class.egress),
        }
    });
    blueprint.child(
        ChildKind::NetworkPolicy,
        blueprint.names().main(),
        "networking.k8s.io/v1",
        body,
    )
}

/// Around what a rotation runs: the operator asks how far it is, and that is all.
pub fn rotation(blueprint: &Blueprint<'_>) -> Child {
    let body = json!({
        "spec": {
            "podSelector": { "matchLabels": job::selector(blueprint.name) },
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{ "from": [operator(blueprint)], "ports": tcp(&[INTERNAL_PORT.into()]) }],
        }
    });
    blueprint.child(
        ChildKind::NetworkPolicy,
        blueprint.names().rotation(),
        "networking.k8s.io/v1",
        body,
    )
}

/// The operator's own pods.
fn operator(blueprint: &Blueprint<'_>) -> Value {
    json!({
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": blueprint.operator_namespace } },
        "podSelector": { "matchLabels": { labels::NAME: labels::MANAGER } },
    })
}

fn ingress(blueprint: &Blueprint<'_>) -> Vec<Value> {
    let class = blueprint.class;
    let mut rules = Vec::new();
    if !class.ingress_from.is_empty() {
        rules.push(json!({ "from": peers(&class.ingress_from), "ports": tcp(&[API_PORT.into()]) }));
    }
    let inside: Vec<_> = [operator(blueprint)]
        .into_iter()
        .chain(peers(&class.monitoring_from))
        .collect();
    rules.push(json!({ "from": inside, "ports": tcp(&[INTERNAL_PORT.into()]) }));
    rules
}

fn egress(egress: &Egress) -> Vec<Value> {
    let dns_ports = json!([{ "port": 53, "protocol": "UDP" }, { "port": 53, "protocol": "TCP" }]);
    let mut rules = vec![json!({ "to": dns(egress), "ports": dns_ports })];
    if egress.default == EgressDefault::Public {
        let public = public(&egress.deny_cidrs);
        // A rule with no peers would allow every peer there is.
        if !public.is_empty() {
            rules.push(json!({ "to": public }));
        }
    }
    rules.extend(
        egress
            .cidrs
            .iter()
            .map(|range| rule(&json!({ "ipBlock": { "cidr": range.cidr } }), &range.ports)),
    );
    rules.extend(egress.namespaces.iter().map(|namespaces| {
        rule(
            &json!({ "namespaceSelector": labels_of(&namespaces.selector.match_labels) }),
            &namespaces.ports,
        )
    }));
    rules
}

/// Where name servers are in nearly every cluster, unless the class says otherwise.
fn dns(egress: &Egress) -> Vec<Value> {
    if !egress.dns_peers.is_empty() {
        return peers(&egress.dns_peers);
    }
    vec![json!({
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "kube-system" } },
        "podSelector": { "matchLabels": { "k8s-app": "kube-dns" } },
    })]
}

/// The public internet without what the class denies. A denied range that swallows a whole family takes it out.
fn public(denied: &[String]) -> Vec<Value> {
    let block = |cidr: &str, special: &[&str]| {
        let inside: Vec<_> = denied
            .iter()
            .map(String::as_str)
            .filter(|range| lies_in(range, cidr))
            .collect();
        let swallowed = denied.iter().any(|range| covers(range, cidr));
        let except: Vec<_> = special.iter().copied().chain(inside).collect();
        (!swallowed).then(|| json!({ "ipBlock": { "cidr": cidr, "except": except } }))
    };
    [
        block("0.0.0.0/0", &NOT_PUBLIC_V4),
        block(GLOBAL_V6, &NOT_PUBLIC_V6),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `inner` is a strict part of `outer`; the API server refuses any other exception.
fn lies_in(inner: &str, outer: &str) -> bool {
    covers(outer, inner) && !covers(inner, outer)
}

/// Every address of `inner` is in `outer`, however either is written.
fn covers(outer: &str, inner: &str) -> bool {
    let (Some((inner, inner_bits)), Some((outer, outer_bits))) = (parse(inner), parse(outer))
    else {
        return false;
    };
    let shared =
        |width: u32, a: u128, b: u128| outer_bits == 0 || (a ^ b) >> (width - outer_bits) == 0;
    inner_bits >= outer_bits
        && match (inner, outer) {
            (IpAddr::V4(a), IpAddr::V4(b)) => shared(32, u32::from(a).into(), u32::from(b).into()),
            (IpAddr::V6(a), IpAddr::V6(b)) => shared(128, a.into(), b.into()),
            _ => false,
        }
}

fn parse(cidr: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = cidr.split_once('/')?;
    let (address, bits): (IpAddr, u32) = (address.parse().ok()?, bits.parse().ok()?);
    let width = if address.is_ipv4() { 32 } else { 128 };
    (bits <= width).then_some((address, bits))
}

fn peers(peers: &[Peer]) -> Vec<Value> {
    peers.iter().map(peer).collect()
}

fn peer(peer: &Peer) -> Value {
    if let Some(cidr) = &peer.cidr {
        return json!({ "ipBlock": { "cidr": cidr } });
    }
    let mut value = serde_json::Map::new();
    for (name, selector) in [
        ("namespaceSelector", &peer.namespace_selector),
        ("podSelector", &peer.pod_selector),
    ] {
        if let Some(selector) = selector {
            value.insert(name.to_owned(), labels_of(&selector.match_labels));
        }
    }
    Value::Object(value)
}

/// An empty selector stays empty: that is how the API server stores it.
fn labels_of(all: &std::collections::BTreeMap<String, String>) -> Value {
    if all.is_empty() {
        json!({})
    } else {
        json!({ "matchLabels": all })
    }
}

fn rule(to: &Value, ports: &[i32]) -> Value {
    if ports.is_empty() {
        json!({ "to": [to] })
    } else {
        json!({ "to": [to], "ports": tcp(ports) })
    }
}

fn tcp(ports: &[i32]) -> Vec<Value> {
    ports
        .iter()
        .map(|port| json!({ "port": port, "protocol": "TCP" }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_a_strict_part_of_its_range() {
        assert!(lies_in("198.51.100.0/24", "0.0.0.0/0"));
        assert!(lies_in("2001:db8::/32", GLOBAL_V6));
        for (inner, outer) in [
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("fd00::/8", GLOBAL_V6),
            ("8.8.8.8/32", GLOBAL_V6),
            ("x", "0.0.0.0/0"),
            ("192.0.2.0/33", "0.0.0.0/0"),
            ("192.0.2.0/24", "192.0.2.0/64"),
        ] {
            assert!(!lies_in(inner, outer), "{inner} in {outer}");
        }
    }

    #[test]
    fn every_special_range_is_an_exception_that_the_api_server_accepts() {
        assert!(
            NOT_PUBLIC_V4
                .iter()
                .all(|range| lies_in(range, "0.0.0.0/0"))
        );
        assert!(NOT_PUBLIC_V6.iter().all(|range| lies_in(range, GLOBAL_V6)));
    }

    #[test]
    fn denying_everything_leaves_no_rule_that_allows_anything() {
        let denied = ["0.0.0.0/0", "::/0"].map(str::to_owned).to_vec();
        let rules = egress(&Egress {
            deny_cidrs: denied,
            ..Egress::default()
        });
        assert_eq!(rules.len(), 1, "{rules:?}");
        assert!(
            rules
                .iter()
                .all(|rule| !rule["to"].as_array().unwrap().is_empty())
        );
    }

    #[test]
    fn denying_a_whole_family_takes_it_out() {
        assert_eq!(
            public(&["0.0.0.0/0".to_owned(), "::/0".to_owned()]),
            Vec::<Value>::new()
        );
        assert_eq!(
            public(&["1.2.3.4/0".to_owned(), "2000:0::/3".to_owned()]),
            Vec::<Value>::new()
        );
        assert_eq!(public(&["8.8.8.0/24".to_owned()]).len(), 2);
    }
}
