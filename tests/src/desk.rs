//! Whoever types what documents say.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use crate::Namespace;

/// A folder with what the documents take for granted: a shell in it types what they say.
pub struct Desk {
    /// Its files.
    pub folder: TempDir,
    path: String,
}

impl Desk {
    /// One whose kubectl takes this namespace, unless it is told another.
    pub async fn new(namespace: &Namespace) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        #[expect(
            clippy::disallowed_methods,
            reason = "where the programs are is the script's to say"
        )]
        let (path, operator) = (std::env::var("PATH")?, std::env::var("USERENGINE_OPERATOR"));
        let operator = operator.context("USERENGINE_OPERATOR is not set")?;
        let programs = Path::new(&operator).parent().context("no folder")?;
        let path = format!("{}:{path}", programs.display());
        for name in ["charts", "examples"] {
            std::os::unix::fs::symlink(
                Path::new("..").canonicalize()?.join(name),
                folder.path().join(name),
            )?;
        }
        let raw = Command::new("kubectl")
            .args(["config", "view", "--raw"])
            .output()
            .await?;
        fs::write(folder.path().join("kubeconfig"), raw.stdout)?;
        let desk = Self { folder, path };
        let context = "kubectl config set-context --current --namespace";
        desk.types(&format!("{context} {}", namespace.name)).await?;
        Ok(desk)
    }

    /// Types it; gives what it prints.
    pub async fn types(&self, commands: &str) -> anyhow::Result<String> {
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", commands])
            .current_dir(self.folder.path())
            .env("PATH", &self.path)
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{commands}\n{said}");
        Ok(String::from_utf8(output.stdout)?)
    }
}
