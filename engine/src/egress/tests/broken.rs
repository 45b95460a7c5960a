//! Answers that break.

use bytes::Bytes;

use super::support::{Conversation, WAIT, after_a_request, egress, get, ok, serve};
use crate::egress::{FetchError, Profile};

fn assert_broken(answer: Result<Bytes, FetchError>) {
    let error = answer.unwrap_err();
    assert!(matches!(error, FetchError::Broken { .. }), "{error}");
    assert!(!error.never_sent(), "{error}");
}

#[tokio::test]
async fn closed_without_an_answer_is_broken() {
    assert_broken(after_a_request(WAIT, async |it| drop(it)).await);
}

#[tokio::test]
async fn reset_without_an_answer_is_broken() {
    assert_broken(after_a_request(WAIT, async |it| it.reset()).await);
}

#[tokio::test]
async fn reset_in_the_head_is_broken() {
    let answer = after_a_request(WAIT, async |mut it: Conversation| {
        it.say("HTTP/1.1 200 OK\r\ncontent-le").await;
        it.reset();
    });
    assert_broken(answer.await);
}

#[tokio::test]
async fn reset_in_the_body_is_broken() {
    let answer = after_a_request(WAIT, async |mut it: Conversation| {
        it.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            .await;
        it.reset();
    });
    assert_broken(answer.await);
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_broken() {
    let answer = after_a_request(WAIT, async |mut it: Conversation| {
        it.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            .await;
    });
    assert_broken(answer.await);
}

#[tokio::test]
async fn a_chunked_body_without_its_end_is_broken() {
    let answer = after_a_request(WAIT, async |mut it: Conversation| {
        it.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
            .await;
    });
    assert_broken(answer.await);
}

#[tokio::test]
async fn what_is_not_http_is_broken() {
    for nonsense in [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "\0\0\0\0",
    ] {
        let answer = after_a_request(WAIT, move |mut it: Conversation| async move {
            it.say(nonsense).await;
        });
        assert_broken(answer.await);
    }
}

#[tokio::test]
async fn a_head_without_end_is_broken() {
    let answer = after_a_request(WAIT, async |mut it: Conversation| {
        it.say("HTTP/1.1 200 OK\r\n").await;
        for _ in 0..10_000 {
            it.say(format!("x-more: {}\r\n", "x".repeat(100))).await;
        }
        it.hang().await;
    });
    assert_broken(answer.await);
}

#[tokio::test]
async fn bytes_beyond_the_announced_length_reach_nobody() {
    let server = serve(|it, number| {
        it.always(move |_| format!("{}HTTP/1.1 200 OK\r\n\r\nsmuggled", ok(&number.to_string())))
    })
    .await;
    let egress = egress(&server.plain());
    for _ in 0..20 {
        // A connection that said too much is not used again; a request that was on it already is not sent twice.
        let answer = egress
            .fetch(Profile::Catalog, get(&server.url("/")), WAIT)
            .await;
        if let Ok(answer) = answer {
            assert!(answer.body().len() < 3, "{:?}", answer.body());
        }
    }
}
