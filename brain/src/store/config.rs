//! Where the brain is, and what it must be.

use std::path::PathBuf;
use std::str::FromStr;

use crate::domain::DatabaseId;

/// The brain's file and the expectations on it.
#[derive(Debug, Clone)]
pub struct BrainConfig {
    /// The file.
    pub path: PathBuf,
    /// May a brain be made?
    pub mode: BrainMode,
    /// The id that the brain must carry; `None` takes what is there.
    pub database_id: Option<DatabaseId>,
}

/// May a brain be made where there is none?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrainMode {
    /// Yes; one that is there is opened.
    Create,
    /// No: an emptied volume is not a new user.
    Existing,
}

impl FromStr for BrainMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "create" => Ok(Self::Create),
            "existing" => Ok(Self::Existing),
            _ => Err(()),
        }
    }
}
