//! `GET /assets/oauth/callback`: the person comes back from the provider. Open to everybody: the `state` is the key.

use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use url::{Url, form_urlencoded};

use crate::assets::{AssetError, CallbackQuery, Connection, Directory, Ending, Finished};
use crate::domain::ConnectionStatus;
use crate::http::page::Page;
use crate::oauth::{self, OauthError};
use crate::state::App;

/// Finishes an authorization and tells the person how it went.
#[utoipa::path(
    get,
    path = "/assets/oauth/callback",
    operation_id = "oauth_callback",
    tag = "assets",
    params(
        ("state" = Option<String>, Query, description = "Which authorization: as the engine sent it to the provider."),
        ("code" = Option<String>, Query, description = "What the provider gives."),
        ("iss" = Option<String>, Query, description = "Who gives it (RFC 9207)."),
        ("error" = Option<String>, Query, description = "Why the provider gives none (RFC 6749 §4.1.2.1)."),
        ("error_description" = Option<String>, Query, description = "The same in words."),
    ),
    responses(
        (status = 200, description = "A page: connected.", content_type = "text/html"),
        (status = 303, description = "Connected; to the `return_url` of the connect, with `ref_id` and `status`."),
        (status = 400, description = "A page: the link is unknown, used or too old, or the provider refused.", content_type = "text/html"),
        (status = 409, description = "A page: the connection was removed meanwhile.", content_type = "text/html"),
        (status = 429, description = "A page: too many requests.", content_type = "text/html"),
        (status = 502, description = "A page: the provider did not exchange the code.", content_type = "text/html"),
        (status = 503, description = "A page: the engine cannot store anything now.", content_type = "text/html"),
    ),
    security(()),
)]
pub(in crate::http) async fn get(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    if let Err(wait) = app.assets.admit_callback() {
        return too_many(wait.as_secs() + 1);
    }
    let Some(query) = parse(query.as_deref().unwrap_or_default()) else {
        return unknown().into_response();
    };
    match app.assets.callback(query).await {
        Ok(finished) => answer(&app.assets, &finished),
        Err(error) => failed(&error).into_response(),
    }
}

const LONGEST_STATE: usize = 512;
const LONGEST_CODE: usize = 8192;

/// `None` if a parameter is there twice: the provider and the engine might not mean the same one (RFC 6749 §3.1).
fn parse(query: &str) -> Option<CallbackQuery> {
    let [mut state, mut code, mut iss, mut error, mut description] = [const { None }; 5];
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let slot = match name.as_ref() {
            "state" => &mut state,
            "code" => &mut code,
            "iss" => &mut iss,
            "error" => &mut error,
            "error_description" => &mut description,
            _ => continue,
        };
        if slot.replace(value.into_owned()).is_some() {
            return None;
        }
    }
    let present = |text: Option<String>, longest| {
        text.filter(|text: &String| (1..=longest).contains(&text.len()))
    };
    Some(CallbackQuery {
        state: present(state, LONGEST_STATE).map(SecretString::from),
        code: present(code, LONGEST_CODE).map(SecretString::from),
        iss,
        error: error.map(|code| OauthError::in_redirect(&code, &description.unwrap_or_default())),
    })
}

fn answer(directory: &Directory, finished: &Finished) -> Response {
    let Some(connection) = &finished.connection else {
        return unknown().into_response();
    };
    let back = finished
        .return_url
        .clone()
        .map(|url| way_back(directory, url, connection, &finished.ending));
    match (&finished.ending, back) {
        (Ending::Connected, Some(url)) => see_other(&url),
        (ending, back) => {
            let page = page(directory, connection, ending);
            match back {
                Some(url) => page.link("Back to the application", url),
                None => page,
            }
            .into_response()
        }
    }
}

/// The application learns how it went from the URL, and all about it from the API.
fn way_back(directory: &Directory, mut url: Url, connection: &Connection, ending: &Ending) -> Url {
    let status = match ending {
        Ending::Connected => ConnectionStatus::Connected,
        _ => connection.shown_status(directory.clock.now()),
    };
    url.query_pairs_mut()
        .append_pair("ref_id", connection.id.as_str())
        .append_pair("status", status.as_str());
    url
}

fn see_other(url: &Url) -> Response {
    let Ok(location) = HeaderValue::from_str(url.as_str()) else {
        unreachable!("a parsed URL is ASCII")
    };
    let headers = [
        (LOCATION, location),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

fn page(directory: &Directory, connection: &Connection, ending: &Ending) -> Page {
    let catalog = directory.catalog.current();
    let name = catalog
        .servers
        .get(&connection.server)
        .map_or(connection.server.as_str(), |entry| &entry.display_name);
    let not_connected = format!("{name} is not connected");
    let again = "Go back to the application and connect again.";
    match ending {
        Ending::Connected => Page::new(
            StatusCode::OK,
            format!("{name} is connected"),
            "You can close this page.",
        )
        .detail("Connection", connection.alias.as_str()),
        Ending::Unknown => unknown(),
        Ending::Late => Page::new(
            StatusCode::BAD_REQUEST,
            not_connected,
            format!("This took longer than ten minutes. {again}"),
        ),
        Ending::WrongIssuer => Page::new(
            StatusCode::BAD_REQUEST,
            not_connected,
            format!("The answer did not come from the provider that was asked, so it was not used. {again}"),
        ),
        Ending::Refused { code, description } => {
            let page = Page::new(
                StatusCode::BAD_REQUEST,
                not_connected,
                format!("The provider did not give access. {again}"),
            );
            let page = page.detail("The provider says", code);
            let page = if description.is_empty() {
                page
            } else {
                page.detail("In its words", description)
            };
            registered_as(page, directory)
        }
        Ending::Failed(why) => {
            let page = Page::new(
                StatusCode::BAD_GATEWAY,
                not_connected,
                format!("The provider's answer could not be turned into access. {again}"),
            );
            registered_as(page.detail("What went wrong", why), directory)
        }
        Ending::Removed => Page::new(
            StatusCode::CONFLICT,
            not_connected,
            "The connection was removed meanwhile. Nothing was stored, and the access is being taken back.",
        ),
        Ending::Unsaved(trouble) => Page::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{name} is not connected yet"),
            "The provider gave access, and the engine cannot store it now. It keeps trying: look at the connection in the application in a moment.",
        )
        .detail("What is wrong", *trouble),
    }
}

/// Most refusals are about this URL, and whoever set the client up needs it to the letter.
fn registered_as(page: Page, directory: &Directory) -> Page {
    let callback = oauth::callback_url(&directory.config);
    page.detail(
        "Callback URL, as the provider must know it",
        callback.as_str(),
    )
}

fn unknown() -> Page {
    Page::new(
        StatusCode::BAD_REQUEST,
        "This link does not work",
        "It was used before, it is too old, or it belongs to another engine. Go back to the application and connect again.",
    )
}

fn failed(error: &AssetError) -> Page {
    tracing::error!(%error, "a callback failed");
    Page::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "The engine cannot finish this now",
        "Go back to the application and connect again in a moment.",
    )
}

fn too_many(seconds: u64) -> Response {
    let page = Page::new(
        StatusCode::TOO_MANY_REQUESTS,
        "Too many requests",
        "Load this page again in a moment.",
    );
    ([(RETRY_AFTER, HeaderValue::from(seconds))], page).into_response()
}
