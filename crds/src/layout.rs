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
/// Folder of the catalog: one JSON file or more, as the operator copies them from the class's ConfigMap.
pub const CATALOG_DIR: &str = "/catalog";
/// File with the certificate authorities that the class adds.
pub const EXTRA_CA_FILE: &str = "/ca/ca.crt";
/// Folder with one sub-folder for each Secret of the class's `secretNames`, named as the Secret is.
pub const SECRETS_DIR: &str = "/secrets";
/// Path of the OAuth callback under `OAUTH_REDIRECT_BASE_URL`; providers register this URL.
pub const OAUTH_CALLBACK_PATH: &str = "/assets/oauth/callback";
/// Path of the client metadata document under `OAUTH_REDIRECT_BASE_URL`; its URL is the `client_id` of every engine
/// (<https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/>).
pub const OAUTH_CLIENT_METADATA_PATH: &str = "/assets/oauth/client-metadata.json";
/// Where the kubelet reads why a container ended
/// (<https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/>).
pub const TERMINATION_LOG: &str = "/dev/termination-log";

/// What an engine refused to start for, for the next start in the same pod: containers of one pod share this file system in memory,
/// however often they are restarted.
pub const REFUSAL_FILE: &str = "/dev/shm/engine-refusal";

/// Variables that the engine reads. What an engine on Kubernetes is told by them, the operator tells it, so no user may set any.
pub mod env {
    /// Makes the names and their list from one list, so that none can be forgotten.
    macro_rules! variables {
        ($($(#[doc = $doc:literal])* $name:ident,)*) => {
            $($(#[doc = $doc])* pub const $name: &str = stringify!($name);)*

            /// Every variable that the engine reads.
            pub const ALL: &[&str] = &[$($name,)*];
        };
    }

    variables! {
        /// Path of the brain.
        SQLITE_DB_PATH,
        /// The engine's API key as plain text (standalone).
        ENGINE_API_KEY,
        /// SHA-256 of the API key in hex; a comma list during an overlap.
        ENGINE_KEY_HASH,
        /// A file with the same list, read again when it changes.
        ENGINE_KEY_HASH_FILE,
        /// One encryption key (standalone).
        AD_ENCRYPTION_KEY,
        /// Folder with the ring, one file a kid.
        KEYRING_DIR,
        /// The id that the brain must carry.
        DATABASE_ID,
        /// `create` or `existing`.
        BRAIN_MODE,
        /// Seconds that a start waits for another process that has the brain open.
        BRAIN_WAIT_SECONDS,
        /// File in which a start that is refused leaves why, for the next one. Set, a start that is refused for the same reason
        /// again waits until that is mended.
        REFUSAL_FILE,
        /// Level of the engine's log.
        ENGINE_LOG_LEVEL,
        /// `json` or `pretty`.
        ENGINE_LOG_FORMAT,
        /// Address of the API.
        LISTEN_ADDR,
        /// Address of the internal listener.
        INTERNAL_ADDR,
        /// The address under which the outside reaches this engine.
        PUBLIC_URL,
        /// `<namespace>.<name>` of the engine on Kubernetes: the prefix of every OAuth `state`, by which the relay finds the
        /// engine. Set, it also means that the engine must not start children (stdio servers).
        ENGINE_NAME,
        /// Folder with the catalog's JSON files.
        CATALOG_DIR,
        /// Folder with the Secrets that catalog entries name by `<secret>/<key>`.
        SECRETS_DIR,
        /// Base of the callback URL that providers register; the relay's address where one serves many engines.
        OAUTH_REDIRECT_BASE_URL,
        /// `auto`, `always` or `never`: are providers offered the client metadata document under that base?
        CLIENT_METADATA_DOCUMENT,
        /// Where the relay finds an engine: the class's `publicURL`, with `{name}` and `{namespace}` in it. Read by
        /// `engine relay` only. One relay serves one template: classes with different addresses need a relay each.
        ENGINE_URL_TEMPLATE,
        /// Private addresses that the engine may call: a comma list of CIDR or `host:port`; `http://host:port` permits plain HTTP there.
        EGRESS_ALLOW,
        /// PEM file with certificate authorities to trust beside the public ones.
        EXTRA_CA_FILE,
        /// Tool calls at once through one connection.
        CALLS_PER_CONNECTION,
        /// Tool calls at once through the engine.
        CALLS_PER_ENGINE,
        /// Seconds that a tool call may take.
        CALL_TIMEOUT_SECONDS,
        /// Failures within the window that open a connection's breaker, if they are enough of its calls.
        BREAKER_FAILURES,
        /// Which part of the calls within the window must have failed, in percent.
        BREAKER_FAILURE_PERCENT,
        /// Seconds that the breaker looks back.
        BREAKER_WINDOW_SECONDS,
        /// Seconds of the first rest after time-outs and 5xx; each further one is twice as long.
        BREAKER_COOL_DOWN_SECONDS,
        /// Seconds of the longest rest.
        BREAKER_COOL_DOWN_MAX_SECONDS,
        /// Seconds that a stop may wait for requests in flight.
        SHUTDOWN_GRACE_SECONDS,
        /// The id of the rotation (`engine migrate` and `engine verify` only, as the following ones).
        ROTATION_ID,
        /// The key ids that may be the brain's write key when the rotation begins, joined by commas; usually one.
        ROTATION_FROM,
        /// The key id that everything is sealed with in the end.
        ROTATION_TO,
        /// Unix seconds of when the rotation was opened. The brain begins none that is older than one that began.
        ROTATION_OPENED,
        /// `Normal` or `Compromised`.
        ROTATION_MODE,
        /// Rows to set aside, `<table>/<row id>` joined by commas.
        ROTATION_SET_ASIDE,
        /// The image that runs, for the certificate.
        ENGINE_IMAGE,
    }
}

/// Keys of the engine's ConfigMap.
pub mod config_map {
    /// [`CREATE`] until the engine was Ready once, then [`EXISTING`].
    pub const BRAIN: &str = "brain";
    /// A brain that is not there is made.
    pub const CREATE: &str = "create";
    /// A brain that is not there is a loss.
    pub const EXISTING: &str = "existing";
    /// The certificate authorities that the class adds, in PEM; also the key in the ConfigMap that the class names.
    pub const CA: &str = "ca.crt";
}

/// Keys of the Secrets.
pub mod secret {
    /// The one entry of an encryption-key Secret.
    pub const KEY: &str = "key";
    /// The API key, for the platform's backend.
    pub const API_KEY: &str = "key";
    /// The API key that is to come, while a rotation makes it known to the engine.
    pub const NEXT_API_KEY: &str = "nextKey";
    /// The hashes that the pod mounts.
    pub const API_KEY_HASHES: &str = "hashes";
}
