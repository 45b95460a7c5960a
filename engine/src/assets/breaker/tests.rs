use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn breaker() -> Breaker {
    Breaker::new(BreakerSettings::default(), || 0.0)
}

fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn call(breaker: &mut Breaker, now: Duration, verdict: Verdict) -> bool {
    let pass = breaker.admit(now).unwrap();
    breaker.report(now, pass, verdict)
}

/// A breaker that opened at this time.
fn opened(now: Duration, verdict: Verdict) -> Breaker {
    let mut breaker = breaker();
    let opened: Vec<bool> = (0..5).map(|_| call(&mut breaker, now, verdict)).collect();
    assert_eq!(opened, [false, false, false, false, true]);
    breaker
}

/// Probes when it is due and reports. Gives the time of the probe.
fn probe(breaker: &mut Breaker, verdict: Verdict) -> Duration {
    let due = breaker.next_probe().unwrap();
    let probe = breaker.begin_probe(due).unwrap();
    breaker.probed(due, probe, verdict);
    due
}

#[test]
fn five_failures_open_it_and_four_do_not() {
    let mut breaker = breaker();
    for _ in 0..4 {
        assert!(!call(&mut breaker, SECOND, Verdict::Unwell));
    }
    assert!(breaker.admit(SECOND).is_ok());
    assert!(call(&mut breaker, SECOND, Verdict::Unwell));
    assert_eq!(breaker.status(), BreakerStatus::Open);
    assert_eq!(
        breaker.admit(SECOND),
        Err(Refused {
            retry_after: at(30.0)
        })
    );
}

#[test]
fn failures_that_are_less_than_half_of_the_calls_do_not_open_it() {
    let mut breaker = breaker();
    for _ in 0..6 {
        call(&mut breaker, SECOND, Verdict::Alive);
    }
    for _ in 0..5 {
        assert!(!call(&mut breaker, SECOND, Verdict::Unwell));
    }
    // Six of twelve.
    assert!(call(&mut breaker, SECOND, Verdict::Unwell));
}

#[test]
fn failures_are_forgotten_when_the_window_has_passed() {
    let mut breaker = breaker();
    for _ in 0..4 {
        call(&mut breaker, at(0.5), Verdict::Unwell);
    }
    assert_eq!(breaker.failures(at(29.9)), 4);
    assert_eq!(breaker.failures(at(30.0)), 0);
    assert!(!call(&mut breaker, at(30.0), Verdict::Unwell));
}

#[test]
fn a_server_that_is_away_is_looked_for_each_second_and_after_a_minute_every_five() {
    let mut breaker = opened(at(100.0), Verdict::Unreachable);
    let probes: Vec<f64> = (0..63)
        .map(|_| probe(&mut breaker, Verdict::Unreachable).as_secs_f64())
        .collect();
    let expected: Vec<f64> = (101..=160).chain([165, 170, 175]).map(f64::from).collect();
    assert_eq!(probes, expected);
    assert_eq!(breaker.open_since(), Some(at(100.0)));
}

#[test]
fn a_server_that_does_not_cope_is_given_rest_that_doubles_to_five_minutes() {
    let mut breaker = opened(Duration::ZERO, Verdict::Unwell);
    let mut last = 0.0;
    let mut waits = Vec::new();
    for _ in 0..6 {
        let now = probe(&mut breaker, Verdict::Unwell).as_secs_f64();
        waits.push(now - last);
        last = now;
    }
    assert_eq!(waits, [30.0, 60.0, 120.0, 240.0, 300.0, 300.0]);
}

#[test]
fn a_probe_that_succeeds_closes_it_and_the_old_failures_are_forgotten() {
    for verdict in [Verdict::Unreachable, Verdict::Unwell] {
        let mut breaker = opened(SECOND, verdict);
        let now = probe(&mut breaker, Verdict::Alive);
        assert_eq!(breaker.status(), BreakerStatus::Closed);
        assert_eq!((breaker.failures(now), breaker.open_since()), (0, None));
        assert!(!call(&mut breaker, now, verdict));
    }
}

