//! Labels, annotations and finalizers.

/// Names the engine that an object belongs to; on every child.
pub const ENGINE: &str = "userengine.dev/engine";
/// What an object is for: the engine's pod's is `engine`, that of a rotation's Job and pod is [`ROTATION_COMPONENT`].
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// Value of [`COMPONENT`] on what a rotation runs.
pub const ROTATION_COMPONENT: &str = "rotation";
/// On a Job and its pod that prove that a key is not needed any more, besides what a rotation's have.
pub const PROOF: &str = "userengine.dev/proof";
/// The recommended labels, see
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>.
pub const NAME: &str = "app.kubernetes.io/name";
/// Name of the `UserEngine`, again, for tools that know the recommended labels only.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// Who looks after the object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`NAME`] on an engine's children.
pub const NAME_VALUE: &str = "userengine";
/// Value of [`MANAGED_BY`], and the field manager of every write.
pub const MANAGER: &str = "userengine-operator";
/// On a key Secret: the kid of its key.
pub const KID: &str = "userengine.dev/kid";

/// What every annotation begins with that the operator alone writes.
pub const DOMAIN: &str = "userengine.dev/";
/// On a `UserEngine`, with the value `true`: nothing of it is changed until this is taken off.
pub const PAUSED: &str = "userengine.dev/paused";
/// On a StatefulSet without a replica: why it has none.
pub const STOPPED_FOR: &str = "userengine.dev/stopped-for";
/// Value of [`STOPPED_FOR`]: a rotation has stopped it, and brings it back.
pub const FOR_ROTATION: &str = "rotation";
/// Value of [`STOPPED_FOR`]: `spec.suspended`.
pub const FOR_SPEC: &str = "suspended";
/// On a StatefulSet whose pod was refused: a hash of what bounded the pods of its namespace when it was last tried, and when, if
/// that was the same before.
pub const BOUNDS: &str = "userengine.dev/tried-under";
/// On a StatefulSet: a hash of what the engine itself asks for its pod, by which a change of its class is known as one.
pub const ASKED: &str = "userengine.dev/asked";

/// On a pod: the catalog that its kubelet was told to bring. A change of a pod makes the kubelet look at its mounts now,
/// and not within the next minute or two.
pub const CATALOG: &str = "userengine.dev/catalog";
/// On a pod: the API keys, by the short names of their hashes, that its kubelet was told to bring.
pub const API_KEYS: &str = "userengine.dev/api-keys";
/// On a pod's template: the certificate authorities that its engine read at start.
pub const CA: &str = "userengine.dev/ca";

/// Marks the class that an engine without `className` gets, with the value `true`.
pub const DEFAULT_CLASS: &str = "userengine.dev/is-default-class";

/// On a claim: the user that the brain belongs to.
pub const USER: &str = "userengine.dev/user";
/// On a claim: the class that the engine sticks to.
pub const CLASS: &str = "userengine.dev/class";
/// On a claim and its key Secrets: the id that the brain carries.
pub const DATABASE_ID: &str = "userengine.dev/database-id";
/// On a claim: the keys of the brain, `kid:state:suffix` joined by commas.
pub const KEYS: &str = "userengine.dev/keys";
/// On a claim: hashes of the rotations that are over, joined by commas.
pub const CONSUMED: &str = "userengine.dev/consumed";
/// On a claim: the rotation that is open, as JSON. On its Jobs: its id.
pub const ROTATION: &str = "userengine.dev/rotation";
/// On a claim: how the last rotation ended, as JSON.
pub const LAST_ROTATION: &str = "userengine.dev/last-rotation";
/// On the API-key Secret: the rotation that is open, and those that are over, as JSON.
pub const API_KEY_ROTATION: &str = "userengine.dev/api-key-rotation";
/// On a key Secret, followed by the id of a backup: the backup needs the key, which is kept as long as this is there.
pub const HOLD_PREFIX: &str = "hold.userengine.dev/";
/// On a claim: `true` once the engine was Ready; from then on its brain is never made again. `false` if an engine went that
/// never was. Without it the brain is one that was made, except to the engine under which it was born, which remembers.
pub const INITIALISED: &str = "userengine.dev/initialised";

/// Holds a `UserEngine` until its durable children are dealt with.
pub const ENGINE_FINALIZER: &str = "userengine.dev/lifecycle";
/// Holds the claim, which is the record of the brain's keys.
pub const CLAIM_FINALIZER: &str = "userengine.dev/brain";
/// Holds a key Secret.
pub const KEY_FINALIZER: &str = "userengine.dev/key";
