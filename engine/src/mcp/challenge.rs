//! The challenge of a 401 or 403.

use http::HeaderValue;
use url::Url;

use crate::domain::Scopes;
use crate::oauth::Challenge;

/// Reads the parameters that matter of the first `Bearer` challenge.
pub fn challenge<'a>(headers: impl IntoIterator<Item = &'a HeaderValue>) -> Challenge {
    let texts = headers.into_iter().filter_map(|value| value.to_str().ok());
    let bearer = texts
        .filter_map(|text| {
            text.get(7..)
                .filter(|_| text.to_ascii_lowercase().starts_with("bearer "))
        })
        .next();
    let Some(parameters) = bearer else {
        return Challenge::default();
    };
    Challenge {
        resource_metadata: value(parameters, "resource_metadata")
            .and_then(|url| Url::parse(url).ok()),
        scope: value(parameters, "scope").map(Scopes::parse),
        error: value(parameters, "error").map(str::to_owned),
    }
}

fn value<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    let begin = format!("{name}=\"");
    let at = parameters
        .match_indices(&begin)
        .find(|(at, _)| {
            *at == 0
                || parameters
                    .as_bytes()
                    .get(at - 1)
                    .is_some_and(|c| b", ".contains(c))
        })?
        .0;
    parameters.get(at + begin.len()..)?.split('"').next()
}
