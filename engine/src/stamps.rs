//! What files looked like: cheap to take, and different whenever a content is.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Changes whenever the file does; unlike the time of modification, the time of change cannot be set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl From<Metadata> for Stamp {
    fn from(metadata: Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What a path looked like. What cannot be looked at has no stamp, which is a state like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    path: PathBuf,
    stamp: Option<Stamp>,
}

impl Look {
    /// Looks now. Of a link, at what it points at: a link that is replaced then shows another inode.
    pub fn at(path: PathBuf) -> Self {
        let stamp = stamp(&path);
        Self { path, stamp }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(Stamp::from)
}

/// What a set of paths looked like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stamps(Vec<Look>);

impl Stamps {
    /// Looks at a folder and its files.
    ///
    /// In a mounted ConfigMap the kubelet replaces the link `..data` and never writes into what it points at, so one look
    /// stands for all files (<https://pkg.go.dev/k8s.io/kubernetes/pkg/volume/util#AtomicWriter>).
    pub fn of_folder(folder: &Path, files: Vec<PathBuf>) -> Self {
        let data = folder.join("..data");
        let files = if fs::symlink_metadata(&data).is_ok() {
            Vec::new()
        } else {
            files
        };
        Self(
            [folder.to_owned(), data]
                .into_iter()
                .chain(files)
                .map(Look::at)
                .collect(),
        )
    }

    /// These and those.
    pub fn and(mut self, others: Vec<Look>) -> Self {
        self.0.extend(others);
        self
    }

    /// Does everything still look the same? One system call a path.
    pub fn hold(&self) -> bool {
        self.0.iter().all(|look| stamp(&look.path) == look.stamp)
    }
}
