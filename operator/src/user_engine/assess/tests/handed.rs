//! Catalogs and certificate authorities that can, and that cannot, be handed to engines.

use super::*;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

/// A class that names a ConfigMap for each, of which these exist.
fn naming(config_maps: &[(&str, Value)]) -> World {
    let fields =
        json!({ "catalog": { "configMap": "servers" }, "tls": { "caConfigMap": "roots" } });
    config_maps
        .iter()
        .fold(world().class(&fields), |world, (name, data)| {
            world.config_map(name, data)
        })
}

fn with_catalog(data: Value) -> World {
    naming(&[("servers", data), ("roots", json!({ "ca.crt": PEM }))])
}

fn with_ca(data: Value) -> World {
    naming(&[("servers", json!({ "all.json": "[]" })), ("roots", data)])
}

pub fn situations() -> Vec<Situation> {
    let of: fn(&Assessment) -> &Finding = |all| &all.class;
    let situation =
        |world, reason, words: &'static [&'static str]| (world, of, reason, Severity::Fine, words);
    let large = json!({ "all.json": format!("[{}]", " ".repeat(256 * 1024)) });
    vec![
        situation(
            with_ca(json!({ "ca.crt": PEM })),
            Reason::AsExpected,
            &["'standard'"],
        ),
        situation(
            naming(&[]),
            Reason::CatalogMissing,
            &["no ConfigMap 'servers'", "'userengine-system'", "create it"],
        ),
        situation(
            with_catalog(large),
            Reason::CatalogInvalid,
            &["'servers'", "262144 are allowed"],
        ),
        situation(
            with_catalog(json!({ "all.json": "[]", "more.json": "[}" })),
            Reason::CatalogInvalid,
            &[
                "'more.json' is not JSON",
                "line 1",
                "keep the one they have",
            ],
        ),
        situation(
            with_catalog(json!({ "all.yaml": "" })),
            Reason::CatalogInvalid,
            &["ends in .json"],
        ),
        situation(
            naming(&[("servers", json!({ "all.json": "[]" }))]),
            Reason::CaMissing,
            &["no ConfigMap 'roots'"],
        ),
        situation(
            with_ca(json!({ "ca.pem": PEM })),
            Reason::CaInvalid,
            &["'roots'", "'ca.crt'", "PEM"],
        ),
    ]
}

#[test]
fn the_files_of_a_catalog_are_those_that_end_in_json() {
    let world = with_catalog(json!({ "all.json": "[]", "README": "for people" }));
    let handed = world.assess().resolved.unwrap().handed;
    assert_eq!(
        handed.catalog.unwrap().into_keys().collect::<Vec<_>>(),
        ["all.json"]
    );
    assert_eq!(handed.ca, Some(Some(PEM.to_owned())));
}

#[test]
fn a_class_that_hands_nothing_on_hands_on_nothing() {
    let handed = world().assess().resolved.unwrap().handed;
    assert_eq!(handed.catalog, Some(BTreeMap::new()));
    assert_eq!(handed.ca, Some(None));
}
