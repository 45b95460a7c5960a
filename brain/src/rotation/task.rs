//! What a Job was told to do.

use std::collections::BTreeSet;

use userengine_rotation::gate::Order;
use userengine_rotation::request::{Mode, RowName};

/// One rotation.
#[derive(Debug, Clone)]
pub struct Task {
    /// Which, from which keys, to which.
    pub order: Order,
    /// Why.
    pub mode: Mode,
    /// Rows that somebody decided to set aside, should they open with no key.
    pub set_aside: BTreeSet<RowName>,
    /// The image that runs, for the certificate.
    pub image: String,
    /// The program that runs, as it measured itself, for the certificate.
    pub binary: String,
}
