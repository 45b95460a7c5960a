//! A hand in the brain, for what no engine would do, and for many rows at once.

use std::path::PathBuf;

use secrecy::SecretString;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row, SqliteConnection};
use userengine_api::key::Kid;
use userengine_brain::vault::{Place, SealedColumn, Vault};

use super::{runtime, secret};

const NOW: &str = "2026-11-21T10:00:00.000Z";

pub struct Hand(PathBuf);

impl Hand {
    pub fn new(brain: PathBuf) -> Self {
        Self(brain)
    }

    /// Runs statements, and leaves the brain closed and checkpointed.
    pub fn run(&self, statements: &str) {
        runtime().block_on(async {
            let mut brain = self.connect().await;
            brain
                .execute(AssertSqlSafe(statements.to_owned()))
                .await
                .unwrap();
            brain.close().await.unwrap();
        });
    }

    /// Something was written that is in the write-ahead log only, as a killed engine leaves it.
    pub fn die_with_a_log(&self) {
        self.leave_in_log("INSERT INTO former_aliases VALUES ('gone', '2026-11-21T10:00:00.000Z')");
    }

    /// Runs a statement and keeps its effect in the write-ahead log only.
    pub fn leave_in_log(&self, statement: &str) {
        runtime().block_on(async {
            let mut brain = self.connect().await;
            brain
                .execute("PRAGMA wal_autocheckpoint = 0")
                .await
                .unwrap();
            brain
                .execute(AssertSqlSafe(statement.to_owned()))
                .await
                .unwrap();
            // The log as it is while the engine lives, put back once closing has brought it home.
            let (main, log) = (self.0.clone(), log_of(&self.0));
            let kept = (std::fs::read(&main).unwrap(), std::fs::read(&log).unwrap());
            brain.close().await.unwrap();
            std::fs::write(&main, kept.0).unwrap();
            std::fs::write(&log, kept.1).unwrap();
        });
    }

    /// The statement is refused.
    pub fn fails(&self, statement: &str) -> bool {
        runtime().block_on(async {
            let mut brain = self.connect().await;
            let outcome = brain.execute(AssertSqlSafe(statement.to_owned())).await;
            brain.close().await.unwrap();
            outcome.is_err()
        })
    }

    /// The first column of the only row.
    pub fn text(&self, query: &str) -> String {
        runtime().block_on(async {
            let mut brain = self.connect().await;
            let row = brain
                .fetch_one(AssertSqlSafe(format!("SELECT CAST(({query}) AS TEXT)")))
                .await
                .unwrap();
            brain.close().await.unwrap();
            row.try_get::<Option<String>, _>(0)
                .unwrap()
                .unwrap_or_default()
        })
    }

    pub fn number(&self, query: &str) -> u64 {
        self.text(query).parse().unwrap()
    }

    /// Column, row, kid and token of every sealed value.
    pub fn sealed(&self) -> Vec<(SealedColumn, String, String, String)> {
        runtime().block_on(async {
            let mut brain = self.connect().await;
            let mut all = Vec::new();
            for column in SealedColumn::ALL {
                let (table, key, token) = (column.table(), column.key(), column.column());
                let rows: Vec<(String, String, String)> = sqlx::query_as(AssertSqlSafe(format!(
                    "SELECT {key}, kid, {token} FROM {table} WHERE {token} IS NOT NULL ORDER BY {key}"
                )))
                .fetch_all(&mut brain)
                .await
                .unwrap();
                all.extend(rows.into_iter().map(|(row, kid, token)| (column, row, kid, token)));
            }
            brain.close().await.unwrap();
            all
        })
    }

    /// So many connections, and a few values in every other column.
    pub fn fill(&self, vault: &Vault, kid: &Kid, rows: usize) {
        runtime().block_on(async {
            let mut brain = self.connect().await;
            let mut transaction = brain.begin().await.unwrap();
            for row in 0..rows {
                let id = format!("conn-{row:020}");
                let statement = "INSERT INTO connections (ref_id, server_name, alias, auth_method, status, created_at, credentials, kid)
                     VALUES (?1, 'mail', ?2, 'oauth', 'connected', ?3, ?4, ?5)";
                let token = seal(vault, kid, SealedColumn::ConnectionCredentials, &id, &secret(row));
                insert(&mut transaction, statement, [&id, &format!("mail-{row}"), NOW, &token, kid.as_str()]).await;
            }
            for row in 0..3 {
                let id = format!("{row}");
                let token = seal(vault, kid, SealedColumn::OauthClientSecret, &id, &secret(row));
                insert(&mut transaction, "INSERT INTO oauth_clients (id, issuer, redirect_uri, registration, created_at, client_secret, kid)
                     VALUES (?1, ?2, 'https://us.example', '{}', ?3, ?4, ?5)", [&id, &format!("https://{row}.example"), NOW, &token, kid.as_str()]).await;
                let token = seal(vault, kid, SealedColumn::PendingRevocation, &id, &secret(row));
                insert(&mut transaction, "INSERT INTO pending_revocations (id, ref_id, server_name, next_at, give_up_at, request, kid)
                     VALUES (?1, ?2, 'mail', ?3, ?3, ?4, ?5)", [&id, &format!("conn-{row:020}"), NOW, &token, kid.as_str()]).await;
            }
            let hash = "0".repeat(64);
            let token = seal(vault, kid, SealedColumn::OauthFlowVerifier, &hash, &secret(1));
            insert(&mut transaction, "INSERT INTO oauth_flows (state_hash, ref_id, request, created_at, expires_at, verifier, kid)
                 VALUES (?1, ?2, '{}', ?3, ?3, ?4, ?5)", [&hash, &format!("conn-{:020}", 0), NOW, &token, kid.as_str()]).await;
            transaction.commit().await.unwrap();
            brain.close().await.unwrap();
        });
    }

    /// One connection more.
    pub fn fill_more(&self, vault: &Vault, kid: &Kid) {
        let id = format!("conn-{:0>20}", "more");
        let token = seal(
            vault,
            kid,
            SealedColumn::ConnectionCredentials,
            &id,
            &secret(7),
        );
        self.run(&format!(
            "INSERT INTO connections (ref_id, server_name, alias, auth_method, status, created_at, credentials, kid)
             VALUES ('{id}', 'mail', 'more', 'oauth', 'connected', '{NOW}', '{token}', '{kid}')"
        ));
    }

    async fn connect(&self) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(&self.0)
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(true)
            .connect()
            .await
            .unwrap()
    }
}

fn seal(vault: &Vault, kid: &Kid, column: SealedColumn, row: &str, value: &SecretString) -> String {
    let sealed = vault.seal(kid, &Place::new(column, row), value).unwrap();
    sealed.token.as_str().to_owned()
}

async fn insert(brain: &mut SqliteConnection, statement: &'static str, values: [&str; 5]) {
    let mut query = sqlx::query(statement);
    for value in values {
        query = query.bind(value);
    }
    query.execute(brain).await.unwrap();
}

fn log_of(brain: &std::path::Path) -> PathBuf {
    let mut name = brain.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}
