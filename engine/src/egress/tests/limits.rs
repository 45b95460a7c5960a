//! Answers that are too late, too large, or larger than they look.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::support::{Conversation, SHORT, WAIT, after_a_request, ok};
use crate::egress::{FetchError, Wait};

const IMPATIENT: Wait = Wait {
    head: SHORT,
    ..WAIT
};

fn assert_timeout(answer: Result<Bytes, FetchError>, limit: Duration) {
    let error = answer.unwrap_err();
    assert!(
        matches!(error, FetchError::Timeout { after, .. } if after == limit),
        "{error}"
    );
    assert!(!error.never_sent(), "{error}");
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout() {
    let answer = after_a_request(IMPATIENT, Conversation::hang).await;
    assert_timeout(answer, SHORT);
}

#[tokio::test]
async fn one_byte_of_a_head_at_a_time_is_a_timeout() {
    let answer = after_a_request(IMPATIENT, async |mut it: Conversation| {
        for byte in ok("slow").bytes() {
            it.say([byte]).await;
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    assert_timeout(answer.await, SHORT);
}

#[tokio::test]
async fn a_slow_body_is_a_timeout_of_the_whole() {
    let wait = Wait {
        total: 2 * SHORT,
        ..IMPATIENT
    };
    let started = Instant::now();
    let answer = after_a_request(wait, async |mut it: Conversation| {
        it.say("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            .await;
        loop {
            it.say("x").await;
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    assert_timeout(answer.await, 2 * SHORT);
    assert!(started.elapsed() < WAIT.head);
}

#[tokio::test]
async fn a_total_shorter_than_the_head_limits_the_head_too() {
    let wait = Wait {
        total: SHORT,
        ..WAIT
    };
    assert_timeout(after_a_request(wait, Conversation::hang).await, SHORT);
}

#[tokio::test]
async fn refuses_what_announces_to_be_too_large_before_reading_it() {
    let answer = after_a_request(WAIT, async |mut it: Conversation| {
        it.say(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
            WAIT.body + 1
        ))
        .await;
        it.hang().await;
    });
    assert!(matches!(answer.await, Err(FetchError::TooLarge { limit, .. }) if limit == WAIT.body));
}

#[tokio::test]
async fn refuses_what_turns_out_to_be_too_large() {
    for head in ["transfer-encoding: chunked", "connection: close"] {
        let answer = after_a_request(WAIT, move |mut it: Conversation| async move {
            it.say(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n")).await;
            let kilobyte = "x".repeat(1024);
            // Without end: it stops because the client goes.
            while it.try_say(&format!("400\r\n{kilobyte}\r\n")).await {}
        });
        let answer = answer.await;
        assert!(
            matches!(answer, Err(FetchError::TooLarge { .. })),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn takes_a_body_of_just_the_largest_size() {
    let answer = after_a_request(WAIT, async |mut it: Conversation| {
        it.say(ok(&"x".repeat(WAIT.body))).await;
    });
    assert_eq!(answer.await.unwrap().len(), WAIT.body);
}

#[tokio::test]
async fn refuses_a_compressed_answer() {
    for (coding, refused) in [
        ("gzip", true),
        ("br", true),
        ("identity, gzip", true),
        ("Identity", false),
    ] {
        let answer = after_a_request(WAIT, move |mut it: Conversation| async move {
            it.say(format!(
                "HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: 1\r\n\r\nx"
            ))
            .await;
        });
        let answer = answer.await;
        assert_eq!(
            matches!(answer, Err(FetchError::Compressed { .. })),
            refused,
            "{coding}: {answer:?}"
        );
    }
}