#[test]
fn rest_is_as_long_as_before_if_only_the_probe_succeeded() {
    let mut breaker = opened(SECOND, Verdict::Unwell);
    let now = probe(&mut breaker, Verdict::Alive);
    for _ in 0..5 {
        call(&mut breaker, now, Verdict::Unwell);
    }
    assert_eq!(breaker.next_probe(), Some(now + at(60.0)));

    let now = probe(&mut breaker, Verdict::Alive);
    call(&mut breaker, now, Verdict::Alive);
    for _ in 0..5 {
        call(&mut breaker, now, Verdict::Unwell);
    }
    assert_eq!(breaker.next_probe(), Some(now + at(30.0)));
}

#[test]
fn what_a_probe_finds_decides_how_long_to_wait_for_the_next() {
    let mut breaker = opened(SECOND, Verdict::Unwell);
    let now = probe(&mut breaker, Verdict::Unreachable);
    assert_eq!(breaker.next_probe(), Some(now + SECOND));
    let now = probe(&mut breaker, Verdict::Unwell);
    assert_eq!(breaker.next_probe(), Some(now + at(60.0)));
}

#[test]
fn there_is_one_probe_however_many_ask() {
    let mut breaker = opened(SECOND, Verdict::Unwell);
    assert_eq!(breaker.begin_probe(at(30.9)), None);
    let probes: Vec<Probe> = (0..50)
        .filter_map(|_| breaker.begin_probe(at(31.0)))
        .collect();
    assert_eq!(probes.len(), 1);
    assert_eq!(breaker.status(), BreakerStatus::HalfOpen);
    assert!((0..50).all(|_| breaker.admit(at(31.0)).is_err()));
}

#[test]
fn calls_from_before_the_opening_change_nothing_after_it() {
    let mut breaker = breaker();
    let old: Vec<Pass> = (0..20).map(|_| breaker.admit(SECOND).unwrap()).collect();
    for pass in &old[..5] {
        breaker.report(SECOND, *pass, Verdict::Unwell);
    }
    let before = breaker.next_probe();
    for pass in &old[5..10] {
        assert!(!breaker.report(SECOND, *pass, Verdict::Alive));
    }
    assert_eq!(breaker.next_probe(), before);
    let now = probe(&mut breaker, Verdict::Alive);
    for pass in &old[10..] {
        assert!(!breaker.report(now, *pass, Verdict::Unwell));
    }
    assert_eq!(
        (breaker.status(), breaker.failures(now)),
        (BreakerStatus::Closed, 0)
    );
}

#[test]
fn jitter_only_makes_waits_shorter() {
    let quick = |verdict| {
        let mut breaker = Breaker::new(BreakerSettings::default(), || 1.0);
        for _ in 0..5 {
            call(&mut breaker, Duration::ZERO, verdict);
        }
        breaker.next_probe().unwrap().as_secs_f64()
    };
    assert!((quick(Verdict::Unreachable) - 0.75).abs() < 1e-9);
    assert!((quick(Verdict::Unwell) - 27.0).abs() < 1e-9);
}

/// Everything that can happen to a breaker.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Pass(u64),
    Admit,
    Report(Verdict),
    BeginProbe,
    Probed(Verdict),
}

const VERDICTS: [Verdict; 3] = [Verdict::Alive, Verdict::Unreachable, Verdict::Unwell];

/// A breaker with all that is on its way, and the rules that hold at every step.
#[derive(Clone)]
struct World {
    breaker: Breaker,
    now: Duration,
    passes: Vec<Pass>,
    probe: Option<u64>,
}

impl World {
    fn new(failures: u32) -> Self {
        let settings = BreakerSettings {
            failures,
            ..BreakerSettings::default()
        };
        Self {
            breaker: Breaker::new(settings, || 0.5),
            now: Duration::ZERO,
            passes: Vec::new(),
            probe: None,
        }
    }

