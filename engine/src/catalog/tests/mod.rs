//! The catalog from files, as a whole.

mod arbitrary;
mod bad_entries;
mod files;
mod following;
mod good_entries;
mod published;
mod secrets;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::LiveCatalog;
use super::read::read;
use super::surroundings::Surroundings;
use crate::config::{ConnectorsConfig, Environment, HttpConfig};

/// A good entry.
const SLACK: &str = r#"{"name": "slack", "transport": "sse", "url": "https://slack.example.com/sse", "auth_method": "oauth"}"#;
/// Another one.
const NOTES: &str = r#"{"name": "notes", "transport": "streamable_http", "url": "https://notes.example.com/mcp", "auth_method": "none"}"#;

/// A catalog in a temporary folder, and Secrets in another.
struct Folder {
    catalog: TempDir,
    secrets: TempDir,
}

impl Folder {
    fn new() -> Self {
        Self {
            catalog: TempDir::new().unwrap(),
            secrets: TempDir::new().unwrap(),
        }
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self::new();
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn secret(&self, secret: &str, key: &str, content: &str) {
        let folder = self.secrets.path().join(secret);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(key), content).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.catalog.path().join(name)
    }

    /// Outside Kubernetes.
    fn config(&self) -> ConnectorsConfig {
        self.config_with(&[])
    }

    fn config_with(&self, more: &[(&str, &str)]) -> ConnectorsConfig {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (catalog, secrets) = (text(self.catalog.path()), text(self.secrets.path()));
        let mut variables = vec![
            ("CATALOG_DIR", catalog.as_str()),
            ("SECRETS_DIR", &secrets),
            (
                "EGRESS_ALLOW",
                "http://plain.example.com:8080, http://[::1]:9000, 10.0.0.0/8, tls.example.com:8443",
            ),
        ];
        variables.extend_from_slice(more);
        let environment = Environment::of(&variables);
        ConnectorsConfig::read(&environment, &HttpConfig::read(&environment).unwrap()).unwrap()
    }

    fn load(&self) -> LiveCatalog {
        LiveCatalog::load(&self.config())
    }

    /// What is wrong with these files, without the path of the temporary folder.
    fn problems(&self) -> Vec<String> {
        self.problems_with(&self.config())
    }

    fn problems_with(&self, config: &ConnectorsConfig) -> Vec<String> {
        let problems = read(self.catalog.path(), &Surroundings::from(config)).problems;
        let path = self.catalog.path().to_str().unwrap();
        problems
            .iter()
            .map(|problem| problem.replace(path, "/catalog"))
            .collect()
    }
}

/// The names in force, and nothing else.
fn names(catalog: &LiveCatalog) -> Vec<String> {
    catalog
        .current()
        .servers
        .keys()
        .map(ToString::to_string)
        .collect()
}
