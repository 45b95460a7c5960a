//! Bodies of requests: JSON, strictly. What is wrong is told by field, and never by value: a value may be a secret.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::error::ApiError;
use crate::assets::AssetError;

/// A body of JSON.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(&request) {
            return Err(ApiError::NotJson);
        }
        let bytes =
            Bytes::from_request(request, state)
                .await
                .map_err(|rejection| match rejection.into_response().status() {
                    StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
                    _ => ApiError::Malformed("the body broke off".to_owned()),
                })?;
        parse(&bytes).map(Self)
    }
}

fn is_json(request: &Request) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE);
    let essence = content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| problem(&error.path().to_string(), error.inner()))?;
    json.end().map_err(|error| problem(".", &error))?;
    Ok(parsed)
}

fn problem(path: &str, error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Data => AssetError::Invalid {
            field: if path == "." { "body" } else { path }.to_owned().into(),
            problem: words(&error.to_string()),
        }
        .into(),
        Category::Eof | Category::Io => {
            ApiError::Malformed("the body is not JSON: it ends too early".to_owned())
        }
        Category::Syntax => ApiError::Malformed(format!(
            "the body is not JSON: see line {line}, column {column}"
        )),
    }
}

/// serde's words without the place and without the value that was found.
fn words(message: &str) -> String {
    let message = message
        .rsplit_once(" at line ")
        .map_or(message, |(words, _)| words);
    if message.starts_with("unknown field") || message.starts_with("missing field") {
        return message.to_owned();
    }
    if message.starts_with("duplicate field") {
        return message.to_owned();
    }
    match message.rsplit_once("expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => "not as expected".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, expecting = "an object")]
    struct Outer {
        #[expect(dead_code, reason = "only parsed")]
        name: String,
        #[expect(dead_code, reason = "only parsed")]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, expecting = "an object")]
    struct Inner {
        #[expect(dead_code, reason = "only parsed")]
        secret: Option<String>,
    }

    fn refused(body: &str) -> String {
        match parse::<Outer>(body.as_bytes()) {
            Ok(parsed) => panic!("taken: {parsed:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn tells_the_field_and_never_the_value() {
        for (body, expected) in [
            (
                r#"{"name":"a","inner":"telltale"}"#,
                "inner: expected an object",
            ),
            (
                r#"{"name":"a","inner":{"secret":["telltale"]}}"#,
                "inner.secret: expected a string",
            ),
            (r#"{"name":{"telltale":1}}"#, "name: expected a string"),
            (r#"{"inner":null}"#, "body: missing field `name`"),
            (r#"["telltale"]"#, "body: expected an object"),
            (r#""telltale""#, "body: expected an object"),
        ] {
            assert_eq!(refused(body), expected, "{body}");
        }
        let unknown = refused(r#"{"name":"a","inner":{"secrets":"telltale"}}"#);
        assert!(
            unknown.contains("unknown field `secrets`") && unknown.contains("`secret`"),
            "{unknown}"
        );
        assert!(!unknown.contains("telltale"), "{unknown}");
        let twice = refused(r#"{"name":"a","name":"telltale"}"#);
        assert!(
            twice.contains("duplicate field `name`") && !twice.contains("telltale"),
            "{twice}"
        );
    }

    #[test]
    fn tells_where_the_json_ends() {
        for body in ["", "{", r#"{"name":"telltale""#] {
            assert_eq!(
                refused(body),
                "the body is not JSON: it ends too early",
                "{body}"
            );
        }
        for body in [
            "telltale",
            "{\"name\":\"a\"} telltale",
            "{name:\"telltale\"}",
        ] {
            let error = refused(body);
            assert!(
                error.starts_with("the body is not JSON: see line 1, column "),
                "{error}"
            );
        }
        assert!(parse::<Outer>(br#"{"name":"a","inner":null} "#).is_ok());
    }
}