    fn happen(&mut self, happening: Happening) {
        let before = self.breaker.status();
        let failures = self.breaker.failures(self.now);
        match happening {
            Happening::Pass(seconds) => self.now += SECOND * u32::try_from(seconds).unwrap(),
            Happening::Admit => self.passes.extend(self.breaker.admit(self.now).ok()),
            Happening::Report(verdict) => {
                if let Some(pass) = self.passes.pop() {
                    let opened = self.breaker.report(self.now, pass, verdict);
                    assert_eq!(opened, before != self.breaker.status());
                    assert!(!opened || failures + 1 >= self.breaker.settings.failures);
                    assert!(!opened || verdict != Verdict::Alive);
                }
            }
            Happening::BeginProbe => {
                if let Some(probe) = self.breaker.begin_probe(self.now) {
                    assert_eq!(
                        (before, self.probe),
                        (BreakerStatus::Open, None),
                        "one probe"
                    );
                    self.probe = Some(probe.opening);
                }
            }
            Happening::Probed(verdict) => {
                if let Some(opening) = self.probe.take() {
                    let closed = self.breaker.probed(self.now, Probe { opening }, verdict);
                    assert_eq!(closed, verdict == Verdict::Alive, "a probe decides");
                }
            }
        }
        self.check(before, happening);
    }

    fn check(&self, before: BreakerStatus, happening: Happening) {
        let status = self.breaker.status();
        assert_eq!(
            self.breaker.admit(self.now).is_ok(),
            status == BreakerStatus::Closed
        );
        assert_eq!(self.probe.is_some(), status == BreakerStatus::HalfOpen);
        assert_eq!(
            self.breaker.next_probe().is_some(),
            status == BreakerStatus::Open
        );
        assert_eq!(
            self.breaker.open_since().is_some(),
            status != BreakerStatus::Closed
        );
        if let Some(due) = self.breaker.next_probe() {
            assert!(
                due <= self.now + self.breaker.settings.longest_cool_down,
                "it never waits longer"
            );
        }
        if before != BreakerStatus::Closed && status == BreakerStatus::Closed {
            assert!(
                matches!(happening, Happening::Probed(Verdict::Alive)),
                "{happening:?} closed it"
            );
        }
    }
}

#[test]
fn the_rules_hold_in_every_order_of_five_happenings() {
    fn go(world: &World, depth: u32, seen: &mut u64) {
        *seen += 1;
        if depth == 0 {
            return;
        }
        let verdicts = VERDICTS.into_iter();
        let happenings = [
            Happening::Pass(1),
            Happening::Pass(30),
            Happening::Admit,
            Happening::BeginProbe,
        ];
        let happenings = happenings
            .into_iter()
            .chain(verdicts.clone().map(Happening::Report))
            .chain(verdicts.map(Happening::Probed));
        for happening in happenings {
            let mut next = world.clone();
            next.happen(happening);
            go(&next, depth - 1, seen);
        }
    }
    // One failure opens it, so that every state is within reach.
    let mut seen = 0;
    go(&World::new(1), 5, &mut seen);
    let mut opened = World::new(1);
    for happening in [
        Happening::Admit,
        Happening::Admit,
        Happening::Report(Verdict::Unwell),
    ] {
        opened.happen(happening);
    }
    go(&opened, 5, &mut seen);
    assert_eq!(seen, 222_222);
}

fn happening() -> impl Strategy<Value = Happening> {
    let verdict = prop::sample::select(&VERDICTS[..]);
    prop_oneof![
        2 => (0_u64..400).prop_map(Happening::Pass),
        6 => Just(Happening::Admit),
        6 => verdict.clone().prop_map(Happening::Report),
        2 => Just(Happening::BeginProbe),
        2 => verdict.prop_map(Happening::Probed),
    ]
}

proptest! {
    #[test]
    fn the_rules_hold_in_long_lives(happenings in prop::collection::vec(happening(), 1..400)) {
        let mut world = World::new(5);
        for happening in happenings {
            world.happen(happening);
        }
    }

    #[test]
    fn a_time_that_runs_backwards_opens_nothing_and_breaks_nothing(
        times in prop::collection::vec((0_u64..4000, prop::bool::ANY), 1..200),
    ) {
        // Tasks report in another order than they read the clock.
        let mut breaker = breaker();
        for (seconds, failed) in times {
            #[expect(clippy::cast_precision_loss, reason = "minutes")]
            let now = at(seconds as f64);
            if let Ok(pass) = breaker.admit(now) {
                breaker.report(now, pass, if failed { Verdict::Unwell } else { Verdict::Alive });
            }
            let due = breaker.next_probe();
            prop_assert!(due.is_none_or(|due| due <= now + at(300.0)) || breaker.open_since() > Some(now));
        }
    }
}
