//! Valid objects that say as much as they may.

use serde_json::{Value, json};

/// Every field, at its bound where it has one.
pub fn largest_engine() -> Value {
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
pub fn largest_class() -> Value {
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
