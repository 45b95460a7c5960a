//! What must hold in every world, and what must come of it when nothing more goes wrong.

use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::Property;
use userengine_rotation::gate::Logged;

use crate::processes::opens;
use crate::scenario::Model;
use crate::steps::{Action, Who};
use crate::world::*;

pub const KEYS_EXIST: &str = "no value is sealed with a key whose Secret is gone";
pub const STARTABLE: &str = "the engine can be started at any instant, and everything opens";
pub const FRESH: &str = "no token is older than the provider's with nobody left to store it";
pub const ONCE: &str = "no request is carried out twice";
pub const ACCOUNTED: &str = "no key exists that the ledger does not know";
pub const HEALS: &str = "when nothing more goes wrong, it ends with the engine running";

/// All of those.
pub const MUST_HOLD: [&str; 6] = [KEYS_EXIST, STARTABLE, FRESH, ONCE, ACCOUNTED, HEALS];

/// Steps within which it must end; the longest way takes fewer than half.
const PATIENCE: usize = 200;

pub fn all() -> Vec<Property<Model>> {
    vec![
        Property::always(KEYS_EXIST, |_, world: &World| {
            let needed = world.brain.needs() | world.brain.quarantine_needs();
            needed & !world.secrets == 0
        }),
        Property::always(STARTABLE, |model: &Model, world: &World| {
            opens(world, model.ring(&world.ledger)) && opens(world, world.written.ring)
        }),
        Property::always(FRESH, |_, world: &World| {
            (0..ROWS).all(|row| is_fresh(world, row))
        }),
        Property::always(ONCE, |_, world: &World| {
            world.opened.iter().all(|times| *times <= 1)
        }),
        Property::always(ACCOUNTED, |model: &Model, world: &World| {
            world.secrets & !model.known(&world.ledger) == 0
        }),
        Property::always(HEALS, heals),
        Property::sometimes("certified", |_, world: &World| {
            world.brain.log[0] == Some(Logged::Certified) && world.ledger.open.is_none()
        }),
        Property::sometimes("the second request is certified too", |_, world: &World| {
            world.brain.log[1] == Some(Logged::Certified) && world.ledger.open.is_none()
        }),
        Property::sometimes(
            "given up, with both keys in the ring",
            |model: &Model, world: &World| {
                world.ledger.open.is_none() && model.ring(&world.ledger).count_ones() > 1
            },
        ),
        Property::sometimes("put back as it was", |model: &Model, world: &World| {
            let is_over = world.ledger.open.is_none() && !world.ledger.consumed.is_empty();
            is_over && model.ring(&world.ledger) == set_of(0)
        }),
        Property::sometimes("a key is destroyed", |_, world: &World| {
            !is_in(0, world.secrets)
        }),
    ]
}

fn is_fresh(world: &World, row: usize) -> bool {
    let engines = world.engine.iter().chain(&world.ghost_engine);
    let mut in_flight = engines
        .filter_map(|engine| engine.in_flight)
        .map(usize::from);
    world.brain.rows[row].version == world.provider[row] || in_flight.any(|n| n == row)
}

/// Follows the one way on which everybody does what is due and nobody fails.
fn heals(model: &Model, world: &World) -> bool {
    let mut world = World {
        look: None,
        faults: 0,
        refreshes: 0,
        ..world.clone()
    };
    let mut way = Vec::new();
    for _ in 0..PATIENCE {
        let print = fingerprint(&world);
        if model.healing.lock().unwrap().contains(&print) {
            break;
        }
        way.push(print);
        match calm(model, &world) {
            Some(next) => world = next,
            None if is_well(model, &world) => break,
            None => return false,
        }
    }
    let has_ended = way.len() < PATIENCE;
    if has_ended {
        model.healing.lock().unwrap().extend(way);
    }
    has_ended
}

fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

fn is_well(model: &Model, world: &World) -> bool {
    let serves = world
        .engine
        .is_some_and(|engine| engine.ring == world.observed.ring);
    let opens = opens(world, world.observed.ring);
    world.ledger.open.is_none() && opens && (serves || model.suspended)
}

/// The next step of a world in which nothing fails. Time passes only when nobody has anything else to do.
fn calm(model: &Model, world: &World) -> Option<World> {
    let due = [
        Action::Store(Who::Pod),
        Action::Store(Who::Ghost),
        Action::Observe,
        Action::EngineStops,
        Action::JobGoes,
        Action::JobStarts,
        Action::JobSteps(Who::Pod),
        Action::EngineStarts,
    ];
    let done = due
        .into_iter()
        .find_map(|action| model.after(world, action));
    let operates = |late| {
        let look = model.look(world, late);
        let effect = model.effects(world, &look).into_iter().next()?;
        let mut next = world.clone();
        model.apply(&mut next, effect);
        Some(next)
    };
    let passes = || operates(true).filter(|_| world.ledger.open.is_some());
    done.or_else(|| operates(false)).or_else(passes)
}
