//! Each of 23 faults at each of 7 operations: what the caller is told and how soon, whether anything is sent twice, what the
//! breaker does, whether all is well afterwards, that nothing was lost, and that no task, no connection, no place for a
//! call and no secret is left anywhere.
//!
//! `expected` says what must come of it, `afterwards` what must hold after every case, and `table` keeps what came of it: the
//! snapshots are the tables of `docs/reliability.md`, which `build/generate.sh` puts there.

mod afterwards;
mod asking;
mod case;
mod expected;
mod table;
mod time;
mod world;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use case::{Outcome, Recovery};
use tokio::runtime;

use crate::support::faulty::{self, Fault, Faulty, Operation};

/// All faults, an answer that is hardly late, and one that comes after everybody's patience has ended.
fn faults() -> impl Iterator<Item = Fault> {
    let latencies = [100, 35_000].map(|delay| Fault::Latency(Duration::from_millis(delay)));
    Fault::ALL.into_iter().chain(latencies)
}

/// One case, with an engine, a server and a runtime of its own.
fn run(server: faulty::Builder, operation: Operation, fault: Fault) -> Outcome {
    // Shown when the case fails.
    println!("{operation:?}: {}", table::name(fault));
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let case = async {
        let server = server.start().await;
        case::run_checked(server, operation, fault).await
    };
    runtime.unwrap().block_on(case)
}

/// Tries all faults at one operation, also when one of them fails.
fn campaign(operation: Operation) -> String {
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for fault in faults() {
        let case = AssertUnwindSafe(|| run(Faulty::builder(), operation, fault));
        match catch_unwind(case) {
            Ok(outcome) => rows.push((fault, outcome)),
            Err(_) => failed.push(table::name(fault)),
        }
    }
    assert!(failed.is_empty(), "{operation:?} failed with: {failed:#?}");
    table::render(operation, &rows)
}

#[test]
fn discovery() {
    insta::assert_snapshot!("discovery", campaign(Operation::Discovery));
}

#[test]
fn registration() {
    insta::assert_snapshot!("registration", campaign(Operation::Registration));
}

#[test]
fn code_exchange() {
    insta::assert_snapshot!("code_exchange", campaign(Operation::CodeExchange));
}

#[test]
fn refresh() {
    insta::assert_snapshot!("refresh", campaign(Operation::Refresh));
}

#[test]
fn initialize() {
    insta::assert_snapshot!("initialize", campaign(Operation::Initialize));
}

#[test]
fn tools_list() {
    insta::assert_snapshot!("tools_list", campaign(Operation::ToolsList));
}

#[test]
fn tools_call() {
    insta::assert_snapshot!("tools_call", campaign(Operation::ToolsCall));
}

#[test]
fn a_refresh_whose_answer_is_lost_heals_by_itself_where_the_old_token_stays_good() {
    let runtime = || runtime::Builder::new_current_thread().enable_all().build();
    for fault in faults().filter(|fault| fault.takes_effect()) {
        println!("{}", table::name(fault));
        let outcome = runtime().unwrap().block_on(async {
            let server = Faulty::builder().forgiving().start().await;
            case::run(server, Operation::Refresh, fault).await
        });
        assert_ne!(outcome.recovery, Recovery::ByConnect, "{fault:?}");
    }
}

/// The table of an operation, as the tests last accepted it.
fn accepted(name: &str) -> String {
    let file = format!("tests/faults/snapshots/main__faults__{name}.snap");
    let snapshot = fs::read_to_string(file).unwrap();
    let table = snapshot.splitn(3, "---\n").last().unwrap();
    table.trim().to_owned()
}

/// Counts what the other tests accepted: after a change of theirs it has to be accepted after them.
#[test]
fn summary() {
    let tables: Vec<_> = Operation::ALL
        .map(|operation| (operation, accepted(table::file(operation))))
        .into();
    insta::assert_snapshot!("summary", table::summary(&tables));
}

/// `build/generate.sh` copies them.
#[test]
fn the_document_shows_the_tables() {
    let document = fs::read_to_string("../docs/reliability.md").unwrap();
    for name in ["summary"]
        .into_iter()
        .chain(Operation::ALL.map(table::file))
    {
        let section = format!("<!-- {name} -->\n\n{}\n\n<!-- end -->", accepted(name));
        assert!(document.contains(&section), "{name}: run build/generate.sh");
    }
}
