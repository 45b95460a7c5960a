//! Lists of tools, reasonable and not.

use serde_json::{Value, json};
use userengine_engine::egress::FetchError;
use userengine_engine::mcp::McpError;

use super::arguments;
use crate::support::mcp::{McpServer, SOON, Seen, echo_tool, event, events, modern};

fn list(seen: &Seen, tools: &Value, next: Option<&str>) -> Value {
    let mut result =
        json!({ "resultType": "complete", "tools": tools, "ttlMs": 0, "cacheScope": "private" });
    if let Some(next) = next {
        result["nextCursor"] = json!(next);
    }
    json!({ "jsonrpc": "2.0", "id": seen.body["id"], "result": result })
}

/// A server whose pages are these.
async fn pages(page: fn(&Seen, usize) -> Value) -> McpServer {
    McpServer::start(move |seen| {
        if seen.rpc() != "tools/list" {
            return modern(&seen);
        }
        let cursor = &seen.body["params"]["cursor"];
        let number = cursor.as_str().map_or(0, |text| text.parse().unwrap());
        events(event(&page(&seen, number)))
    })
    .await
}

#[tokio::test]
async fn follows_pages() {
    let server = pages(|seen, number| {
        let tool = json!([{ "name": format!("t{number}"), "inputSchema": {}, "annotations": { "readOnlyHint": true } }]);
        let next = (number + 1).to_string();
        list(seen, &tool, (number < 2).then_some(&next))
    })
    .await;
    let tools = server.open().await.unwrap().list_tools(SOON).await.unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["t0", "t1", "t2"]);
    assert_eq!(tools[0].annotations, Some(json!({ "readOnlyHint": true })));
}

#[tokio::test]
async fn takes_a_thousand_of_ten_thousand_tools() {
    let server = pages(|seen, _| {
        let tool = |n| json!({ "name": format!("t{n}"), "inputSchema": { "type": "object" } });
        list(seen, &(0..10_000).map(tool).collect(), None)
    })
    .await;
    let tools = server.open().await.unwrap().list_tools(SOON).await.unwrap();
    assert_eq!(tools.len(), 1000);
}

#[tokio::test]
async fn leaves_a_list_that_does_not_end() {
    let server = pages(|seen, number| {
        let next = (number + 1).to_string();
        list(
            seen,
            &json!([{ "name": format!("t{number}"), "inputSchema": {} }]),
            Some(&next),
        )
    })
    .await;
    let tools = server.open().await.unwrap().list_tools(SOON).await.unwrap();
    assert_eq!(tools.len(), 100);
    assert_eq!(server.count("tools/list"), 100);

    let circle = pages(|seen, _| list(seen, &json!([echo_tool()]), Some("1"))).await;
    let tools = circle.open().await.unwrap().list_tools(SOON).await.unwrap();
    assert_eq!((tools.len(), circle.count("tools/list")), (1, 2));
}

#[tokio::test]
async fn refuses_a_list_beyond_eight_megabytes() {
    let server = pages(|seen, number| {
        let tool =
            json!([{ "name": "t", "description": "x".repeat(3 * 1024 * 1024), "inputSchema": {} }]);
        list(seen, &tool, Some(&(number + 1).to_string()))
    })
    .await;
    let error = server
        .open()
        .await
        .unwrap()
        .list_tools(SOON)
        .await
        .unwrap_err();
    assert!(
        matches!(error, McpError::Fetch(FetchError::TooLarge { .. })),
        "{error}"
    );
    assert_eq!(server.count("tools/list"), 3);
}

#[tokio::test]
async fn one_bad_definition_does_not_cost_the_others() {
    let server = pages(|seen, _| {
        let mut bomb = json!({ "type": "string" });
        for _ in 0..40 {
            bomb = json!({ "properties": { "a": bomb } });
        }
        let tools = json!([
            { "name": "bomb", "inputSchema": bomb },
            { "name": 7, "inputSchema": {} },
            { "name": "marked", "inputSchema": { "properties": { "a": { "type": "array", "x-mcp-header": "A" } } } },
            null,
            echo_tool(),
        ]);
        list(seen, &tools, None)
    })
    .await;
    let tools = server.open().await.unwrap().list_tools(SOON).await.unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["echo"]);
}

#[tokio::test]
async fn learns_from_a_refusal_which_arguments_go_into_headers() {
    let server = McpServer::start(|seen| match seen.rpc() {
        "tools/list" => {
            let property = json!({ "region": { "type": "string", "x-mcp-header": "Region" } });
            let tool = json!([{ "name": "query", "inputSchema": { "properties": property } }]);
            events(event(&list(&seen, &tool, None)))
        }
        "tools/call" if seen.header("mcp-param-region") != "eu" => {
            seen.error(400, -32020, "header mismatch")
        }
        _ => modern(&seen),
    })
    .await;
    let session = server.open().await.unwrap();
    let region = arguments(json!({ "region": "eu" }));
    session.call_tool("query", &region, SOON).await.unwrap();
    session.call_tool("query", &region, SOON).await.unwrap();
    assert_eq!(
        (server.count("tools/call"), server.count("tools/list")),
        (3, 1)
    );
}
