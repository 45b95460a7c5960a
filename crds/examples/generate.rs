//! Writes `crds/yaml/`: `cargo run -p userengine-api --features kinds --example generate`.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    for (file, definition) in userengine_api::crd::definitions() {
        std::fs::write(
            folder.join(file),
            userengine_api::crd::to_yaml(&definition)?,
        )?;
    }
    Ok(())
}
