//! What runs: the engine, and the Job's process. Neither is stopped by the lock file here: what the protocol itself
//! does not fence must be found.

use userengine_rotation::gate::{Admission, BrainKeys, Log, Logged, OpenInBrain, Order, admit};

use crate::guards::Guard;
use crate::scenario::Model;
use crate::world::*;

impl Model {
    /// An engine starts if it can open everything.
    pub fn started(world: &World) -> Option<Engine> {
        let ring = world.observed.ring;
        let can_start = world.engine.is_none() && !world.observed.stopped && opens(world, ring);
        can_start.then_some(Engine {
            ring,
            in_flight: None,
            remembered: world.brain.write,
        })
    }

    /// It finishes what is in flight before it stops.
    pub fn may_stop(world: &World) -> bool {
        let is_old = |engine: Engine| world.observed.stopped || engine.ring != world.observed.ring;
        world
            .engine
            .is_some_and(|engine| engine.in_flight.is_none() && is_old(engine))
    }

    fn seals_with(&self, world: &World, engine: Engine) -> Option<KeyNo> {
        let key = if self.has(Guard::WriteKeyFence) {
            world.brain.write
        } else {
            engine.remembered
        };
        is_in(key, engine.ring).then_some(key)
    }

    /// Renews a token at the provider; the one before works no more.
    pub fn renew(&self, world: &mut World, engine: &mut Engine, row: u8) -> Option<()> {
        let n = usize::from(row);
        let sealed = world.brain.rows[n];
        let knows = sealed.version == world.provider[n] && is_in(sealed.key, engine.ring);
        let is_free = engine.in_flight.is_none() && !sealed.aside && world.refreshes > 0;
        (knows && is_free).then_some(())?;
        self.seals_with(world, *engine)?;
        world.refreshes -= 1;
        world.provider[n] += 1;
        engine.in_flight = Some(row);
        Some(())
    }

    /// Stores the token. A ghost that may not seal any more has lost it, as any process that is killed at that moment:
    /// no protocol can help, and the person connects again.
    pub fn store(&self, world: &mut World, engine: &mut Engine, is_ghost: bool) -> Option<()> {
        let n = usize::from(engine.in_flight.take()?);
        let version = world.provider[n];
        match self.seals_with(world, *engine) {
            Some(key) => {
                world.brain.rows[n] = Row {
                    key,
                    version,
                    aside: false,
                }
            }
            None if is_ghost => world.provider[n] = world.brain.rows[n].version,
            None => {}
        }
        Some(())
    }

    /// One step of the Job's process: itself, or its last words.
    pub fn step(&self, world: &mut World, process: Process) -> Result<Process, Said> {
        let next = |step| Ok(Process { step, ..process });
        match process.step {
            Step::Start => self.begin(world, process),
            Step::Sealing(epoch, _) | Step::Verify(epoch) if self.is_fenced(world, epoch) => {
                Err(refusal(world, process, false))
            }
            Step::Sealing(epoch, None) => match to_do(&world.brain, process.to) {
                Some(read) => next(Step::Sealing(epoch, Some(read))),
                None => next(Step::Verify(epoch)),
            },
            Step::Sealing(epoch, Some((n, read))) => {
                self.seal(world, process, n, read);
                next(Step::Sealing(epoch, None))
            }
            Step::Verify(_) => Err(verify(world, process)),
        }
    }

    fn is_fenced(&self, world: &World, epoch: u8) -> bool {
        self.has(Guard::EpochFence) && world.brain.epoch != epoch
    }

    fn begin(&self, world: &mut World, process: Process) -> Result<Process, Said> {
        let admission = if self.has(Guard::Gate) {
            self.admission(&world.brain, process)
        } else {
            Admission::Begin
        };
        let brain = &mut world.brain;
        match admission {
            Admission::Refuse(_) => return Err(refusal(world, process, false)),
            Admission::Done => {
                return Ok(Process {
                    step: Step::Verify(brain.epoch),
                    ..process
                });
            }
            Admission::Resume => {}
            Admission::Begin => {
                if let Some((other, ..)) = brain.open {
                    brain.log[usize::from(other)] = Some(Logged::Superseded);
                }
                brain.open = Some((process.request, brain.write, process.to));
                brain.log[usize::from(process.request)] = Some(Logged::Begun);
                brain.write = process.to;
                brain.latest = Some(process.opened);
                self.set_aside(brain, process.request);
            }
        }
        world.brain.epoch += 1;
        let step = Step::Sealing(world.brain.epoch, None);
        Ok(Process { step, ..process })
    }

    fn admission(&self, brain: &Brain, process: Process) -> Admission {
        let id = |request: u8| self.requests[usize::from(request)].id.clone();
        let keys = BrainKeys {
            write_kid: self.kid(brain.write),
            epoch: brain.epoch.into(),
            open: brain.open.map(|(request, from, to)| OpenInBrain {
                id: id(request),
                from: self.kid(from),
                to: self.kid(to),
            }),
            latest: brain.latest.map(i64::from),
        };
        let entry = |(n, how): (usize, &Option<Logged>)| how.map(|how| (id(n as u8), how));
        let log: Log = brain.log.iter().enumerate().filter_map(entry).collect();
        let from = (0..KEYS as u8).filter(|key| is_in(*key, process.from));
        let order = Order {
            id: id(process.request),
            from: from.map(|key| self.kid(key)).collect(),
            to: self.kid(process.to),
            opened: Some(process.opened.into()).filter(|_| self.has(Guard::LaterOrder)),
        };
        admit(&keys, &log, &order)
    }

    fn set_aside(&self, brain: &mut Brain, request: u8) {
        let asked = !self.requests[usize::from(request)].set_aside.is_empty();
        let [first, ..] = &mut brain.rows;
        first.aside |= asked;
    }

    fn seal(&self, world: &mut World, process: Process, n: u8, read: Row) {
        let row = &mut world.brain.rows[usize::from(n)];
        if *row == read || !self.has(Guard::CompareAndSwap) {
            *row = Row {
                key: process.to,
                ..read
            };
        }
    }
}

/// Everything that is not in quarantine opens, and every Secret of the ring is there to be mounted.
pub fn opens(world: &World, ring: KeySet) -> bool {
    world.brain.needs() & !ring == 0 && ring & !world.secrets == 0
}

fn to_do(brain: &Brain, to: KeyNo) -> Option<(u8, Row)> {
    let mut rows = brain.rows.iter().zip(0..);
    rows.find(|(row, _)| row.key != to && !row.aside)
        .map(|(row, n)| (n, *row))
}

/// The last words of a process that does not come to its end.
pub fn refusal(world: &World, process: Process, may_pass: bool) -> Said {
    let request = usize::from(process.request);
    let touched = world.brain.log[request].is_some();
    Said::Refused {
        may_pass,
        touched,
        write: world.brain.write,
    }
}

fn verify(world: &mut World, process: Process) -> Said {
    let request = usize::from(process.request);
    if to_do(&world.brain, process.to).is_some() || world.brain.write != process.to {
        return refusal(world, process, false);
    }
    world.brain.log[request] = Some(Logged::Certified);
    world.brain.open = None;
    Said::Certified
}
