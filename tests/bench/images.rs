//! The size of the images.

use std::path::Path;

use anyhow::Context as _;

use crate::report::{Budget, Line, Measured};

/// Reads the sizes of both archives.
pub fn measure(dist: &Path) -> anyhow::Result<Measured> {
    let mut lines = Vec::new();
    for image in ["engine", "operator"] {
        let path = dist.join(format!("{image}.tar"));
        let size = std::fs::metadata(&path)
            .with_context(|| format!("failed to find {}", path.display()))?
            .len();
        let kib = u32::try_from(size.div_ceil(1024)).context("a very large image")?;
        lines.push(Line {
            what: format!("image of the {image}"),
            unit: "MiB".to_owned(),
            ours: vec![f64::from(kib) / 1024.0],
            against: None,
            budget: Some(Budget::Median(20.0)),
        });
    }
    Ok(Measured {
        lines,
        busy: Vec::new(),
        notes: Vec::new(),
    })
}
