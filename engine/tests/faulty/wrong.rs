//! With each fault at each operation.

use std::time::Duration;

use serde_json::Value;
use userengine_engine::egress::FetchError;

use super::{Answered, Walk};
use crate::support::faulty::{Fault, Faulty, Operation, PRIVATE, SCOPE_WANTED};

#[tokio::test]
async fn each_fault_at_each_operation_is_seen_as_what_it_is_and_goes_away() {
    let each = Operation::ALL.map(|operation| async move {
        let server = Faulty::start().await;
        for fault in Fault::ALL {
            seen_and_gone(&server, operation, fault).await;
        }
    });
    futures::future::join_all(each).await;
}

async fn seen_and_gone(server: &Faulty, operation: Operation, fault: Fault) {
    let mut walk = Walk::new(server);
    walk.until(operation).await;
    if operation == Operation::CodeExchange {
        walk.approve();
    }
    let before = server.count(operation);
    server.fault(operation, fault).await;
    // One that stood may have ended unheard; that is for another test.
    walk.connect_anew();
    let answer = walk.attempt(operation).await;
    check(fault, operation, &answer);
    let sent = !matches!(&answer, Err(error) if error.never_sent());
    let arrived = server.count(operation) - before;
    assert_eq!(arrived, usize::from(sent), "{operation:?}, {fault:?}");

    server.heal().await;
    let mut walk = Walk::new(server);
    walk.until(operation).await;
    let status = walk.step(operation).await.unwrap().status();
    assert!(
        status.is_success(),
        "{operation:?} after {fault:?}: {status}"
    );
}

fn check(fault: Fault, operation: Operation, answer: &Answered) {
    let fits = match (fault, answer) {
        (Fault::Refuse, Err(FetchError::Connect { why, .. })) => why == "connection refused",
        (Fault::CloseOnAccept, Err(error)) => matches!(error, FetchError::Connect { .. }),
        (Fault::WrongCertificate, Err(FetchError::Tls { why, .. })) => {
            why.contains("not valid for name")
        }
        (Fault::ExpiredCertificate, Err(FetchError::Tls { why, .. })) => why.contains("expired"),
        (Fault::DnsFailure, Err(error)) => matches!(error, FetchError::Dns { .. }),
        (Fault::ResetInHead | Fault::ResetInBody | Fault::WrongContentLength, Err(error)) => {
            matches!(error, FetchError::Broken { .. })
        }
        (Fault::Hang | Fault::Trickle(_) | Fault::Latency(_) | Fault::EndlessSse, Err(error)) => {
            matches!(error, FetchError::Timeout { .. })
        }
        (Fault::HugeEvent, Err(error)) => matches!(error, FetchError::TooLarge { .. }),
        (Fault::GzipBomb, Err(error)) => matches!(error, FetchError::Compressed { .. }),
        (Fault::RedirectToPrivate, Err(FetchError::Redirect { why, .. })) => {
            operation == Operation::Discovery && why.contains("169.254.169.254")
        }
        (fault, Ok(answer)) => {
            let header = |name| {
                answer
                    .headers()
                    .get(name)
                    .map_or("", |value| value.to_str().unwrap())
            };
            let body = std::str::from_utf8(answer.body()).unwrap();
            answers_wrongly(fault, operation, answer.status().as_u16(), header, body)
        }
        _ => false,
    };
    assert!(fits, "{operation:?}, {fault:?}: {answer:?}");
}

