//! The conditions of a `UserEngine` and every reason that they may carry.

use crate::refusal::RefusalReason;

/// What a condition speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The engine serves its user.
    Ready,
    /// There is an EngineClass to follow.
    ClassResolved,
    /// The key that the brain is sealed with is there, and is that key.
    KeyAvailable,
    /// The brain's volume is there and belongs to this user.
    StorageReady,
    /// The pod serves.
    EngineAvailable,
    /// Every sealed value has the key that was asked for, and no rotation is open.
    EncryptionUpToDate,
    /// Nothing of the engine is changed, because somebody asked for that.
    Paused,
}

impl ConditionType {
    /// Every type, in the order in which they are met.
    pub const ALL: [Self; 7] = [
        Self::Ready,
        Self::ClassResolved,
        Self::KeyAvailable,
        Self::StorageReady,
        Self::EngineAvailable,
        Self::EncryptionUpToDate,
        Self::Paused,
    ];

    /// The condition's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::ClassResolved => "ClassResolved",
            Self::KeyAvailable => "KeyAvailable",
            Self::StorageReady => "StorageReady",
            Self::EngineAvailable => "EngineAvailable",
            Self::EncryptionUpToDate => "EncryptionUpToDate",
            Self::Paused => "Paused",
        }
    }
}

/// Makes the enum, its list and its names from one list, so that none can be forgotten.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Why a condition is as it is. Stable: alerts and scripts may rely on the names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])* $name,)*
            /// The engine refused to start, and said why.
            Refused(RefusalReason),
        }

        impl Reason {
            /// Every reason of the operator's own; an engine's refusals come besides.
            pub const OWN: &[Self] = &[$(Self::$name,)*];

            /// The condition's `reason`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    Self::Refused(refusal) => refusal.as_str(),
                }
            }
        }
    };
}

reasons! {
    /// All is well.
    AsExpected,
    /// The pod is coming up.
    Starting,
    /// The pod is going away.
    Stopping,
    /// Stopped on request.
    Suspended,
    /// Another condition has to hold first.
    Waiting,
    /// The class that is asked for does not exist.
    ClassNotFound,
    /// No class is asked for, and none is marked as default.
    NoDefaultClass,
    /// No class is asked for, and more than one is marked as default.
    SeveralDefaultClasses,
    /// The image that is asked for is none that the class allows.
    ImageNotAllowed,
    /// The CPU or memory that is asked for is more than the class allows.
    ResourcesOutOfBounds,
    /// A variable, or a source of variables, is asked for that the class does not allow.
    EnvNotAllowed,
    /// The class has changed, and others of its engines are restarted first.
    RolloutQueued,
    /// The ConfigMap with the class's catalog does not exist.
    CatalogMissing,
    /// The ConfigMap with the class's catalog cannot be handed to engines.
    CatalogInvalid,
    /// The ConfigMap with the class's certificate authorities does not exist.
    CaMissing,
    /// The ConfigMap with the class's certificate authorities holds none.
    CaInvalid,
    /// The brain was made with a key of which nothing is recorded.
    KeyUnknown,
    /// The key's Secret is gone.
    KeyMissing,
    /// The key's Secret holds no key.
    KeyMalformed,
    /// The key's Secret holds another key than the brain's.
    KeyForeign,
    /// The key's Secret is being deleted.
    KeyDeletionPending,
    /// Stopped while every sealed value gets another key.
    Rotating,
    /// A rotation is asked for, and something has to be well again first.
    RotationPending,
    /// A rotation is asked for while another one runs.
    RotationQueued,
    /// The rotation that is asked for cannot be done.
    RotationRejected,
    /// The rotation came to nothing without changing anything.
    RotationRefused,
    /// The rotation did not come to its end in time or within its attempts.
    RotationFailed,
    /// A pod that mounts the volume is on a node that does not answer.
    NodeUnreachable,
    /// The pod's node does not take it, or has put it out.
    PodRejected,
    /// The image cannot be had.
    ImagePullFailed,
    /// The node cannot make the surroundings in which the pod's containers run.
    SandboxFailed,
    /// The container cannot be made as its pod describes it.
    ContainerConfigError,
    /// The engine ends each time it is started, and does not say why.
    CrashLoop,
    /// The engine needs more memory than it may have.
    OutOfMemory,
    /// No node takes the pod.
    Unschedulable,
    /// The API server refuses the pod.
    PodRefused,
    /// The volume cannot be attached to the pod's node.
    VolumeNotAttached,
    /// A volume cannot be mounted into the pod.
    VolumeMountFailed,
    /// No volume can be made for the claim.
    ProvisioningFailed,
    /// Nothing is changed until the annotation goes.
    Paused,
    /// A pause begins once the rotation that has stopped the engine has brought it back.
    PausePending,
    /// The volume is not bound yet.
    ClaimPending,
    /// The volume is lost.
    ClaimLost,
    /// The volume of a brain that was there is gone.
    ClaimMissing,
    /// The volume belongs to another user or to nobody known.
    ClaimForeign,
    /// The volume is being deleted.
    ClaimDeletionPending,
    /// The size that is asked for is more than the class allows.
    SizeOutOfBounds,
    /// The size that is asked for is less than the volume has.
    ShrinkIgnored,
    /// The volume cannot be made as large as is asked for.
    GrowthRefused,
    /// The volume is larger on paper than it is.
    Growing,
    /// An object that the engine needs exists and belongs to somebody else.
    ChildNotOurs,
    /// The API server refused an object that the engine needs.
    ChildRefused,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_the_form_that_the_api_server_asks_for() {
        for reason in Reason::OWN {
            let text = reason.as_str();
            assert!(
                text.starts_with(|c: char| c.is_ascii_uppercase())
                    && text.chars().all(|c| c.is_ascii_alphanumeric())
            );
        }
    }
}
