//! The engine's OAuth client against a real provider: FastMCP's, in memory, with refresh tokens that rotate.

use std::time::Duration;

use bytes::Bytes;
use http::header::{LOCATION, WWW_AUTHENTICATE};
use http::{Request, Response};
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use userengine_engine::catalog::OauthSettings;
use userengine_engine::config::{ConnectorsConfig, Environment, HttpConfig};
use userengine_engine::domain::Scopes;
use userengine_engine::egress::{Egress, Profile};
use userengine_engine::oauth::{
    Authorization, Challenge, Client, ClientChoice, OauthError, Provider, TokenSet, authorize,
    callback_url, check_iss, choose_client, client_metadata_url, discover, exchange, refresh,
    register, revoke,
};

use crate::support::peers::Notes;

const STATE: &str = "acme.alice.a-nonce";

/// An engine's view of one provider, and a browser whose person says yes.
struct Flow {
    notes: Notes,
    http: Egress,
    config: ConnectorsConfig,
    provider: Provider,
    client: Client,
}

impl Flow {
    async fn begin() -> Self {
        let notes = Notes::start(3600);
        let environment = Environment::of(&[("EGRESS_ALLOW", &notes.origin)]);
        let http = HttpConfig::read(&environment).unwrap();
        let config = ConnectorsConfig::read(&environment, &http).unwrap();
        let http = Egress::new(&config).unwrap();

        let server = Url::parse(&notes.url).unwrap();
        let refused = fetch(&http, Request::post(&notes.url)).await;
        assert_eq!(refused.status(), 401);
        let challenge = Challenge::parse(refused.headers().get_all(WWW_AUTHENTICATE)).unwrap();
        let named = challenge.resource_metadata.as_ref().unwrap().path();
        assert_eq!(named, "/.well-known/oauth-protected-resource/mcp");

        let settings = OauthSettings::default();
        let provider = discover(&http, &server, Some(&challenge), &settings)
            .await
            .unwrap();
        assert_eq!(provider.resource, notes.url);
        let choice = choose_client(&provider, &settings, Some(&client_metadata_url(&config)));
        assert!(matches!(choice, Ok(ClientChoice::Dynamic)), "{choice:?}");
        let client = register(&http, &provider, &callback_url(&config))
            .await
            .unwrap();
        assert_eq!(notes.count("registered"), 1);
        Self {
            notes,
            http,
            config,
            provider,
            client,
        }
    }

    /// Sends the person to the provider, which answers with a code.
    async fn consent(&self, scopes: &Scopes) -> (Authorization, SecretString) {
        let callback = callback_url(&self.config);
        let begun = authorize(&self.provider, &self.client, &callback, STATE, scopes).unwrap();
        let answer = fetch(&self.http, Request::get(begun.url.as_str())).await;
        let location = answer.headers()[LOCATION].to_str().unwrap();
        let location = Url::parse(location).unwrap();
        assert_eq!(location.path(), callback.path());
        let parameter = |wanted: &str| {
            let mut pairs = location.query_pairs();
            pairs.find_map(|(name, value)| (name == wanted).then(|| value.into_owned()))
        };
        assert_eq!(parameter("state").as_deref(), Some(STATE), "{location}");
        check_iss(&self.provider, parameter("iss").as_deref()).unwrap();
        (begun, parameter("code").unwrap().into())
    }

    async fn tokens(
        &self,
        begun: &Authorization,
        code: &SecretString,
    ) -> Result<TokenSet, OauthError> {
        let callback = callback_url(&self.config);
        let verifier = &begun.verifier;
        exchange(
            &self.http,
            &self.provider,
            &self.client,
            &callback,
            code,
            verifier,
        )
        .await
    }

    async fn refresh(&self, token: &SecretString) -> Result<TokenSet, OauthError> {
        refresh(&self.http, &self.provider, &self.client, token).await
    }
}

/// Redirects are not followed.
async fn fetch(http: &Egress, request: http::request::Builder) -> Response<()> {
    let request = request.body(Bytes::new()).unwrap();
    let url = request.uri().to_string();
    let target = http.target(Profile::Catalog, &url).unwrap();
    let limit = Duration::from_mins(1);
    let answer = http.send(&target, request, limit).await.unwrap();
    answer.map(drop)
}

#[tokio::test]
async fn a_real_provider_takes_the_whole_way_from_challenge_to_revocation() {
    let flow = Flow::begin().await;
    let asked = flow.provider.scopes.clone();
    let (begun, code) = flow.consent(&asked).await;
    let first = flow.tokens(&begun, &code).await.unwrap();
    assert_eq!(first.scopes.unwrap(), asked);
    assert_eq!(first.expires_in, Some(3600));

    let old = first.refresh_token.unwrap();
    let second = flow.refresh(&old).await.unwrap();
    let new = second.refresh_token.unwrap();
    assert_ne!(new.expose_secret(), old.expose_secret(), "it rotates");
    let reused = flow.refresh(&old).await.unwrap_err();
    assert!(reused.grant_is_over(), "{reused:?}");
    assert_eq!(
        (flow.notes.count("refreshed"), flow.notes.count("refused")),
        (1, 1)
    );

    let endpoint = flow.provider.revocation_endpoint.as_ref().unwrap();
    for _ in 0..2 {
        // The second time the provider does not know it any more.
        revoke(&flow.http, endpoint, &flow.client, &new, "refresh_token")
            .await
            .unwrap();
    }
    assert_eq!(flow.notes.count("revoked"), 1);
    assert!(flow.refresh(&new).await.unwrap_err().grant_is_over());
}

#[tokio::test]
async fn a_code_is_good_once_and_for_its_verifier_only() {
    let flow = Flow::begin().await;
    let (first, code) = flow.consent(&flow.provider.scopes).await;
    let (second, _) = flow.consent(&flow.provider.scopes).await;
    let wrong_verifier = flow.tokens(&second, &code).await.unwrap_err();
    assert!(wrong_verifier.grant_is_over(), "{wrong_verifier:?}");
    flow.tokens(&first, &code).await.unwrap();
    let again = flow.tokens(&first, &code).await.unwrap_err();
    assert!(again.grant_is_over(), "{again:?}");
    for error in [wrong_verifier, again] {
        let printed = format!("{error:?} {error}");
        assert!(!printed.contains(code.expose_secret()), "{printed}");
    }
}

#[tokio::test]
async fn a_client_may_ask_for_more_later_than_it_began_with() {
    let flow = Flow::begin().await;
    let read = Scopes::parse("notes:read");
    let (begun, code) = flow.consent(&read).await;
    let little = flow.tokens(&begun, &code).await.unwrap();
    assert_eq!(little.scopes.as_ref(), Some(&read));
    let more = read.union(&Scopes::parse("notes:write"));
    let (begun, code) = flow.consent(&more).await;
    let all = flow.tokens(&begun, &code).await.unwrap();
    assert_eq!(all.scopes, Some(more));
}
