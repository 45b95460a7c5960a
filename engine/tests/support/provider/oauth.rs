//! The authorization server.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, response};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::Digest;
use url::form_urlencoded;

use super::{Provider, State};

pub(super) async fn resource(Shared(provider): Shared<Provider>) -> Json<Value> {
    let base = provider.base();
    Json(json!({
        "resource": format!("{base}/mcp"),
        "authorization_servers": [base],
        "scopes_supported": ["calendar.read"],
    }))
}

pub(super) async fn metadata(Shared(provider): Shared<Provider>) -> Json<Value> {
    let base = provider.base();
    let behaviour = provider.state().behaviour.clone();
    let mut metadata = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "response_types_supported": ["code"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
        "authorization_response_iss_parameter_supported": behaviour.sends_iss,
        "client_id_metadata_document_supported": behaviour.metadata_documents,
    });
    if behaviour.s256 {
        metadata["code_challenge_methods_supported"] = json!(["S256"]);
    }
    if behaviour.registers {
        metadata["registration_endpoint"] = json!(format!("{base}/register"));
    }
    if behaviour.revokes {
        metadata["revocation_endpoint"] = json!(format!("{base}/revoke"));
    }
    Json(metadata)
}

pub(super) async fn register(
    Shared(provider): Shared<Provider>,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let mut state = provider.state();
    state.registrations += 1;
    let id = format!("client-{}", state.registrations);
    state.clients.insert(id.clone());
    let mut answer = json!({
        "client_id": id,
        "redirect_uris": body["redirect_uris"],
        "token_endpoint_auth_method": "client_secret_basic",
        "client_secret": state.secret("client-secret"),
    });
    if let Some(at) = state.behaviour.client_secret_expires_at {
        answer["client_secret_expires_at"] = json!(at);
    }
    (StatusCode::CREATED, Json(answer))
}

pub(super) async fn token(
    Shared(provider): Shared<Provider>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut form: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    form.extend(basic(&headers).map(|client| ("client_id".to_owned(), client)));
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let grant = field("grant_type");
    let answer = {
        let mut state = provider.state();
        match grant.as_str() {
            "authorization_code" => state.exchanges += 1,
            _ => state.refreshes += 1,
        }
        answer(&mut state, &grant, &field)
    };
    provider.run_before_answer(&grant);
    let delay = provider.state().behaviour.token_delay;
    tokio::time::sleep(delay).await;
    answer
}

/// The client of `client_secret_basic`.
fn basic(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("authorization")?.to_str().ok()?;
    let pair = BASE64_STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    Some(pair.split_once(':')?.0.to_owned())
}

fn answer(state: &mut State, grant: &str, field: &dyn Fn(&str) -> String) -> Response {
    let behaviour = state.behaviour.clone();
    state
        .verifiers
        .extend(Some(field("code_verifier")).filter(|verifier| !verifier.is_empty()));
    if behaviour.quotes {
        let quoted = format!(
            "cannot use {} with {}",
            field("code"),
            field("code_verifier")
        );
        let body = json!({ "error": field("code"), "error_description": quoted });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    if let Some(status) = behaviour.token_status {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    if let Some(error) = behaviour.token_error {
        return refuse(&error);
    }
    let granted = if grant == "authorization_code" {
        exchange(state, field)
    } else {
        refresh(state, &field("refresh_token"))
    };
    match granted {
        Some(scopes) => issue(state, scopes).into_response(),
        None => refuse("invalid_grant"),
    }
}

fn exchange(state: &mut State, field: &dyn Fn(&str) -> String) -> Option<BTreeSet<String>> {
    let code = state.codes.remove(&field("code"))?;
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(field("code_verifier")));
    let fits = challenge == code.challenge
        && field("redirect_uri") == code.redirect_uri
        && field("client_id") == code.client;
    fits.then_some(code.scopes)
}

/// Each refresh token works once.
fn refresh(state: &mut State, token: &str) -> Option<BTreeSet<String>> {
    let scopes = state.refresh_tokens.remove(token);
    state.spent.insert(token.to_owned());
    state.refused += u32::from(scopes.is_none());
    scopes
}

fn issue(state: &mut State, mut scopes: BTreeSet<String>) -> Json<Value> {
    let behaviour = state.behaviour.clone();
    if let Some(most) = &behaviour.grants_at_most {
        scopes = scopes.intersection(most).cloned().collect();
    }
    let access = state.secret("access");
    state.access_tokens.insert(access.clone(), scopes.clone());
    let scope = scopes.iter().cloned().collect::<Vec<_>>().join(" ");
    let mut tokens = json!({ "access_token": access, "token_type": "Bearer", "scope": scope });
    if let Some(seconds) = behaviour.expires_in {
        tokens["expires_in"] = json!(seconds);
    }
    if behaviour.refresh_tokens {
        let refresh = state.secret("refresh");
        state.refresh_tokens.insert(refresh.clone(), scopes);
        tokens["refresh_token"] = json!(refresh);
    }
    if behaviour.like_slack {
        tokens["token_type"] = json!("user");
        tokens["id"] = json!("U1");
        return response::Json(json!({
            "ok": true,
            "app_id": "A1",
            "authed_user": tokens,
            "incoming_webhook": { "url": state.secret("webhook") },
        }));
    }
    tokens["id_token"] = json!(state.secret("id-token"));
    Json(tokens)
}

fn refuse(error: &str) -> Response {
    let body = json!({ "error": error, "error_description": "no such <b>grant</b>" });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

pub(super) async fn revoke(Shared(provider): Shared<Provider>, body: Bytes) -> StatusCode {
    let form: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    provider.run_before_revocation();
    let mut state = provider.state();
    let status = StatusCode::from_u16(state.behaviour.revocation_status).unwrap();
    if status.is_success() {
        let token = form["token"].clone();
        state.access_tokens.remove(&token);
        state.refresh_tokens.remove(&token);
        state.revoked.push(token);
    }
    status
}
