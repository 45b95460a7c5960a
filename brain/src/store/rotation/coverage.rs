//! The scan for sealed values that no rotation would reach: in a column that nobody registered.
//!
//! Only text that a key of the ring really sealed counts. What merely looks sealed, in the answer of some server, must not
//! keep anybody from changing a key.

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Row};

use super::Reading;
use crate::store::StoreError;
use crate::vault::{SealedColumn, Vault};

/// A sealed value where there should be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
}

/// Version byte and the high bytes of the time, in base64: how every token begins until the year 4147.
const BEGINNING: &[u8] = b"gAAAAA";

/// Starts that are tried in one run of base64. A server's text may be made of nothing else.
const MOST_STARTS: usize = 16;

impl Reading {
    /// The first such value. Reads every text and blob of every table once.
    pub async fn stray(&mut self, vault: &Vault) -> Result<Option<Stray>, StoreError> {
        let columns: Vec<(String, String)> = sqlx::query_as(
            "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name <> 'quarantine' ORDER BY t.name, c.cid",
        )
        .fetch_all(self.brain())
        .await
        .map_err(StoreError::sqlite("read the schema"))?;
        let mut columns = columns;
        columns.retain(|(table, column)| !is_registered(table, column));
        for columns in columns.chunk_by(|one, other| one.0 == other.0) {
            if let Some(stray) = self.stray_in(vault, columns).await? {
                return Ok(Some(stray));
            }
        }
        Ok(None)
    }

    /// All columns of a table in one scan.
    async fn stray_in(
        &mut self,
        vault: &Vault,
        columns: &[(String, String)],
    ) -> Result<Option<Stray>, StoreError> {
        let Some((table, _)) = columns.first() else {
            return Ok(None);
        };
        let suspect: Vec<String> = columns
            .iter()
            .map(|(_, column)| looks_sealed(column))
            .collect();
        let wanted: Vec<String> = columns
            .iter()
            .zip(&suspect)
            .map(|((_, column), looks)| {
                format!(
                    "CASE WHEN {looks} THEN CAST({} AS BLOB) END",
                    quoted(column)
                )
            })
            .collect();
        let query = format!(
            "SELECT {} FROM {} WHERE {}",
            wanted.join(", "),
            quoted(table),
            suspect.join(" OR ")
        );
        let failed = || StoreError::sqlite("look for sealed values");
        let mut rows = sqlx::query(AssertSqlSafe(query)).fetch(self.brain());
        while let Some(row) = rows.try_next().await.map_err(failed())? {
            for (index, (_, column)) in columns.iter().enumerate() {
                let bytes: Option<&[u8]> = row.try_get(index).map_err(failed())?;
                if bytes.is_some_and(|bytes| holds_sealed(bytes, vault)) {
                    return Ok(Some(Stray {
                        table: table.clone(),
                        column: column.clone(),
                    }));
                }
            }
        }
        Ok(None)
    }
}

fn is_registered(table: &str, column: &str) -> bool {
    SealedColumn::ALL
        .iter()
        .any(|sealed| sealed.table() == table && sealed.column() == column)
}

fn looks_sealed(column: &str) -> String {
    let column = quoted(column);
    format!(
        "(typeof({column}) = 'text' AND instr({column}, 'gAAAAA') OR typeof({column}) = 'blob' AND instr({column}, x'674141414141'))"
    )
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Tries what begins as a token does, up to where base64 ends.
fn holds_sealed(bytes: &[u8], vault: &Vault) -> bool {
    let mut rest = bytes;
    let mut starts = 0_usize;
    while let Some(at) = rest.windows(BEGINNING.len()).position(|w| w == BEGINNING) {
        let run = rest.get(at..).unwrap_or_default();
        let base64 = |c: &u8| c.is_ascii_alphanumeric() || b"-_".contains(c);
        let letters = run.iter().take_while(|c| base64(c)).count();
        let padding = run
            .iter()
            .skip(letters)
            .take(2)
            .take_while(|c| **c == b'=')
            .count();
        let token = run.get(..letters + padding).unwrap_or_default();
        if std::str::from_utf8(token).is_ok_and(|text| vault.sealed_by(text).is_some()) {
            return true;
        }
        starts += 1;
        // The next start in this run, or behind it if this one has had enough tries.
        let step = if starts.is_multiple_of(MOST_STARTS) {
            letters
        } else {
            1
        };
        rest = run.get(step..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use userengine_api::key::{EncryptionKey, KEY_BYTES};

    use super::*;
    use crate::clock::Clock;
    use crate::ring::{Ring, RingConfig};
    use crate::vault::Place;

    fn vault(byte: u8) -> Vault {
        let key = EncryptionKey::from_bytes([byte; KEY_BYTES]);
        let ring = Ring::load(RingConfig::Single(key)).unwrap();
        Vault::new(&ring, Clock::system())
    }

    fn token(vault: &Vault) -> String {
        let place = Place::new(SealedColumn::ConnectionCredentials, "row");
        let kid = vault.only().unwrap();
        let sealed = vault
            .seal(kid, &place, &SecretString::from("secret"))
            .unwrap();
        sealed.token.as_str().to_owned()
    }

    #[test]
    fn finds_a_token_wherever_it_stands_in_a_text() {
        let (ours, others) = (vault(1), vault(2));
        let token_of_ours = token(&ours);
        for text in [
            token_of_ours.clone(),
            format!(r#"{{"t":"{token_of_ours}"}}"#),
            format!("gAAAAA gAAAAAgAAAAA.{token_of_ours} and more"),
        ] {
            assert!(holds_sealed(text.as_bytes(), &ours), "{text}");
            assert!(!holds_sealed(text.as_bytes(), &others), "{text}");
        }
    }

    #[test]
    fn takes_nothing_for_sealed_that_only_looks_so() {
        let ours = vault(1);
        let mut altered = token(&ours);
        altered.replace_range(30..31, if &altered[30..31] == "A" { "B" } else { "A" });
        for text in [
            altered,
            "gAAAAA".repeat(20_000),
            String::new(),
            "gAAAA".to_owned(),
        ] {
            assert!(!holds_sealed(text.as_bytes(), &ours));
        }
    }
}
