//! What is generated is committed, and is what the generator writes today.
#![cfg(feature = "kinds")]

use std::path::Path;

#[test]
fn the_committed_definitions_are_the_generated_ones() {
    for (file, definition) in userengine_api::crd::definitions() {
        let path = Path::new("yaml").join(file);
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let generated = userengine_api::crd::to_yaml(&definition).unwrap();
        assert!(
            committed == generated,
            "crds/yaml/{file} is out of date: run `make generate`"
        );
    }
}
