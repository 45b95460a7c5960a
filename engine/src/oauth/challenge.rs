//! `WWW-Authenticate`: what a server says when it wants a token, or a better one.

use http::HeaderValue;
use url::Url;

use super::words;
use crate::domain::Scopes;

/// Longest text of all challenges that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;
/// Most parameters that are looked at.
const MOST: usize = 64;

/// The challenge of a 401 or 403 (RFC 9110 §11.6.1, RFC 6750 §3, RFC 9728 §5.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Challenge {
    /// Where the protected resource's metadata are.
    pub resource_metadata: Option<Url>,
    /// The scopes that this request needs.
    pub scope: Option<Scopes>,
    /// `invalid_token`, `insufficient_scope`.
    pub error: Option<String>,
}

impl Challenge {
    /// The challenge for a bearer token among all values of `WWW-Authenticate`. `None` if no scheme asks for one. What does
    /// not parse is skipped: a server's odd header must not keep a person from connecting.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a HeaderValue>) -> Option<Self> {
        let mut bearer: Option<Self> = None;
        for value in values.into_iter().take(MOST) {
            // Bytes beyond ASCII may stand in a quoted string (RFC 9110 §5.5).
            let text = String::from_utf8_lossy(value.as_bytes());
            let mut parser = Parser::new(&text);
            let mut in_bearer = false;
            for item in std::iter::from_fn(|| parser.next()).take(MOST) {
                match item {
                    Item::Scheme(scheme) => {
                        // DPoP challenges (RFC 9449 §7.1) hold the same parameters; a Bearer challenge counts more.
                        in_bearer = scheme.eq_ignore_ascii_case("Bearer");
                        if in_bearer {
                            bearer.get_or_insert_default();
                        }
                    }
                    Item::Parameter(name, value) if in_bearer => {
                        bearer.get_or_insert_default().take(name, &value);
                    }
                    Item::Parameter(..) => {}
                }
            }
        }
        bearer
    }

    /// The first parameter of a name counts.
    fn take(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("resource_metadata") && self.resource_metadata.is_none() {
            self.resource_metadata = Url::parse(value).ok();
        } else if name.eq_ignore_ascii_case("scope") && self.scope.is_none() {
            self.scope = Some(Scopes::parse(value)).filter(|scopes| !scopes.is_empty());
        } else if name.eq_ignore_ascii_case("error") && self.error.is_none() {
            self.error = Some(words::code(value, &[]));
        }
    }

    /// Does the server ask for more scope than the token has?
    pub fn wants_more_scope(&self) -> bool {
        self.error.as_deref() == Some("insufficient_scope")
    }
}

enum Item<'a> {
    /// An authentication scheme begins.
    Scheme(&'a str),
    /// A parameter of the scheme before it.
    Parameter(&'a str, String),
}

/// Walks over `scheme [token68 | name=value *( , name=value )] *( , scheme … )`. A comma both separates parameters and
/// challenges, so a name is a parameter if `=` and a value follow, and a scheme otherwise.
struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let end = text.floor_char_boundary(LONGEST);
        Self {
            rest: text.get(..end).unwrap_or_default(),
        }
    }

    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            self.rest = self
                .rest
                .trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
            if self.rest.is_empty() {
                return None;
            }
            let name = self.token();
            if name.is_empty() {
                // Something that no token begins with: skip to the next comma.
                self.skip_to_comma();
                continue;
            }
            let Some(after) = self.rest.trim_start().strip_prefix('=') else {
                return Some(Item::Scheme(name));
            };
            // `=` that ends a token68 (`Basic dGVzdA==`) is followed by `=`, a comma or nothing.
            let value = after.trim_start();
            if value.is_empty() || value.starts_with(['=', ',']) {
                self.rest = after;
                self.skip_to_comma();
                continue;
            }
            self.rest = value;
            let value = self.value();
            return Some(Item::Parameter(name, value));
        }
    }

    fn token(&mut self) -> &'a str {
        let end = self.rest.find(|c| !is_token(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        token
    }

    /// A quoted string, or everything up to the next blank or comma: servers forget the quotes around URLs.
    fn value(&mut self) -> String {
        if let Some(quoted) = self.rest.strip_prefix('"') {
            return self.quoted(quoted);
        }
        let end = self
            .rest
            .find(|c: char| c == ',' || c.is_ascii_whitespace())
            .unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        value.to_owned()
    }

    fn quoted(&mut self, text: &'a str) -> String {
        let mut value = String::new();
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = text.get(at + 1..).unwrap_or_default();
                    return value;
                }
                '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
                c => value.push(c),
            }
        }
        // The quote never closes: the rest is the value.
        self.rest = "";
        value
    }

    fn skip_to_comma(&mut self) {
        let end = self.rest.find(',').unwrap_or(self.rest.len());
        self.rest = self.rest.get(end..).unwrap_or_default();
    }
}

/// RFC 9110 §5.6.2, and `/`, which only a token68 has.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c)
}
