//! Everything that may happen next.

use crate::operator::Effect;
use crate::processes::refusal;
use crate::scenario::Model;
use crate::world::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Somebody edits the spec: the next request.
    Ask,
    /// The operator looks; `true`: when every deadline has passed.
    Look(bool),
    Act(Effect),
    /// The StatefulSet's controller sees what was written.
    Observe,
    EngineStarts,
    EngineStops,
    Renew(Who, u8),
    Store(Who),
    JobStarts,
    JobSteps(Who),
    /// The pod of a Job that is being deleted ends.
    JobGoes,
    Fault(Fault),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    Pod,
    Ghost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    EngineKilled,
    /// Its pod is deleted by force, and it runs on.
    EngineGhost,
    JobKilled,
    JobGhost,
    /// The disk fails; that may pass.
    JobStumbles,
    /// The Job finds something that no rerun mends.
    JobRefuses,
}

const FAULTS: [Fault; 6] = [
    Fault::EngineKilled,
    Fault::EngineGhost,
    Fault::JobKilled,
    Fault::JobGhost,
    Fault::JobStumbles,
    Fault::JobRefuses,
];

impl Model {
    pub fn possible(&self, world: &World, actions: &mut Vec<Action>) {
        actions.push(Action::Ask);
        actions.push(Action::Look(false));
        if world.ledger.open.is_some() || Self::has_retired(&world.ledger) {
            actions.push(Action::Look(true));
        }
        if let Some(look) = &world.look {
            actions.extend(self.effects(world, look).into_iter().map(Action::Act));
        }
        actions.extend([Action::Observe, Action::EngineStarts, Action::EngineStops]);
        for who in [Who::Pod, Who::Ghost] {
            actions.extend((0..ROWS as u8).map(|row| Action::Renew(who, row)));
            actions.extend([Action::Store(who), Action::JobSteps(who)]);
        }
        actions.extend([Action::JobStarts, Action::JobGoes]);
        actions.extend(FAULTS.map(Action::Fault));
    }

    /// The world after it; `None` if it cannot happen or changes nothing.
    pub fn after(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        self.happen(&mut world, action)?;
        (world != *before).then_some(world)
    }

    fn happen(&self, world: &mut World, action: Action) -> Option<()> {
        match action {
            Action::Ask if usize::from(world.spec) < self.requests.len() => world.spec += 1,
            Action::Ask => return None,
            Action::Look(late) => world.look = Some(self.look(world, late)),
            Action::Act(effect) => {
                world.look = None;
                self.apply(world, effect);
            }
            Action::Observe => world.observed = world.written,
            Action::EngineStarts => world.engine = Some(Self::started(world)?),
            Action::EngineStops => world.engine = world.engine.filter(|_| !Self::may_stop(world)),
            Action::Renew(who, row) => {
                as_engine(world, who, |world, engine| self.renew(world, engine, row))?;
            }
            Action::Store(who) => as_engine(world, who, |world, engine| {
                self.store(world, engine, who == Who::Ghost)
            })?,
            Action::JobStarts => {
                let job = world.job.as_mut()?;
                let Pod::Waiting(process) = job.pod else {
                    return None;
                };
                job.pod = Pod::Runs(process);
            }
            Action::JobSteps(who) => self.job_steps(world, who)?,
            Action::JobGoes => world.job = world.job.filter(|job| !job.going),
            Action::Fault(fault) => {
                world.faults = world.faults.checked_sub(1)?;
                fail(world, fault)?;
            }
        }
        Some(())
    }

    fn job_steps(&self, world: &mut World, who: Who) -> Option<()> {
        match who {
            Who::Ghost => {
                let process = world.ghost_job?;
                world.ghost_job = self.step(world, process).ok();
            }
            Who::Pod => {
                let mut job = world.job?;
                let Pod::Runs(process) = job.pod else {
                    return None;
                };
                job.pod = match self.step(world, process) {
                    Ok(process) => Pod::Runs(process),
                    Err(said) => Pod::Ended(said),
                };
                // The pod of a Job that is being deleted takes the Job with it.
                world.job =
                    Some(job).filter(|job| !(job.going && matches!(job.pod, Pod::Ended(_))));
            }
        }
        Some(())
    }
}

fn as_engine(
    world: &mut World,
    who: Who,
    act: impl Fn(&mut World, &mut Engine) -> Option<()>,
) -> Option<()> {
    let mut engine = match who {
        Who::Pod => world.engine?,
        Who::Ghost => world.ghost_engine?,
    };
    act(world, &mut engine)?;
    match who {
        Who::Pod => world.engine = Some(engine),
        Who::Ghost => world.ghost_engine = Some(engine),
    }
    Some(())
}

fn fail(world: &mut World, fault: Fault) -> Option<()> {
    let engine = world.engine;
    let job = world.job;
    let process = || match job?.pod {
        Pod::Runs(process) => Some(process),
        Pod::Waiting(_) | Pod::Ended(_) => None,
    };
    let ended = |said| {
        job.map(|job| JobObject {
            pod: Pod::Ended(said),
            ..job
        })
    };
    match fault {
        Fault::EngineKilled => {
            // Who dies with a token in flight has lost it, whatever the protocol: the person connects again.
            if let Some(row) = engine?.in_flight.map(usize::from) {
                world.provider[row] = world.brain.rows[row].version;
            }
            world.engine = None;
        }
        Fault::EngineGhost => {
            world.ghost_engine.is_none().then_some(())?;
            world.ghost_engine = Some(engine?);
            world.engine = None;
        }
        Fault::JobKilled => {
            process()?;
            world.job = ended(Said::Nothing);
        }
        Fault::JobGhost => {
            world.ghost_job.is_none().then_some(())?;
            world.ghost_job = Some(process()?);
            world.job = ended(Said::Nothing);
        }
        Fault::JobStumbles => world.job = ended(refusal(world, process()?, true)),
        Fault::JobRefuses => world.job = ended(refusal(world, process()?, false)),
    }
    Some(())
}
