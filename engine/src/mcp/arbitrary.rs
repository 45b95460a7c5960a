//! Whatever servers send on a stream.

use std::convert::Infallible;

use bytes::Bytes;
use futures::FutureExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use proptest::prelude::*;
use serde_json::value::RawValue;
use url::Url;

use super::events::{Events, Next};
use super::result::Outcome;
use super::rpc::{Incoming, declined};
use super::sse::endpoint;
use super::tools::Page;
use crate::arbitrary::{cases, near};
use crate::egress::Body;

const STREAMS: [&str; 6] = [
    "event: endpoint\ndata: /messages?session=1\n\n",
    "event: endpoint\r\ndata: https://a.example/messages\r\n\r\n: comment\r\n\r\n",
    "id: 1\nretry: 20\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
    "event: endpoint\ndata: //evil.example/messages\n\n",
    "event: endpoint\rdata: https://a.example:444/x\r\r",
    "data: a\ndata: b\n\nevent: message\ndata\n\n",
];

const MESSAGES: [&str; 6] = [
    r#"{"jsonrpc":"2.0","id":1073741824,"result":{"content":[{"type":"text","text":"a"}],"isError":false}}"#,
    r#"{"jsonrpc":"2.0","id":"7","error":{"code":-32602,"message":"no\u0000\u001b[31m"}}"#,
    r#"{"jsonrpc":"2.0","method":"elicitation/create","id":[1],"params":{}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"who?"}}},"requestState":"s"}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","inputSchema":{"type":"object"}},{"name":1}],"nextCursor":"b"}}"#,
    r#"{"jsonrpc":"2.0","method":"ping","id":1}"#,
];

/// Small, so that the limit is met.
const LIMIT: usize = 200;

/// A body that arrives in pieces of these lengths, over and over.
fn body(bytes: &[u8], lengths: &[usize]) -> Body {
    let (mut rest, mut lengths) = (bytes, lengths.iter().cycle());
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at((*lengths.next().unwrap()).min(rest.len()));
        chunks.push(Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(
            chunk,
        ))));
        rest = later;
    }
    StreamBody::new(futures::stream::iter(chunks))
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Nothing here waits for anything.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

async fn events(body: Body) -> Vec<Next> {
    let mut events = Events::new(body, LIMIT);
    let mut all = Vec::new();
    while let Some(Ok(next)) = events.next().await {
        all.push(next);
    }
    all
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn a_stream_reads_the_same_however_it_is_cut(bytes in near(&STREAMS), lengths in prop::collection::vec(1_usize..40, 1..5)) {
        let whole = now(events(body(&bytes, &[usize::MAX])));
        for next in &whole {
            if let Next::Event(event) = next {
                // Bytes that are no UTF-8 become three each.
                prop_assert!(event.data.as_ref().map_or(0, String::len) <= 3 * LIMIT);
            }
        }
        prop_assert_eq!(now(events(body(&bytes, &lengths))), whole);
    }

    #[test]
    fn the_endpoint_that_a_stream_names_is_where_the_stream_is(bytes in near(&STREAMS)) {
        let url = Url::parse("https://a.example/sse").unwrap();
        let mut events = Events::new(body(&bytes, &[7]), LIMIT);
        if let Ok(endpoint) = now(endpoint(&mut events, &url)) {
            prop_assert_eq!(endpoint.origin(), url.origin());
        }
    }

    #[test]
    fn any_message_is_read_or_refused_in_words_that_fit_a_log(bytes in near(&MESSAGES)) {
        let Ok(incoming) = Incoming::read(&bytes) else { return Ok(()) };
        if let Some(answer) = declined(&incoming) {
            let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            prop_assert_eq!(&answer["jsonrpc"], "2.0");
        }
        let _ = incoming.answered();
        let said = match incoming.into_answer() {
            Ok(result) => any_result(result),
            Err(error) => Some(error.to_string()),
        };
        if let Some(said) = said {
            prop_assert!(said.chars().count() <= 600 && !said.contains(char::is_control), "{said:?}");
        }
    }
}

/// What is said of a result that cannot be used.
fn any_result(result: Box<RawValue>) -> Option<String> {
    let _ = Page::read(&result);
    match Outcome::read(result) {
        Ok(Outcome::Asked(asked)) => Some(asked.what),
        Ok(Outcome::Done(_)) => None,
        Err(error) => Some(error.to_string()),
    }
}
