//! The outcomes as a table, for people.

use std::fmt::Write;
use std::time::Duration;

use super::case::{Outcome, Recovery};
use crate::support::faulty::{Fault, Operation};

/// A table in Markdown.
pub fn render(operation: Operation, rows: &[(Fault, Outcome)]) -> String {
    let mut text = String::from(
        "| fault | the caller gets | slowest | arrived | breaker | well again |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (fault, it) in rows {
        let breaker = if operation.is_mcp() {
            it.breaker.as_str()
        } else {
            ""
        };
        writeln!(
            text,
            "| {} | {} | {} | {} | {breaker} | {} |",
            name(*fault),
            answer(it),
            slowest(it.waited),
            it.arrived_first,
            recovery(it.recovery),
        )
        .unwrap();
    }
    text
}

fn answer(it: &Outcome) -> String {
    let words = [it.first.code.as_str(), it.first.reason.as_str()];
    let words = words.iter().filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
    format!("{} {}", it.first.status, words.join(" "))
        .trim_end()
        .to_owned()
}

fn slowest(waited: Duration) -> String {
    let seconds = waited.as_secs_f64();
    if seconds < 0.5 {
        return "at once".to_owned();
    }
    let limit = [2.0, 4.0, 10.0, 15.0]
        .into_iter()
        .find(|limit| seconds <= limit + 0.5);
    format!("within {} s", limit.unwrap())
}

fn recovery(recovery: Recovery) -> &'static str {
    match recovery {
        Recovery::AtOnce => "at once",
        Recovery::After(time) if time <= Duration::from_secs(2) => "within 2 s",
        Recovery::After(_) => "within 30 s",
        Recovery::ByConnect => "connected again",
    }
}

/// The name of an operation's table.
pub fn file(operation: Operation) -> &'static str {
    match operation {
        Operation::Discovery => "discovery",
        Operation::Registration => "registration",
        Operation::CodeExchange => "code_exchange",
        Operation::Refresh => "refresh",
        Operation::Initialize => "initialize",
        Operation::ToolsList => "tools_list",
        Operation::ToolsCall => "tools_call",
        other => unreachable!("{other:?} is never faulty"),
    }
}

/// Is this what is counted?
type Is = fn(&str) -> bool;

/// What a row of the summary counts: its name, a column of the operations' tables, and what stands there.
const COUNTED: [(&str, usize, Is); 14] = [
    ("an answer all the same", 2, |cell| cell == "200"),
    ("told `unreachable`", 2, |cell| {
        cell.ends_with("`unreachable`")
    }),
    ("told `timeout`", 2, |cell| cell.ends_with("`timeout`")),
    ("told `protocol`", 2, |cell| cell.ends_with("`protocol`")),
    ("told `rate_limited`", 2, |cell| {
        cell.ends_with("`rate_limited`")
    }),
    ("told `MCP_TOKEN_EXPIRED`", 2, |cell| {
        cell.ends_with("`MCP_TOKEN_EXPIRED`")
    }),
    ("told `MCP_SCOPE_MISSING`", 2, |cell| {
        cell.ends_with("`MCP_SCOPE_MISSING`")
    }),
    ("told at once", 3, |cell| cell == "at once"),
    ("told within its limit", 3, |cell| cell != "at once"),
    ("the breaker opened", 5, |cell| cell == "open"),
    ("well again at once", 6, |cell| cell == "at once"),
    ("well again within 2 s", 6, |cell| cell == "within 2 s"),
    ("well again within 30 s", 6, |cell| cell == "within 30 s"),
    ("connected again by a person", 6, |cell| {
        cell == "connected again"
    }),
];

/// Counts the rows of all operations' tables.
pub fn summary(tables: &[(Operation, String)]) -> String {
    let names = tables
        .iter()
        .map(|(operation, _)| file(*operation).replace('_', " "));
    let names: Vec<_> = names.collect();
    let mut text = format!("| | {} | all |\n", names.join(" | "));
    text += "| --- |";
    text += &" --- |".repeat(names.len() + 1);
    text += "\n";
    text += &counts("**cases**", tables, |_| true);
    for (name, column, is_so) in COUNTED {
        text += &counts(name, tables, |row| is_so(row[column]));
    }
    text
}

fn counts(name: &str, tables: &[(Operation, String)], is_so: impl Fn(&[&str]) -> bool) -> String {
    let count = |(_, table): &(Operation, String)| {
        let rows = table.lines().skip(2);
        let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
        cells.filter(|row| is_so(row)).count()
    };
    let counts: Vec<_> = tables.iter().map(count).collect();
    let all: usize = counts.iter().sum();
    let counts = counts.iter().map(ToString::to_string).collect::<Vec<_>>();
    format!("| {name} | {} | {all} |\n", counts.join(" | "))
}

/// The name of a fault.
pub fn name(fault: Fault) -> String {
    let name = match fault {
        Fault::Refuse => "connection refused",
        Fault::CloseOnAccept => "connection taken and closed",
        Fault::ResetInHead => "reset in the head",
        Fault::ResetInBody => "reset in the body",
        Fault::Hang => "no byte comes",
        Fault::Trickle(_) => "a byte a second",
        Fault::Latency(delay) => return format!("{} s late", delay.as_secs_f64()),
        Fault::TruncatedSse => "event stream cut in an event",
        Fault::EndlessSse => "event stream without end or answer",
        Fault::HugeEvent => "event of 64 MiB",
        Fault::WrongContentLength => "shorter than announced",
        Fault::InvalidJson => "JSON cut in the middle",
        Fault::WrongId => "answer to another request",
        Fault::DuplicateAnswer => "answer twice",
        Fault::Unauthorized { challenge: true } => "401 with a challenge",
        Fault::Unauthorized { challenge: false } => "401 without a challenge",
        Fault::InsufficientScope => "403 `insufficient_scope`",
        Fault::SessionGone => "404",
        Fault::TooManyRequests { .. } => "429 with `Retry-After: 1`",
        Fault::Unavailable => "503",
        Fault::RedirectToPrivate => "redirect to a metadata service",
        Fault::WrongCertificate => "certificate for another host",
        Fault::ExpiredCertificate => "expired certificate",
        Fault::GzipBomb => "gzip bomb",
        Fault::DnsFailure => "name without address",
    };
    name.to_owned()
}
