//! What must come of a fault, thought out before it was tried.

use std::time::Duration;

use super::case::{Outcome, Recovery};
use crate::support::faulty::{Fault, Operation};

/// What comes later than this is too late for a call of these tests.
const LATE: Duration = Duration::from_secs(3);
/// Time is moved in steps, and goes by itself between them.
const SLACK: Duration = Duration::from_millis(300);
/// What waits for no timer is over within this, also on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(10);
/// The same for 64 MiB through TLS without optimizations.
const SLOW: Duration = Duration::from_mins(1);

/// What a fault is to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// None: the answer can be used.
    None,
    /// Nobody there, or gone in the middle.
    Gone,
    /// There, and too slow.
    Slow,
    /// There, and 5xx.
    Unwell,
    /// There, and what it says is not the protocol.
    Nonsense,
    /// 401: it does not take the credential.
    Unauthorized,
    /// 403: it wants more scope.
    Scope,
    /// 404: it no longer knows the session.
    SessionGone,
    /// 429: it wants a pause.
    TooMany,
}

fn trouble(operation: Operation, fault: Fault) -> Trouble {
    let one_event_cut = fault == Fault::TruncatedSse;
    match fault {
        Fault::DuplicateAnswer => Trouble::None,
        Fault::Latency(delay) if delay < LATE => Trouble::None,
        Fault::Hang | Fault::Trickle(_) | Fault::Latency(_) | Fault::EndlessSse => Trouble::Slow,
        Fault::Unavailable => Trouble::Unwell,
        Fault::Unauthorized { .. } => Trouble::Unauthorized,
        Fault::InsufficientScope => Trouble::Scope,
        Fault::SessionGone => Trouble::SessionGone,
        Fault::TooManyRequests { .. } => Trouble::TooMany,
        Fault::InvalidJson
        | Fault::WrongId
        | Fault::HugeEvent
        | Fault::GzipBomb
        | Fault::RedirectToPrivate => Trouble::Nonsense,
        // To a call it is a connection that was lost before the answer.
        _ if one_event_cut && matches!(operation, Operation::ToolsList | Operation::ToolsCall) => {
            Trouble::Gone
        }
        _ if one_event_cut => Trouble::Nonsense,
        _ => Trouble::Gone,
    }
}

/// Holds an outcome against what must come of it.
pub fn check(operation: Operation, fault: Fault, it: &Outcome) {
    let trouble = trouble(operation, fault);
    assert_eq!(
        answer(it),
        expected_answer(operation, trouble),
        "what the caller gets"
    );
    let longest = longest(operation, fault) + SLACK;
    assert!(it.waited <= longest, "it took {:?}", it.waited);
    let machine = if fault == Fault::HugeEvent {
        SLOW
    } else {
        AT_ONCE
    };
    assert!(it.took <= machine, "this machine took {:?}", it.took);
    check_resending(operation, fault, it);
    let has_breaker = operation.is_mcp();
    if has_breaker {
        check_breaker(operation, fault, trouble, it);
    } else {
        assert_ne!(it.breaker, "open", "the MCP server has done nothing wrong");
    }
    let recovers = recovers(operation, fault, trouble, &it.breaker, it.recovery);
    assert!(recovers, "recovery: {:?}", it.recovery);
}

fn answer(it: &Outcome) -> (u16, &str, &str) {
    (it.first.status, &it.first.code, &it.first.reason)
}

fn expected_answer(operation: Operation, trouble: Trouble) -> (u16, &'static str, &'static str) {
    let failed = |reason| (502, "MCP_CONNECTION_FAILED", reason);
    match (operation, trouble) {
        (_, Trouble::None) => (200, "", ""),
        (Operation::Discovery | Operation::Registration, trouble) => {
            (502, "OAUTH_FAILED", kind(trouble))
        }
        // A page for the person.
        (Operation::CodeExchange, trouble) => (502, "", kind(trouble)),
        (Operation::Refresh, Trouble::Scope | Trouble::SessionGone) | (_, Trouble::Nonsense) => {
            failed("protocol")
        }
        (_, Trouble::Gone | Trouble::Unwell | Trouble::SessionGone) => failed("unreachable"),
        (_, Trouble::Slow) => failed("timeout"),
        (_, Trouble::TooMany) => failed("rate_limited"),
        (_, Trouble::Unauthorized) => (401, "MCP_TOKEN_EXPIRED", ""),
        (_, Trouble::Scope) => (403, "MCP_SCOPE_MISSING", ""),
    }
}

