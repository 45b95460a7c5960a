//! What a pod of an engine looks like from both sides: ports, paths, variables.

/// Port of the API, MCP, OAuth and the pages.
pub const API_PORT: u16 = 8080;
/// Port of health, metrics and `/keys`: open to the operator and to monitoring only.
pub const INTERNAL_PORT: u16 = 9090;

/// Folder of the brain's volume.
pub const DATA_DIR: &str = "/data";
/// The brain's file.
pub const BRAIN_FILE: &str = "/data/brain.sqlite";
/// Folder in which each key of the ring is one file, named by its kid.
pub const KEYRING_DIR: &str = "/keys";
/// File with the SHA-256 hashes of the API keys that are accepted.
pub const API_KEY_HASH_FILE: &str = "/api-key/hashes";
/// Where the kubelet reads why a container ended
/// (<https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/>).
pub const TERMINATION_LOG: &str = "/dev/termination-log";

/// Variables that the engine reads. The operator sets each of them, so no user may.
pub mod env {
    /// Path of the brain.
    pub const SQLITE_DB_PATH: &str = "SQLITE_DB_PATH";
    /// The engine's API key as plain text (standalone).
    pub const ENGINE_API_KEY: &str = "ENGINE_API_KEY";
    /// SHA-256 of the API key in hex; a comma list during an overlap.
    pub const ENGINE_KEY_HASH: &str = "ENGINE_KEY_HASH";
    /// A file with the same list, read again when it changes.
    pub const ENGINE_KEY_HASH_FILE: &str = "ENGINE_KEY_HASH_FILE";
    /// One encryption key (standalone).
    pub const AD_ENCRYPTION_KEY: &str = "AD_ENCRYPTION_KEY";
    /// Folder with the ring, one file a kid.
    pub const KEYRING_DIR: &str = "KEYRING_DIR";
    /// The id that the brain must carry.
    pub const DATABASE_ID: &str = "DATABASE_ID";
    /// `create` or `existing`.
    pub const BRAIN_MODE: &str = "BRAIN_MODE";
    /// Level of the engine's log.
    pub const ENGINE_LOG_LEVEL: &str = "ENGINE_LOG_LEVEL";
    /// `json` or `pretty`.
    pub const ENGINE_LOG_FORMAT: &str = "ENGINE_LOG_FORMAT";
    /// Address of the API.
    pub const LISTEN_ADDR: &str = "LISTEN_ADDR";
    /// Address of the internal listener.
    pub const INTERNAL_ADDR: &str = "INTERNAL_ADDR";
    /// The address under which the outside reaches this engine.
    pub const PUBLIC_URL: &str = "PUBLIC_URL";
    /// Seconds that a stop may wait for requests in flight.
    pub const SHUTDOWN_GRACE_SECONDS: &str = "SHUTDOWN_GRACE_SECONDS";
}

/// Keys of the engine's ConfigMap.
pub mod config_map {
    /// `create` until the brain was Ready once, then `existing`.
    pub const BRAIN: &str = "brain";
}

/// Keys of the Secrets.
pub mod secret {
    /// The one entry of an encryption-key Secret.
    pub const KEY: &str = "key";
    /// The API key, for the platform's backend.
    pub const API_KEY: &str = "key";
    /// The hashes that the pod mounts.
    pub const API_KEY_HASHES: &str = "hashes";
}
