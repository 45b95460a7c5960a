//! The files of the catalog.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::problem::shown;
use super::secret::open;

/// Largest file, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// Most files: as many as entries.
const MOST_FILES: usize = super::MOST_ENTRIES;

/// The files of a folder that are meant, by name. A mounted ConfigMap also has `..data` and a folder with a date for a name.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: io::Error| {
        format!(
            "CATALOG_DIR {}: cannot be read: {}",
            folder.display(),
            error.kind()
        )
    };
    let mut files = Vec::new();
    for found in fs::read_dir(folder).map_err(failed)? {
        let path = found.map_err(failed)?.path();
        let hidden = name(&path).starts_with('.');
        if !hidden
            && path
                .extension()
                .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            return Err(format!(
                "CATALOG_DIR {}: holds more than {MOST_FILES} JSON files: put several servers into one file",
                folder.display()
            ));
        }
    }
    files.sort();
    Ok(files)
}

/// The text of a file. Gives what is wrong with it if it cannot be text of a catalog.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::IsADirectory => {
            "expected a file, found a folder, a pipe or a device".to_owned()
        }
        io::ErrorKind::NotFound => "cannot be read: it is a link to nowhere".to_owned(),
        kind => format!("cannot be read: {kind}"),
    };
    let mut bytes = Vec::new();
    open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err("expected at most 1 MiB: put the servers into several files".to_owned());
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err("expected UTF-8 without a byte order mark: save it without one".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        format!(
            "expected UTF-8 text: the byte at offset {} does not fit",
            error.utf8_error().valid_up_to()
        )
    })
}

/// The name of a file, as messages say it.
pub(super) fn name(path: &Path) -> String {
    shown(&path.file_name().unwrap_or_default().to_string_lossy())
}
