//! The person in front of the browser.

use std::collections::BTreeMap;

use url::{Url, form_urlencoded};

use super::{Code, Provider};

impl Provider {
    /// The person consents. Gives the query with which the provider sends the browser back.
    pub fn consent(&self, auth_url: &str) -> String {
        let asked = asked(auth_url);
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["resource"], format!("{}/mcp", self.base()));
        let mut state = self.state();
        let code = state.secret("code");
        state.codes.insert(
            code.clone(),
            Code {
                client: asked["client_id"].clone(),
                challenge: asked["code_challenge"].clone(),
                redirect_uri: asked["redirect_uri"].clone(),
                scopes: asked
                    .get("scope")
                    .map(|scope| scope.split(' ').map(str::to_owned).collect())
                    .unwrap_or_default(),
            },
        );
        let iss = state.behaviour.sends_iss.then(|| self.base());
        drop(state);
        query(&[
            ("code", Some(&code)),
            ("state", Some(&asked["state"])),
            ("iss", iss.as_deref()),
        ])
    }

    /// The person does not consent.
    pub fn deny(&self, auth_url: &str) -> String {
        let base = self.base();
        query(&[
            ("error", Some("access_denied")),
            ("error_description", Some("the person <b>said</b> no")),
            ("state", Some(&asked(auth_url)["state"])),
            ("iss", Some(&base)),
        ])
    }
}

/// The parameters of an authorization request.
pub fn asked(auth_url: &str) -> BTreeMap<String, String> {
    let url = Url::parse(auth_url).unwrap();
    url.query_pairs().into_owned().collect()
}

pub fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.finish()
}