fn answers_wrongly<'a>(
    fault: Fault,
    operation: Operation,
    status: u16,
    header: impl Fn(&'static str) -> &'a str,
    body: &str,
) -> bool {
    let challenge = header("www-authenticate");
    let parsed = serde_json::from_str::<Value>(body);
    match fault {
        Fault::TruncatedSse => status == 200 && body.ends_with("data: {\"jsonrpc\""),
        Fault::InvalidJson => parsed.is_err_and(|error| error.is_eof()),
        Fault::WrongId => parsed.is_ok_and(|it| it["id"] == "somebody-else"),
        Fault::DuplicateAnswer if operation.is_mcp() => body.matches("\"id\":7").count() == 2,
        Fault::DuplicateAnswer => parsed.is_ok(),
        Fault::Unauthorized { challenge: true } => {
            status == 401 && challenge.starts_with("Bearer resource_metadata=")
        }
        Fault::Unauthorized { challenge: false } => status == 401 && challenge.is_empty(),
        Fault::InsufficientScope => {
            let scope = format!("error=\"insufficient_scope\", scope=\"{SCOPE_WANTED}\"");
            status == 403 && challenge.contains(&scope)
        }
        Fault::SessionGone => status == 404,
        Fault::TooManyRequests { retry_after } => {
            status == 429 && header("retry-after") == retry_after.to_string()
        }
        Fault::Unavailable => status == 503,
        Fault::RedirectToPrivate => status == 307 && header("location") == PRIVATE,
        _ => false,
    }
}

#[tokio::test]
async fn a_tool_has_run_after_the_faults_that_say_so() {
    for fault in Fault::ALL {
        let server = Faulty::start().await;
        let mut walk = Walk::new(&server);
        walk.until(Operation::ToolsCall).await;
        server.fault(Operation::ToolsCall, fault).await;
        let _ = walk.attempt(Operation::ToolsCall).await;
        assert_eq!(
            server.written().len(),
            usize::from(fault.takes_effect()),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_fault_of_one_operation_leaves_the_others_alone() {
    let server = Faulty::start().await;
    let mut walk = Walk::new(&server);
    server.fault(Operation::ToolsCall, Fault::Hang).await;
    server.fault(Operation::Refresh, Fault::Unavailable).await;
    for operation in Operation::ALL {
        let answer = walk.step(operation).await;
        match operation {
            Operation::ToolsCall => assert!(answer.is_err()),
            Operation::Refresh => assert_eq!(answer.unwrap().status(), 503),
            _ => assert!(answer.unwrap().status().is_success()),
        }
    }
}

#[tokio::test]
async fn a_fault_can_be_for_so_many_requests() {
    let server = Faulty::start().await;
    let mut walk = Walk::new(&server);
    walk.until(Operation::ToolsList).await;
    server
        .fault_times(Operation::ToolsList, Fault::Unavailable, 3)
        .await;
    for expected in [503, 503, 503, 200, 200] {
        assert_eq!(
            walk.attempt(Operation::ToolsList).await.unwrap().status(),
            expected
        );
    }
}

#[tokio::test]
async fn connections_that_stand_do_not_outlive_a_fault_of_connecting() {
    let server = Faulty::start().await;
    let mut walk = Walk::new(&server);
    walk.until(Operation::ToolsList).await;
    for fault in [
        Fault::Refuse,
        Fault::CloseOnAccept,
        Fault::ExpiredCertificate,
        Fault::DnsFailure,
    ] {
        assert!(
            walk.attempt(Operation::ToolsList)
                .await
                .unwrap()
                .status()
                .is_success()
        );
        server.fault(Operation::ToolsList, fault).await;
        for _ in 0..3 {
            assert!(
                walk.attempt(Operation::ToolsList)
                    .await
                    .unwrap_err()
                    .never_sent(),
                "{fault:?}"
            );
        }
        server.heal().await;
    }
}

#[tokio::test]
async fn latency_below_the_limit_is_only_slow() {
    let server = Faulty::start().await;
    let mut walk = Walk::new(&server);
    walk.until(Operation::ToolsList).await;
    let latency = Duration::from_millis(100);
    server
        .fault(Operation::ToolsList, Fault::Latency(latency))
        .await;
    let started = std::time::Instant::now();
    assert!(
        walk.attempt(Operation::ToolsList)
            .await
            .unwrap()
            .status()
            .is_success()
    );
    assert!(started.elapsed() >= latency);
}
