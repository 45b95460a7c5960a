//! Times a change of the key: `cargo run --release --example rotate -p userengine-brain -- FOLDER ROWS`.
//!
//! Makes a brain of so many connections whose plaintexts are 1,024 bytes long in FOLDER, unless one is there, changes its
//! key, and prints one line of JSON: rows a second of `migrate` (check and re-encryption) and `verify`, and the largest
//! resident size. `rotate.py` beside it does what Python's library offers to the same rows.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use userengine_api::key::{EncryptionKey, KEY_BYTES, Kid};
use userengine_brain::clock::{Clock, Stopwatch};
use userengine_brain::ring::{Ring, RingConfig};
use userengine_brain::rotation::{Overseer, Task, migrate, verify};
use userengine_brain::store::{self, BrainConfig, BrainMode};
use userengine_brain::vault::{Place, SealedColumn, Vault};
use userengine_rotation::gate::Order;
use userengine_rotation::request::Mode;
use userengine_rotation::verdict::Verdict;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(rows)) = (arguments.next(), arguments.next()) else {
        return Err("usage: rotate FOLDER ROWS [fill]".into());
    };
    let bench = Bench {
        folder: PathBuf::from(folder),
        rows: rows.parse()?,
        clock: Clock::system(),
    };
    let only_fill = arguments.next().is_some();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    if !bench.brain().exists() {
        runtime.block_on(bench.fill())?;
    }
    if !only_fill {
        runtime.block_on(bench.run())?;
    }
    Ok(())
}

struct Bench {
    folder: PathBuf,
    rows: u32,
    clock: Clock,
}

impl Bench {
    fn brain(&self) -> PathBuf {
        self.folder.join("brain.sqlite")
    }

    fn config(&self) -> BrainConfig {
        BrainConfig {
            path: self.brain(),
            mode: BrainMode::Create,
            database_id: None,
        }
    }

    fn vault(&self, keys: &[u8]) -> Outcome<Arc<Vault>> {
        let name: Vec<String> = keys.iter().map(u8::to_string).collect();
        let folder = self.folder.join(format!("keys-{}", name.join("-")));
        std::fs::create_dir_all(&folder)?;
        for number in keys {
            std::fs::write(
                folder.join(kid(*number).as_str()),
                key(*number).text().as_bytes(),
            )?;
        }
        let ring = Ring::load(RingConfig::Folder(folder))?;
        Ok(Arc::new(Vault::new(&ring, self.clock.clone())))
    }

    async fn fill(&self) -> Outcome<()> {
        let vault = self.vault(&[1])?;
        let opened = store::open(&self.config(), &vault, &self.clock).await?;
        opened.store.hand_over(&self.clock).await?;
        let options = SqliteConnectOptions::new().filename(self.brain());
        let mut brain = options.connect().await?;
        let value = SecretString::from(plaintext());
        for first in (0..self.rows).step_by(10_000) {
            let mut transaction = brain.begin().await?;
            for row in first..self.rows.min(first + 10_000) {
                insert(&mut transaction, &vault, row, &value).await?;
            }
            transaction.commit().await?;
        }
        brain.close().await?;
        Ok(())
    }

    async fn run(&self) -> Outcome<()> {
        let task = Task {
            order: Order {
                id: "bench".to_owned().try_into()?,
                from: vec![kid(1)],
                to: kid(2),
                opened: None,
            },
            mode: Mode::Normal,
            set_aside: std::collections::BTreeSet::new(),
            image: String::new(),
            binary: String::new(),
        };
        let overseer = Overseer::new(Some(task.order.id.clone()));
        let (both, new) = (self.vault(&[1, 2])?, self.vault(&[2])?);
        let (watch, cpu) = (Stopwatch::start(), cpu_seconds()?);
        let migrated = migrate(&self.config(), &both, &self.clock, &task, &overseer).await?;
        let (migrating, migrating_cpu) = (watch.elapsed(), cpu_seconds()? - cpu);
        let (watch, cpu) = (Stopwatch::start(), cpu_seconds()?);
        let verdict = verify(&self.config(), &new, &self.clock, Some(&task), &overseer).await?;
        let (verifying, verifying_cpu) = (watch.elapsed(), cpu_seconds()? - cpu);
        let Verdict::Certified(certificate) = verdict else {
            return Err("no certificate".into());
        };
        println!(
            r#"{{"rows":{},"migrate_s":{:.3},"migrate_rows_per_s":{:.0},"verify_s":{:.3},"verify_rows_per_s":{:.0},"peak_rss_mib":{:.1},"certified":{},"migrate_cpu_s":{migrating_cpu:.2},"verify_cpu_s":{verifying_cpu:.2}}}"#,
            migrated.rows,
            migrating.as_secs_f64(),
            rate(migrated.rows, migrating),
            verifying.as_secs_f64(),
            rate(migrated.rows, verifying),
            peak_mib()?,
            certificate.rows.values().sum::<u64>(),
        );
        Ok(())
    }
}

/// As long in its envelope as 1,024 bytes.
fn plaintext() -> String {
    "x".repeat(1024 - 72)
}

fn key(number: u8) -> EncryptionKey {
    EncryptionKey::from_bytes([number; KEY_BYTES])
}

fn kid(number: u8) -> Kid {
    key(number).kid()
}

async fn insert(
    brain: &mut SqliteConnection,
    vault: &Vault,
    row: u32,
    value: &SecretString,
) -> Outcome<()> {
    // Real ids are random: rows lie in another order than their keys.
    let id = format!(
        "conn-{:020}",
        u64::from(row).wrapping_mul(0x9e37_79b9_7f4a_7c15) % 10_u64.pow(19)
    );
    let sealed = vault.seal(
        &kid(1),
        &Place::new(SealedColumn::ConnectionCredentials, id.as_str()),
        value,
    )?;
    sqlx::query(
        "INSERT INTO connections (ref_id, server_name, alias, auth_method, status, created_at, credentials, kid)
         VALUES (?, 'mail', ?, 'oauth', 'connected', '2026-11-21T10:00:00.000Z', ?, ?)",
    )
    .bind(&id)
    .bind(format!("mail-{row}"))
    .bind(sealed.token.as_str())
    .bind(sealed.kid.as_str())
    .execute(brain)
    .await?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
fn rate(rows: u64, time: Duration) -> f64 {
    rows as f64 / time.as_secs_f64()
}

/// Of all threads, in user and kernel: what a busy machine does not stretch.
fn cpu_seconds() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = text.rsplit_once(')').ok_or("no stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Result<Vec<f64>, _> = ticks.map(str::parse).collect();
    Ok(ticks?.iter().sum::<f64>() / 100.0)
}

/// The kernel's own measure.
fn peak_mib() -> Outcome<f64> {
    let status = std::fs::read_to_string(Path::new("/proc/self/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line
        .ok_or("no VmHWM")?
        .trim()
        .trim_end_matches(" kB")
        .parse()?;
    Ok(kib / 1024.0)
}
