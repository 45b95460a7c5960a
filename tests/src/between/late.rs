//! A write that arrives when all is over.

use anyhow::Context as _;
use axum::body::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::Shared;
use super::call::Call;

/// What came of it.
#[derive(Debug)]
pub struct Late {
    /// What it was.
    pub write: String,
    /// The answer.
    pub code: StatusCode,
    /// Something is another than before.
    pub changed: bool,
}

impl Shared {
    /// Sends a write that was held back.
    pub(super) async fn late(&self, call: &Call, request: Request<Bytes>) -> anyhow::Result<Late> {
        let look = Request::get(&call.path).body(Bytes::new())?;
        let (_, before) = self.version(look).await?;
        let (code, after) = self.version(request).await?;
        // What was made is new, and what was deleted has no version any more.
        let is_same = call.method != Method::POST && before.is_some() && before == after;
        Ok(Late {
            write: format!("{} {}", call.method, call.path),
            code,
            changed: code.is_success() && !is_same,
        })
    }

    /// Asks; gives the code of the answer, and the version of the object in it.
    async fn version(
        &self,
        request: Request<Bytes>,
    ) -> anyhow::Result<(StatusCode, Option<String>)> {
        let answer = self.forward(request).await?;
        let code = answer.status();
        let body = answer.into_body().collect().await;
        let body = body.context("the API server's answer broke")?.to_bytes();
        let object: Option<Value> = serde_json::from_slice(&body).ok();
        let version = object.and_then(|it| {
            Some(
                it.pointer("/metadata/resourceVersion")?
                    .as_str()?
                    .to_owned(),
            )
        });
        Ok((code, version))
    }
}
