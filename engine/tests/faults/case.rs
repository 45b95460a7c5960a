//! One fault at one operation.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::asking::Seen;
use super::time::{A_MOMENT, SOON};
use super::world::World;
use super::{afterwards, expected};
use crate::support::faulty::{Fault, Faulty, Operation};

/// As many failures as open a breaker, and one more.
const ATTEMPTS: usize = 6;
/// A list of tools is asked for once for all who wait for it, so a request for it can fail two of them.
const ATTEMPTS_TO_LIST: usize = 2 * ATTEMPTS;
/// Time that goes by between tries, where nobody says how long to wait.
const STEP: Duration = Duration::from_millis(500);
/// Longer than the longest pause after so many failures: the cool-down after time-outs.
const PATIENCE: Duration = Duration::from_secs(31);

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What the caller of the first attempt got.
    pub first: Seen,
    /// And of the last.
    pub last: Seen,
    /// The time that had to be moved on during the slowest attempt.
    pub waited: Duration,
    /// How long the slowest attempt took on this machine, without what was moved.
    pub took: Duration,
    /// Requests for the operation that reached the server in the first attempt.
    pub arrived_first: usize,
    /// And in all.
    pub arrived: usize,
    /// Times that the tool ran.
    pub ran: usize,
    /// `closed` or `open`; empty where there is no connection yet.
    pub breaker: String,
    /// How all was well again after the fault was gone.
    pub recovery: Recovery,
}

/// How all was well again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The next attempt worked.
    AtOnce,
    /// By itself, after this time.
    After(Duration),
    /// The person had to connect again.
    ByConnect,
}

/// Sets a fault, tries until a breaker would be open, heals, tries until all is well again, and looks at what is left.
pub async fn run(server: Faulty, operation: Operation, fault: Fault) -> Outcome {
    let world = World::beside(server, limit(fault)).await;
    world.prepare(operation).await;
    world.server.fault(operation, fault).await;
    let mut outcome = endure(&world, operation).await;
    world.server.heal().await;
    if operation != Operation::CodeExchange || !outcome.first.is_ok() {
        outcome.recovery = recover(&world, operation).await;
    }
    afterwards::look(world, operation, &outcome).await;
    outcome
}

/// Runs a case and holds its outcome against what must come of it.
pub async fn run_checked(server: Faulty, operation: Operation, fault: Fault) -> Outcome {
    let outcome = run(server, operation, fault).await;
    println!("{outcome:#?}");
    expected::check(operation, fault, &outcome);
    outcome
}

/// Seconds that a call may take. A slow machine takes its time over megabytes.
fn limit(fault: Fault) -> u64 {
    if fault == Fault::HugeEvent { 60 } else { 3 }
}

async fn endure(world: &World, operation: Operation) -> Outcome {
    let attempts = match operation {
        Operation::Discovery | Operation::Registration | Operation::CodeExchange => 1,
        Operation::ToolsList => ATTEMPTS_TO_LIST,
        _ => ATTEMPTS,
    };
    let before = world.server.count(operation);
    let (mut seen, mut arrived) = (Vec::new(), Vec::new());
    let (mut waited, mut took) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..attempts {
        world.provoke(operation);
        let began = Instant::now();
        let (one, moved) = world.patiently(world.attempt(operation)).await;
        (waited, took) = (waited.max(moved), took.max(began.elapsed()));
        seen.push(one);
        arrived.push(world.server.count(operation) - before);
    }
    Outcome {
        first: seen[0].clone(),
        last: seen[attempts - 1].clone(),
        waited,
        took,
        arrived_first: arrived[0],
        arrived: arrived[attempts - 1],
        ran: world.server.written().len(),
        breaker: world.breaker().await,
        recovery: Recovery::AtOnce,
    }
}

async fn recover(world: &World, operation: Operation) -> Recovery {
    if operation == Operation::CodeExchange {
        world.authorize().await;
        return Recovery::ByConnect;
    }
    let began = Instant::now();
    let mut waited = Duration::ZERO;
    loop {
        let seen = world.attempt(operation).await;
        if seen.is_ok() {
            break;
        }
        let status = world.connection().await["status"].clone();
        if status == "expired" || status == "revoked" {
            world.authorize().await;
            let seen = world.attempt(operation).await;
            assert!(seen.is_ok(), "connected again, and {seen:?}");
            return Recovery::ByConnect;
        }
        assert!(
            waited <= PATIENCE && began.elapsed() < 2 * SOON,
            "still {seen:?}"
        );
        if world.breaker().await == "half_open" {
            // Somebody looks for the server at this moment; that needs no clock.
            sleep(A_MOMENT).await;
            continue;
        }
        let asked = seen.body["details"]["retry_after"].as_u64();
        let pause = asked.map_or(STEP, Duration::from_secs);
        world.leap(pause).await;
        waited += pause;
    }
    if waited.is_zero() {
        Recovery::AtOnce
    } else {
        Recovery::After(waited)
    }
}
