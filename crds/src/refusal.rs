//! In which words an engine refuses to start, and a rotation to go on.
//!
//! A refusal ends the process with an exit code and, in a pod, leaves itself as JSON in the
//! termination message, from which the operator makes a condition.

use serde::{Deserialize, Serialize};

/// Longest message that is kept, in bytes: escaped and in its frame it stays below the kubelet's 4096.
pub const MESSAGE_LIMIT: usize = 1536;

/// Why an engine did not start, or a rotation did not come to its end. The variant's name is the condition's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RefusalReason {
    /// A variable is missing or has a value the engine cannot use.
    ConfigInvalid,
    /// No encryption key was given.
    KeyMissing,
    /// A key is not 44 characters of URL-safe base64.
    KeyMalformed,
    /// A key is not the one its name says.
    KeyMislabelled,
    /// The ring does not hold the key that this brain is sealed with.
    KeyForeign,
    /// There should be a brain, and there is none.
    BrainMissing,
    /// The brain belongs to another engine, or is no brain.
    BrainForeign,
    /// The brain is damaged.
    BrainCorrupt,
    /// A newer engine wrote this brain (`MIGRATION_REQUIRED`).
    MigrationRequired,
    /// Another engine has the brain open.
    BrainLocked,
    /// The volume cannot be read or written.
    StorageFailed,
    /// The brain is not sealed with a key that the rotation starts from, or it is sealed with its target already.
    RotationReversed,
    /// The rotation was superseded by another one, or never began.
    RotationOver,
    /// A rotation is open, and only a brain without one can be verified by itself.
    RotationOpen,
    /// The rotation was told to stop before its end: a rerun goes on.
    RotationInterrupted,
    /// Values open with no key of the ring, and nobody decided to set them aside.
    RowsUnreadable,
    /// A sealed value lies in a column that no rotation would reach.
    SecretsUnregistered,
    /// The values are not those that the rotation began with.
    InventoryChanged,
    /// The volume has no room for the work.
    StorageFull,
    /// The volume cannot be written to.
    StorageReadOnly,
}

impl RefusalReason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 20] = [
        Self::ConfigInvalid,
        Self::KeyMissing,
        Self::KeyMalformed,
        Self::KeyMislabelled,
        Self::KeyForeign,
        Self::BrainMissing,
        Self::BrainForeign,
        Self::BrainCorrupt,
        Self::MigrationRequired,
        Self::BrainLocked,
        Self::StorageFailed,
        Self::RotationReversed,
        Self::RotationOver,
        Self::RotationOpen,
        Self::RotationInterrupted,
        Self::RowsUnreadable,
        Self::SecretsUnregistered,
        Self::InventoryChanged,
        Self::StorageFull,
        Self::StorageReadOnly,
    ];

    /// The variant's name, for conditions and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigInvalid => "ConfigInvalid",
            Self::KeyMissing => "KeyMissing",
            Self::KeyMalformed => "KeyMalformed",
            Self::KeyMislabelled => "KeyMislabelled",
            Self::KeyForeign => "KeyForeign",
            Self::BrainMissing => "BrainMissing",
            Self::BrainForeign => "BrainForeign",
            Self::BrainCorrupt => "BrainCorrupt",
            Self::MigrationRequired => "MigrationRequired",
            Self::BrainLocked => "BrainLocked",
            Self::StorageFailed => "StorageFailed",
            Self::RotationReversed => "RotationReversed",
            Self::RotationOver => "RotationOver",
            Self::RotationOpen => "RotationOpen",
            Self::RotationInterrupted => "RotationInterrupted",
            Self::RowsUnreadable => "RowsUnreadable",
            Self::SecretsUnregistered => "SecretsUnregistered",
            Self::InventoryChanged => "InventoryChanged",
            Self::StorageFull => "StorageFull",
            Self::StorageReadOnly => "StorageReadOnly",
        }
    }

    /// The engine has no key, or one that is of no use to it.
    pub fn is_of_the_key(self) -> bool {
        self.exit_code() == 65
    }

    /// It may pass by itself: another try may fare better.
    pub fn may_pass(self) -> bool {
        matches!(self.exit_code(), 74 | 75)
    }

    /// The process's exit code: 64 configuration, 65 keys, 66 brain, 67 the rotation, 74 storage, 75 try again
    /// (the numbers of `sysexits.h`, but for 67). 74 and 75 may pass by themselves; the others never do.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::ConfigInvalid => 64,
            Self::KeyMissing | Self::KeyMalformed | Self::KeyMislabelled | Self::KeyForeign => 65,
            Self::BrainMissing
            | Self::BrainForeign
            | Self::BrainCorrupt
            | Self::MigrationRequired => 66,
            Self::RotationReversed
            | Self::RotationOver
            | Self::RotationOpen
            | Self::RowsUnreadable
            | Self::SecretsUnregistered
            | Self::InventoryChanged => 67,
            Self::StorageFailed | Self::StorageFull | Self::StorageReadOnly => 74,
            Self::BrainLocked | Self::RotationInterrupted => 75,
        }
    }
}

/// A refusal, as the termination message holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {message}", .reason.as_str())]
pub struct Refusal {
    /// Which of the documented reasons.
    pub reason: RefusalReason,
    /// What was found, what was expected, what to do. Never a secret.
    pub message: String,
}

impl Refusal {
    /// A refusal with its message on one line, cut to [`MESSAGE_LIMIT`] bytes.
    pub fn new(reason: RefusalReason, message: impl Into<String>) -> Self {
        let mut message = message.into().replace(char::is_control, " ");
        let end = (0..=MESSAGE_LIMIT.min(message.len()))
            .rev()
            .find(|&i| message.is_char_boundary(i))
            .unwrap_or(0);
        message.truncate(end);
        Self { reason, message }
    }

    /// The termination message.
    pub fn to_json(&self) -> String {
        serde_json::json!({ "reason": self.reason, "message": self.message }).to_string()
    }

    /// Reads a termination message; `None` if it is anything else.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text.trim()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_termination_message() {
        for reason in RefusalReason::ALL {
            let refusal = Refusal::new(reason, "found 3, expected 4");
            assert_eq!(Refusal::from_json(&refusal.to_json()), Some(refusal));
        }
    }

    #[test]
    fn fits_the_kubelets_limit_whatever_the_message() {
        for text in ["é\"", "\"", "\u{1}", "\\\n"] {
            let refusal = Refusal::new(RefusalReason::BrainCorrupt, text.repeat(4000));
            assert!(refusal.to_json().len() < 4096, "{text:?}");
            assert_eq!(Refusal::from_json(&refusal.to_json()), Some(refusal));
        }
    }

    #[test]
    fn takes_no_other_text_for_a_refusal() {
        assert_eq!(Refusal::from_json("thread main panicked"), None);
        assert_eq!(
            Refusal::from_json(r#"{"reason":"Sunspots","message":""}"#),
            None
        );
    }
}
