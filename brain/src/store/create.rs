//! The birth of a brain.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use sqlx::{Connection, SqliteConnection};
use userengine_api::key::Kid;

use super::paths::{BrainPaths, beside};
use super::{OpenError, canary, connect, examine, schema};
use crate::clock::Clock;
use crate::domain::DatabaseId;
use crate::vault::Vault;

/// Who is born, and with which key.
pub(super) struct Birth<'a> {
    pub(super) database_id: Option<&'a DatabaseId>,
    pub(super) vault: &'a Vault,
    pub(super) kid: &'a Kid,
    pub(super) clock: &'a Clock,
}

/// Makes a brain. It gets its name when it is complete and durable, so a crash in between leaves
/// no half of one: what it leaves is thrown away here.
pub(super) async fn create(paths: &BrainPaths, birth: &Birth<'_>) -> Result<(), OpenError> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        remove_if_there(&beside(&paths.unborn, suffix)).map_err(failed)?;
    }
    let options = connect::options(&paths.unborn)
        .create_if_missing(true)
        .pragma("application_id", examine::APPLICATION_ID.to_string());
    let mut brain = connect::to_write(options).await.map_err(failed)?;
    schema::migrate(&mut brain).await?;
    write_first_rows(&mut brain, birth).await?;
    if !connect::checkpoint(&mut brain).await.map_err(failed)? {
        return Err(failed(io::Error::from(io::ErrorKind::ResourceBusy)));
    }
    brain.close().await.map_err(failed)?;
    publish(paths).map_err(failed)
}

/// All or nothing: identity, key state, canary, and the row that says the birth ended well.
async fn write_first_rows(
    brain: &mut SqliteConnection,
    birth: &Birth<'_>,
) -> Result<(), OpenError> {
    let id = match birth.database_id {
        Some(id) => id.clone(),
        None => random_id().map_err(failed)?,
    };
    let (id, kid, now) = (
        id.as_str(),
        birth.kid.as_str(),
        birth.clock.now().to_string(),
    );
    let sealed = canary::seal(birth.vault, birth.kid).map_err(failed)?;
    let token = sealed.token.as_str();

    let mut transaction = brain.begin().await.map_err(failed)?;
    sqlx::query!(
        "INSERT INTO brain_identity (id, database_id, created_at) VALUES (1, ?, ?)",
        id,
        now
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    sqlx::query!("INSERT INTO key_state (id, write_kid) VALUES (1, ?)", kid)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    sqlx::query!(
        "INSERT INTO key_canary (kid, sealed) VALUES (?, ?)",
        kid,
        token
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "INSERT INTO handover (id, closed_at, epoch) VALUES (1, ?, 0)",
        now
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

fn random_id() -> io::Result<DatabaseId> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(DatabaseId::from_random(bytes))
}

/// A rename is durable when the folder is.
fn publish(paths: &BrainPaths) -> io::Result<()> {
    File::open(&paths.unborn)?.sync_all()?;
    fs::rename(&paths.unborn, &paths.brain)?;
    let folder = paths
        .brain
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> OpenError {
    OpenError::storage("create the brain", error)
}