/// What is said of a provider. 401, 403 and 404 mean to it what the protocol does not foresee here.
fn kind(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::None => "",
        Trouble::Gone | Trouble::Unwell => "unreachable",
        Trouble::Slow => "timeout",
        Trouble::TooMany => "rate_limited",
        Trouble::Nonsense | Trouble::Unauthorized | Trouble::Scope | Trouble::SessionGone => {
            "protocol"
        }
    }
}

/// What dawdles may use up its limit; everything else is told at once.
fn longest(operation: Operation, fault: Fault) -> Duration {
    let seconds = match (operation, fault) {
        // The metadata are two documents.
        (Operation::Discovery, Fault::Latency(delay)) if delay < LATE => return 2 * delay,
        (_, Fault::Latency(delay)) if delay < LATE => return delay,
        (Operation::Discovery | Operation::Registration | Operation::CodeExchange, fault) => {
            match fault {
                Fault::Hang | Fault::Trickle(_) | Fault::Latency(_) => 10,
                Fault::EndlessSse => 15,
                _ => 0,
            }
        }
        // A call's own limit, and the second beside it.
        (_, Fault::Hang | Fault::Trickle(_) | Fault::Latency(_) | Fault::EndlessSse) => 4,
        _ => 0,
    };
    Duration::from_secs(seconds)
}

/// What may have had an effect is not sent again.
fn check_resending(operation: Operation, fault: Fault, it: &Outcome) {
    match operation {
        Operation::ToolsCall => {
            let turned_away = matches!(fault, Fault::Unauthorized { .. } | Fault::SessionGone);
            let most = if turned_away { 2 } else { 1 };
            assert!(
                it.arrived_first <= most,
                "a call arrived {} times",
                it.arrived_first
            );
            let ran = if fault.takes_effect() { it.arrived } else { 0 };
            assert_eq!(it.ran, ran, "the tool ran");
        }
        Operation::CodeExchange => assert!(it.arrived <= 1, "a code was sent again"),
        // Six calls that all need the token: those that come within a second of a failure do not ask again.
        Operation::Refresh if !it.first.is_ok() => {
            assert!(
                it.arrived <= 1,
                "the refresh token was sent {} times",
                it.arrived
            );
        }
        _ => {}
    }
}

fn check_breaker(operation: Operation, fault: Fault, trouble: Trouble, it: &Outcome) {
    let opens = match trouble {
        Trouble::None | Trouble::Unauthorized | Trouble::Scope | Trouble::TooMany => false,
        // A server that never gives a session has none to forget.
        Trouble::SessionGone => operation == Operation::Initialize,
        // It answers, only too much.
        Trouble::Nonsense => fault != Fault::HugeEvent,
        Trouble::Gone | Trouble::Slow | Trouble::Unwell => true,
    };
    assert_eq!(
        it.breaker,
        if opens { "open" } else { "closed" },
        "the breaker"
    );
    let last = if opens {
        "circuit_open"
    } else {
        &it.first.reason
    };
    assert_eq!(it.last.reason, last, "what the sixth caller is told");
}

fn recovers(
    operation: Operation,
    fault: Fault,
    trouble: Trouble,
    breaker: &str,
    recovery: Recovery,
) -> bool {
    let within = |seconds| match recovery {
        Recovery::AtOnce => true,
        Recovery::After(time) => time <= Duration::from_secs(seconds),
        Recovery::ByConnect => false,
    };
    match operation {
        Operation::Discovery | Operation::Registration => recovery == Recovery::AtOnce,
        _ if trouble == Trouble::None => recovery == Recovery::AtOnce,
        Operation::CodeExchange => recovery == Recovery::ByConnect,
        // This provider's refresh tokens work once, and one was spent for an answer that nobody got; or the provider said
        // that it does not know the client.
        Operation::Refresh if fault.takes_effect() || trouble == Trouble::Unauthorized => {
            recovery == Recovery::ByConnect
        }
        Operation::Refresh => within(2),
        _ if trouble == Trouble::TooMany || trouble == Trouble::Gone => within(1),
        _ if breaker == "open" => within(30),
        _ => recovery == Recovery::AtOnce,
    }
}
