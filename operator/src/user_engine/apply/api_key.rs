//! The API-key Secret. Every change of it names the version that was seen: a key that the platform put there since stays.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ApiResource;
use serde_json::{Value, json};
use userengine_api::layout::secret;
use zeroize::Zeroizing;

use super::Error;
use crate::cluster::Writer;
use crate::user_engine::api_key::{Change, Keys};
use crate::user_engine::build;
use crate::user_engine::observe::api_key_hash;
use crate::user_engine::observed::{ApiKeySecret, NextKey, Observed, OurApiKey};

/// Makes the API key: with its Secret, or into one that holds none.
pub(super) async fn mint(writer: &Writer, observed: &Observed) -> Result<(), Error> {
    let fresh = draw()?;
    let ApiKeySecret::Ours(seen) = &observed.api_key else {
        let secret = build::api_key_secret(observed, &fresh.key, &fresh.hash);
        return Ok(writer
            .create(&ApiResource::erase::<Secret>(&()), "Secret", &secret)
            .await?);
    };
    let texts = json!({
        secret::API_KEY: fresh.key.as_str(),
        secret::API_KEY_HASHES: seen.hashes_with(&fresh.hash),
    });
    patch_secret(writer, observed, &with_texts(seen, &texts)).await
}

/// Brings the hashes back in line with the keys.
pub(super) async fn mend(writer: &Writer, observed: &Observed) -> Result<(), Error> {
    let ApiKeySecret::Ours(seen) = &observed.api_key else {
        return Ok(());
    };
    let Some(hash) = &seen.key_hash else {
        return Ok(());
    };
    let texts = json!({ secret::API_KEY_HASHES: seen.hashes_with(hash) });
    patch_secret(writer, observed, &with_texts(seen, &texts)).await
}

/// Takes a rotation one step further.
pub(super) async fn turn(
    writer: &Writer,
    observed: &Observed,
    change: &Change,
) -> Result<(), Error> {
    let ApiKeySecret::Ours(seen) = &observed.api_key else {
        return Ok(());
    };
    let drawn = match change.keys {
        Keys::Draw => Some(draw()?),
        Keys::Stay | Keys::Swap => None,
    };
    match build::api_key_change(seen, change, drawn.as_ref()) {
        Some(patch) => patch_secret(writer, observed, &patch).await,
        None => Ok(()),
    }
}

fn draw() -> Result<NextKey, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(Error::Random)?;
    let key = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
    let hash = api_key_hash(&key);
    Ok(NextKey { key, hash })
}

fn with_texts(seen: &OurApiKey, texts: &Value) -> Value {
    json!({ "metadata": { "resourceVersion": seen.version }, "stringData": texts })
}

async fn patch_secret(writer: &Writer, observed: &Observed, patch: &Value) -> Result<(), Error> {
    let name = observed.names().api_key();
    Ok(writer.patch::<Secret>("Secret", &name, patch).await?)
}
