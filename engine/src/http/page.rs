//! The one look of the pages that people see: a title, what happened, what to do, and facts in a list.
//!
//! A page works without JavaScript and loads nothing: its style is in it, and the policy permits exactly that style by
//! its hash (<https://www.w3.org/TR/CSP3/#source-list-syntax>), so no nonce has to be made and nothing else can run.

use std::sync::LazyLock;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use url::Url;

/// A page. Every text is escaped; nothing in it may be a secret, for a browser keeps what it saw.
#[derive(Debug, Clone)]
pub struct Page {
    status: StatusCode,
    title: String,
    message: String,
    details: Vec<(String, String)>,
    link: Option<(String, Url)>,
}

impl Page {
    /// A page with a title and one paragraph.
    pub fn new(status: StatusCode, title: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            title: title.into(),
            message: message.into(),
            details: Vec::new(),
            link: None,
        }
    }

    /// Adds a fact below the paragraph: what it is, and its value.
    #[must_use]
    pub fn detail(mut self, what: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.push((what.into(), value.into()));
        self
    }

    /// The one way on from here. A URL that is not of the web is left out.
    #[must_use]
    pub fn link(mut self, text: impl Into<String>, to: Url) -> Self {
        if matches!(to.scheme(), "https" | "http") {
            self.link = Some((text.into(), to));
        }
        self
    }

    fn markup(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main {
                        h1 { (self.title) }
                        p { (self.message) }
                        @if !self.details.is_empty() {
                            dl {
                                @for (what, value) in &self.details {
                                    dt { (what) }
                                    dd { (value) }
                                }
                            }
                        }
                        @if let Some((text, to)) = &self.link {
                            p { a href=(to) rel="noreferrer" { (text) } }
                        }
                    }
                }
            }
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let headers: [(HeaderName, HeaderValue); 4] = [
            (CONTENT_SECURITY_POLICY, POLICY.clone()),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        let body = Html(self.markup().into_string());
        (self.status, headers, body).into_response()
    }
}

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    // Base64 and the words above are visible ASCII, so the fallback, which forbids more, is never met.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1a1a1f;--paper:#fff;--faint:#5a5a66;--line:#d8d8df;--link:#0b57d0}\
@media(prefers-color-scheme:dark){:root{--ink:#ececf1;--paper:#17171b;--faint:#a5a5b0;--line:#3a3a44;--link:#8ab4f8}}\
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.55 system-ui,sans-serif}\
main{max-width:34rem;margin:0 auto;padding:12vh 1.25rem 3rem}\
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}\
p{margin:0 0 1.25rem}\
dl{margin:0 0 1.25rem;padding:1rem 0;border-top:1px solid var(--line);border-bottom:1px solid var(--line)}\
dt{color:var(--faint);font-size:.875rem}\
dd{margin:0 0 .75rem;overflow-wrap:anywhere;font-family:ui-monospace,monospace;font-size:.9375rem}\
dd:last-child{margin-bottom:0}\
a{color:var(--link)}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_permits_exactly_the_style_that_the_page_has() {
        let page = Page::new(StatusCode::OK, "t", "m");
        let text = page.markup().into_string();
        let style = text
            .split_once("<style>")
            .and_then(|(_, rest)| rest.split_once("</style>"))
            .unwrap()
            .0;
        let hash = BASE64_STANDARD.encode(Sha256::digest(style));
        let policy = page.into_response().headers()[CONTENT_SECURITY_POLICY].clone();
        assert!(
            policy
                .to_str()
                .unwrap()
                .contains(&format!("style-src 'sha256-{hash}'"))
        );
        assert!(!text.contains("<script") && !text.contains("style=") && !text.contains("src="));
    }

    #[test]
    fn texts_are_escaped_and_a_link_leads_only_to_the_web() {
        let hostile = "<script>alert(1)</script>\"'&";
        let page = Page::new(StatusCode::OK, hostile, hostile)
            .detail(hostile, hostile)
            .link(hostile, Url::parse("javascript:alert(1)").unwrap());
        let text = page.clone().markup().into_string();
        assert!(
            !text.contains("<script>") && !text.contains("href"),
            "{text}"
        );
        let to = Url::parse("https://example.com/?a=\"><b>").unwrap();
        let text = page.link("Back", to).markup().into_string();
        assert!(
            text.contains("href=\"https://example.com/?a=%22%3E%3Cb%3E\""),
            "{text}"
        );
    }
}
