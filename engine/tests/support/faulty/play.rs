//! A fault on the wire.

use std::ops::ControlFlow;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::bomb::bomb;
use super::fault::{Fault, HUGE, PRIVATE, SCOPE_WANTED};
use super::operation::Operation;
use super::wire::{Answer, Wire};

/// How often an endless stream says something.
const CHATTER: Duration = Duration::from_millis(100);

/// What a fault needs to know of the request that it spoils.
pub(super) struct Spoiled {
    pub(super) operation: Operation,
    /// What the answer would have been; empty if the fault turns the request away.
    pub(super) right: Answer,
    /// The challenge of the server, without an error.
    pub(super) challenge: String,
}

/// Plays a fault, and gives the connection back if it can be used again.
pub(super) async fn play(fault: Fault, it: Spoiled, mut wire: Wire) -> ControlFlow<(), Wire> {
    let played = match fault {
        Fault::ResetInHead => {
            let _ = wire.write("HTTP/1.1 200 OK\r\ncontent-ty").await;
            wire.reset();
            return ControlFlow::Break(());
        }
        Fault::ResetInBody => {
            let _ = wire.write(half(&it.right)).await;
            wire.reset();
            return ControlFlow::Break(());
        }
        Fault::Hang => {
            wire.gone().await;
            return ControlFlow::Break(());
        }
        Fault::Trickle(pause) => trickle(&mut wire, &it.right.bytes(), pause).await,
        Fault::Latency(delay) => {
            sleep(delay).await;
            wire.write(it.right.bytes()).await
        }
        Fault::TruncatedSse => {
            let _ = wire
                .write(format!("{STREAM}event: message\ndata: {{\"jsonrpc\""))
                .await;
            wire.close().await;
            return ControlFlow::Break(());
        }
        Fault::EndlessSse => chatter(&mut wire).await,
        Fault::HugeEvent => {
            let _ = huge(&mut wire).await;
            wire.close().await;
            return ControlFlow::Break(());
        }
        Fault::WrongContentLength => {
            let more = it.right.body.len() + 10;
            let _ = wire.write(it.right.head(more)).await;
            let _ = wire.write(&it.right.body).await;
            return ControlFlow::Break(());
        }
        Fault::DuplicateAnswer if !it.operation.is_mcp() => {
            wire.write([it.right.bytes(), it.right.bytes()].concat())
                .await
        }
        Fault::GzipBomb => {
            let mut answer = it.right.with("content-encoding", "gzip");
            answer.body = bomb();
            wire.write(answer.bytes()).await
        }
        other => wire.write(spoiled(other, &it).bytes()).await,
    };
    match played {
        Ok(()) => ControlFlow::Continue(wire),
        Err(_) => ControlFlow::Break(()),
    }
}

/// The faults that are whole answers, only wrong ones.
fn spoiled(fault: Fault, it: &Spoiled) -> Answer {
    let right: Value = serde_json::from_slice(&it.right.body).unwrap_or_default();
    match fault {
        Fault::InvalidJson => {
            let mut answer = it.right.clone();
            answer.body.truncate(answer.body.len() / 2);
            answer
        }
        Fault::WrongId => {
            let other = json!({"jsonrpc": "2.0", "id": "somebody-else", "result": right["result"]});
            Answer::json(200, &other)
        }
        Fault::DuplicateAnswer => it.right.events(&[right.clone(), right]),
        Fault::Unauthorized { challenge } => {
            let answer = Answer::empty(401);
            if challenge {
                let words = format!("{}, error=\"invalid_token\"", it.challenge);
                answer.with("www-authenticate", words)
            } else {
                answer
            }
        }
        Fault::InsufficientScope => {
            let words = format!("error=\"insufficient_scope\", scope=\"{SCOPE_WANTED}\"");
            let (scheme, _) = it.challenge.split_once(", scope=").unwrap();
            Answer::empty(403).with("www-authenticate", format!("{scheme}, {words}"))
        }
        Fault::SessionGone => Answer::empty(404),
        Fault::TooManyRequests { retry_after } => {
            Answer::empty(429).with("retry-after", retry_after.to_string())
        }
        Fault::RedirectToPrivate => Answer::empty(307).with("location", PRIVATE),
        _ => Answer::empty(503),
    }
}

/// A stream whose end is the end of the connection.
const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn half(answer: &Answer) -> Vec<u8> {
    let mut bytes = answer.head(answer.body.len()).into_bytes();
    bytes.extend_from_slice(&answer.body[..answer.body.len() / 2]);
    bytes
}

async fn trickle(wire: &mut Wire, bytes: &[u8], pause: Duration) -> std::io::Result<()> {
    for byte in bytes {
        sleep(pause).await;
        wire.write([*byte]).await?;
    }
    Ok(())
}

async fn chatter(wire: &mut Wire) -> std::io::Result<()> {
    let message = json!({
        "jsonrpc": "2.0",
        "method": "notifications/message",
        "params": {"level": "info", "data": "still there"},
    });
    let event = format!("event: message\ndata: {message}\n\n");
    wire.write(STREAM).await?;
    loop {
        wire.write(&event).await?;
        sleep(CHATTER).await;
    }
}

async fn huge(wire: &mut Wire) -> std::io::Result<()> {
    let piece = vec![b'x'; 64 * 1024];
    wire.write(STREAM).await?;
    wire.write("event: message\ndata: ").await?;
    for _ in 0..HUGE / piece.len() {
        wire.write(&piece).await?;
    }
    wire.write("\n\n").await
}
