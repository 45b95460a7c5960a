//! Labels of DNS names.

use std::fmt;

/// A label of a DNS name in lower case (RFC 1123): 1 to 63 characters of `[a-z0-9-]`, with no `-` at an end. Names of
/// namespaces and engines are labels; both end up in URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsLabel(String);

/// The text is not a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a DNS label is 1 to 63 characters of a-z 0-9 '-', with no '-' at its ends")]
pub struct DnsLabelError;

impl DnsLabel {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for DnsLabel {
    type Error = DnsLabelError;

    fn try_from(text: &str) -> Result<Self, DnsLabelError> {
        let fits = (1..=63).contains(&text.len())
            && text
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(DnsLabelError)
        }
    }
}

impl fmt::Display for DnsLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
