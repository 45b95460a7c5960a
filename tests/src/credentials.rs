//! Many credentials in an engine's brain, whose exact texts the test knows. They are put in and looked at from the machine
//! below the cluster, so that what a test finds does not depend on what it tests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::ListParams;
use secrecy::{ExposeSecret, SecretString};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use userengine_api::key::{EncryptionKey, Kid};
use userengine_api::layout::secret;
use userengine_api::names::Names;
use userengine_brain::clock::Clock;
use userengine_brain::ring::{Ring, RingConfig};
use userengine_brain::vault::{Place, Sealed, SealedColumn, Token, Vault};

use crate::machine::volume_folder;
use crate::{Engine, Namespace};

/// Credentials of one engine.
pub struct Credentials {
    engine: Engine,
    brain: PathBuf,
    count: usize,
}

impl Credentials {
    /// Puts in so many, beside the running engine.
    pub async fn seed(engine: &Engine, count: usize) -> anyhow::Result<Self> {
        let claim = Names(&engine.name).claim();
        let brain = volume_folder(&engine.namespace, &claim)
            .await?
            .join("brain.sqlite");
        let seeded = Self {
            engine: engine.clone(),
            brain,
            count,
        };
        let vaults = vaults(&engine.namespace, &engine.name).await?;
        let mut brain = seeded.connect(false).await?;
        let mut transaction = brain.begin_with("BEGIN IMMEDIATE").await?;
        let kid: String = sqlx::query_scalar("SELECT write_kid FROM key_state")
            .fetch_one(&mut *transaction)
            .await?;
        let kid: Kid = kid.parse()?;
        let vault = vaults.get(&kid).context("the write key has no Secret")?;
        for number in 0..count {
            let id = id(number);
            let place = Place::new(SealedColumn::ConnectionCredentials, &*id);
            let sealed = vault.seal(&kid, &place, &SecretString::from(text(number)))?;
            sqlx::query(
                "INSERT INTO connections (ref_id, server_name, alias, auth_method, status, credentials, kid, created_at)
                 VALUES (?, 'seeded', ?, 'static', 'connected', ?, ?, '2026-01-01T00:00:00Z')",
            )
            .bind(&id)
            .bind(format!("seeded-{number}"))
            .bind(sealed.token.as_str())
            .bind(kid.as_str())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        brain.close().await?;
        Ok(seeded)
    }

    /// Sees that every one opens to its exact text with the key that its row names. Gives the kids that are in use.
    pub async fn check(&self) -> anyhow::Result<Vec<Kid>> {
        let vaults = vaults(&self.engine.namespace, &self.engine.name).await?;
        let mut brain = self.connect(true).await?;
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT ref_id, credentials, kid FROM connections WHERE server_name = 'seeded' ORDER BY ref_id",
        )
        .fetch_all(&mut brain)
        .await?;
        brain.close().await?;
        ensure!(
            rows.len() == self.count,
            "{} of {} credentials are there",
            rows.len(),
            self.count
        );
        let mut used = std::collections::BTreeSet::new();
        for (number, (found, token, kid)) in rows.into_iter().enumerate() {
            ensure!(found == id(number), "{found} is not {}", id(number));
            let kid: Kid = kid.parse()?;
            let vault = vaults
                .get(&kid)
                .with_context(|| format!("the key {kid} of {found} has no Secret"))?;
            let sealed = Sealed {
                kid: kid.clone(),
                token: Token::try_from(token)?,
            };
            let place = Place::new(SealedColumn::ConnectionCredentials, &*found);
            let opened = vault.open(&sealed, &place).with_context(|| found.clone())?;
            ensure!(
                opened.expose_secret() == text(number),
                "{found} opens to another text"
            );
            used.insert(kid);
        }
        Ok(used.into_iter().collect())
    }

    async fn connect(&self, read_only: bool) -> anyhow::Result<SqliteConnection> {
        let options = SqliteConnectOptions::new()
            .filename(&self.brain)
            .read_only(read_only)
            .busy_timeout(Duration::from_secs(20));
        options
            .connect()
            .await
            .with_context(|| format!("failed to open {}", self.brain.display()))
    }
}

/// In the order of the numbers.
fn id(number: usize) -> String {
    let digits = format!("{number:08}");
    format!("conn-seeded{}{digits}", "a".repeat(20 - 6 - digits.len()))
}

fn text(number: usize) -> String {
    format!(
        r#"{{"token":"seeded credential {number} {}"}}"#,
        "x".repeat(256)
    )
}

/// A vault for each key of an engine, by kid. They are found by name: a copy of an engine has no labels of ours.
async fn vaults(namespace: &Namespace, engine: &str) -> anyhow::Result<BTreeMap<Kid, Vault>> {
    let prefix = Names(engine).key("");
    let secrets = namespace.api::<Secret>();
    let secrets = secrets.list(&ListParams::default()).await?;
    secrets
        .iter()
        .filter(|found| found.name_any().starts_with(&prefix))
        .map(|found| {
            let bytes = found
                .data
                .as_ref()
                .and_then(|data| data.get(secret::KEY))
                .context("a key Secret has a key")?;
            let key = EncryptionKey::parse(&bytes.0)?;
            let kid = key.kid();
            Ok((
                kid,
                Vault::new(&Ring::load(RingConfig::Single(key))?, Clock::system()),
            ))
        })
        .collect()
}
