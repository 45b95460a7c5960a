//! The reference server over each transport.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use userengine_engine::catalog::Endpoint;
use userengine_engine::mcp::{McpError, Session};

use super::arguments;
use crate::support::mcp::{SOON, open};
use crate::support::peers::{Everything, node, server};

/// What a user does with a server.
async fn use_it(session: Session) {
    let tools = session.list_tools(SOON).await.unwrap();
    let sum = tools.iter().find(|tool| tool.name == "get-sum").unwrap();
    assert!(sum.description.is_some() && sum.input_schema["properties"]["a"].is_object());

    let result = session
        .call_tool("get-sum", &arguments(json!({ "a": 2, "b": 3 })), SOON)
        .await
        .unwrap();
    let json: Value = serde_json::from_str(result.json.get()).unwrap();
    assert_eq!(json["content"][0]["text"], "The sum of 2 and 3 is 5.");
    assert!(!result.is_error);

    let image = session
        .call_tool("get-tiny-image", &arguments(json!({})), SOON)
        .await
        .unwrap();
    assert!(image.json.get().contains(r#""mimeType":"image/png""#));

    let wrong = session
        .call_tool("get-sum", &arguments(json!({ "a": "two" })), SOON)
        .await;
    match wrong {
        Ok(result) => assert!(result.is_error),
        Err(error) => assert!(
            matches!(error, McpError::Rpc { code: -32602, .. }),
            "{error}"
        ),
    }
    session.probe(SOON).await.unwrap();
    assert!(!session.is_closed());
    session.close().await;
}

#[tokio::test]
async fn speaks_streamable_http() {
    let everything = Everything::streamable_http();
    let url = everything.url.parse().unwrap();
    use_it(open(Endpoint::StreamableHttp(url), None).await.unwrap()).await;
}

#[tokio::test]
async fn speaks_http_with_sse() {
    let everything = Everything::sse();
    let url = everything.url.parse().unwrap();
    use_it(open(Endpoint::Sse(url), None).await.unwrap()).await;
}

#[tokio::test]
async fn speaks_to_a_child() {
    let endpoint = Endpoint::Stdio {
        program: node().to_str().unwrap().to_owned(),
        args: vec![server("everything").to_str().unwrap().to_owned()],
        env: BTreeMap::new(),
    };
    use_it(open(endpoint, None).await.unwrap()).await;
}

#[tokio::test]
async fn finds_a_restarted_server_again() {
    let everything = Everything::streamable_http();
    let port = everything.url.parse::<url::Url>().unwrap().port().unwrap();
    let url = everything.url.parse().unwrap();
    let session = open(Endpoint::StreamableHttp(url), None).await.unwrap();
    drop(everything);
    let gone = session.probe(SOON).await.unwrap_err();
    assert!(gone.never_ran(), "{gone}");

    let _again = Everything::streamable_http_at(port);
    let sum = arguments(json!({ "a": 2, "b": 3 }));
    let result = session.call_tool("get-sum", &sum, SOON).await.unwrap();
    assert!(result.json.get().contains("is 5."));
}
