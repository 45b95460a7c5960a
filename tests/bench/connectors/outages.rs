//! How soon calls get through again after their server was away.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use userengine_api::layout::env;

use super::caller::{Caller, Door};
use super::programs::{Programs, Running, engine_door, mcp_door};
use crate::machine::{milliseconds, pause, wait_until_quiet};
use crate::report::{Against, Budget, Line, Measured};
use crate::server::free_address;

/// How long the server is away, in seconds.
const AWAY: [u64; 3] = [3, 6, 40];
/// Between two calls of a caller.
const STEP: Duration = Duration::from_millis(20);
/// Whatever has not recovered by then is taken to have recovered at this moment.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Enough callers to fill the breaker's count while none of them gets an answer.
const CALLERS: usize = 6;
/// Shorter than by default, so that rounds end: the bar counts from the cool-down.
const TIMEOUT: u32 = 1;
const COOL_DOWN: u32 = 5;

/// How a server is away.
#[derive(Clone, Copy, PartialEq)]
enum Outage {
    /// Its process is gone: connections are refused.
    Refused,
    /// Its process stands still: connections are taken, and nothing is answered.
    Silent,
}

/// Measures `rounds` outages of each kind and length.
pub fn measure(programs: &Programs, rounds: u32) -> anyhow::Result<Measured> {
    let mut lines = Vec::new();
    let mut busy = Vec::new();
    for seconds in AWAY {
        for outage in [Outage::Refused, Outage::Silent] {
            let mut ours = Vec::new();
            for round in 0..rounds {
                busy.push(wait_until_quiet(Duration::from_secs(3))?);
                let name = format!("outage-{seconds}-{}-{round}", outage == Outage::Silent);
                ours.push(through_engine(programs, &name, outage, seconds)?);
            }
            eprintln!(
                "    away for {seconds} s, {}: back after {ours:?} s",
                outage.word()
            );
            lines.push(line(
                outage,
                seconds,
                ours,
                others(programs, outage, seconds)?,
            ));
        }
    }
    Ok(Measured {
        lines,
        busy,
        notes: Vec::new(),
    })
}

impl Outage {
    fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Silent => "silent",
        }
    }
}

fn line(outage: Outage, seconds: u64, ours: Vec<f64>, against: Option<Against>) -> Line {
    let most = match outage {
        Outage::Refused => 1.0,
        Outage::Silent => f64::from(COOL_DOWN) + 1.0,
    };
    Line {
        what: format!(
            "server away for {seconds} s, {}: first call that gets through",
            outage.word()
        ),
        unit: "s".to_owned(),
        ours,
        against,
        budget: Some(Budget::Median(most)),
    }
}

/// The others once, for the shortest outage: what they do is known to differ by minutes and not by milliseconds.
fn others(programs: &Programs, outage: Outage, seconds: u64) -> anyhow::Result<Option<Against>> {
    if outage == Outage::Silent || Some(&seconds) != AWAY.first() {
        return Ok(None);
    }
    let echo = programs.echo(free_address()?, false)?;
    let proxy = programs.crate_proxy(echo.address)?;
    let door = mcp_door(proxy.address, "/", "echo");
    let back = away(echo, outage, seconds, &door, |address| {
        programs.echo(address, false)
    })?;
    Ok(Some(Against {
        what: format!("crate mcp-proxy, given up after {} s", GIVE_UP.as_secs()),
        rounds: vec![back],
    }))
}

fn through_engine(
    programs: &Programs,
    name: &str,
    outage: Outage,
    seconds: u64,
) -> anyhow::Result<f64> {
    let (timeout, cool_down) = (TIMEOUT.to_string(), COOL_DOWN.to_string());
    let settings = [
        (env::CALL_TIMEOUT_SECONDS, timeout.as_str()),
        (env::BREAKER_COOL_DOWN_SECONDS, cool_down.as_str()),
        (env::BREAKER_COOL_DOWN_MAX_SECONDS, cool_down.as_str()),
    ];
    let echo = programs.echo(free_address()?, true)?;
    let engine = programs.engine(name, &[echo.address], &settings)?;
    let door = engine_door(engine.address, 0, "echo");
    let back = away(echo, outage, seconds, &door, |address| {
        programs.echo(address, true)
    })?;
    engine.server.stop()?;
    Ok(back)
}

/// Takes the server away while callers go on calling. Gives the seconds from its return to the end of the first call that
/// was begun after it and got through.
fn away(
    echo: Running,
    outage: Outage,
    seconds: u64,
    door: &Door,
    again: impl Fn(SocketAddr) -> anyhow::Result<Running>,
) -> anyhow::Result<f64> {
    let seen = Seen::default();
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| seen.call_on(door));
        }
        let address = echo.address;
        let running = match outage {
            Outage::Refused => {
                drop(echo);
                pause(Duration::from_secs(seconds));
                again(address)
            }
            Outage::Silent => echo.server.signal(Signal::STOP).and_then(|()| {
                pause(Duration::from_secs(seconds));
                echo.server.signal(Signal::CONT)?;
                Ok(echo)
            }),
        };
        let back = running.map(|_running| seen.wait());
        seen.ended.store(true, Ordering::Relaxed);
        back
    })
}

/// What the callers of one outage share.
#[derive(Default)]
struct Seen {
    returned: OnceLock<Instant>,
    first: OnceLock<Duration>,
    ended: AtomicBool,
}

impl Seen {
    /// Calls until the end, whatever comes of it.
    fn call_on(&self, door: &Door) {
        let mut caller = None;
        while !self.ended.load(Ordering::Relaxed) {
            let began = Instant::now();
            let ready = match caller.take() {
                Some(caller) => Ok(caller),
                None => Caller::open(door),
            };
            let outcome = ready.and_then(|mut caller| caller.call().map(|()| caller));
            let returned = self.returned.get().filter(|returned| began >= **returned);
            if let (Ok(_), Some(returned)) = (&outcome, returned) {
                // Another caller may have been first.
                let _ = self.first.set(returned.elapsed());
            }
            caller = outcome.ok();
            pause(STEP);
        }
    }

    /// The server is back: seconds until a call gets through, or until it is given up.
    fn wait(&self) -> f64 {
        let returned = *self.returned.get_or_init(Instant::now);
        while self.first.get().is_none() && returned.elapsed() < GIVE_UP {
            pause(Duration::from_millis(1));
        }
        let took = self.first.get().copied().unwrap_or(GIVE_UP);
        milliseconds(took) / 1e3
    }
}
