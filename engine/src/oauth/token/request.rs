//! A form of a client that says who it is.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response};
use secrecy::{ExposeSecret, SecretString};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::egress::{Egress, Profile};
use crate::oauth::client::{BASIC, NONE, POST};
use crate::oauth::{ANSWER, Client, OauthError};

/// Posts a form and collects the answer.
pub(in crate::oauth) async fn post(
    http: &Egress,
    endpoint: &Url,
    client: &Client,
    parameters: &[(&str, &str)],
) -> Result<Response<Bytes>, OauthError> {
    let request = form(endpoint, client, parameters)?;
    Ok(http.fetch(Profile::Catalog, request, ANSWER).await?)
}

/// RFC 6749 §2.3.1. The id always stands in the form as well: it is no credential, and the MCP SDK for Python asks for it
/// there even beside a Basic header.
pub(super) fn form(
    endpoint: &Url,
    client: &Client,
    parameters: &[(&str, &str)],
) -> Result<Request<Bytes>, OauthError> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(parameters);
    form.append_pair("client_id", &client.id);
    let mut basic = None;
    match (client.auth_method.as_str(), &client.secret) {
        (BASIC, Some(secret)) => basic = Some(credentials(&client.id, secret)?),
        (POST, Some(secret)) => {
            form.append_pair("client_secret", secret.expose_secret());
        }
        (NONE, _) | (BASIC | POST, None) => {}
        _ => {
            return Err(OauthError::unusable(
                "its client has a way to authenticate that the engine does not know",
            ));
        }
    }
    let mut request = Request::post(endpoint.as_str())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .body(Bytes::from(form.finish()))
        .map_err(|_| OauthError::unusable("no request can have its endpoint's URL"))?;
    if let Some(basic) = basic {
        request.headers_mut().insert(AUTHORIZATION, basic);
    }
    Ok(request)
}

/// Id and secret are encoded as in a form before they are joined: a colon in the id would end it. A blank becomes `%20`,
/// which servers that do not know `+` decode as well.
fn credentials(id: &str, secret: &SecretString) -> Result<HeaderValue, OauthError> {
    let encoded = |text: &str| -> Zeroizing<String> {
        let pieces = form_urlencoded::byte_serialize(text.as_bytes());
        Zeroizing::new(
            pieces
                .map(|it| if it == "+" { "%20" } else { it })
                .collect(),
        )
    };
    let (id, secret) = (encoded(id), encoded(secret.expose_secret()));
    let pair = Zeroizing::new(format!("{}:{}", *id, *secret));
    let text = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| OauthError::unusable("its client's secret fits no header"))?;
    value.set_sensitive(true);
    Ok(value)
}
