//! Every way in which operator, Job, engine and provider can get in each other's way, explored to its end.
//!
//! The operator is the real [`userengine_rotation::decide`], the brain's gate the real [`userengine_rotation::gate`].
//! Around them is a small world: a claim with its ledger, key Secrets, a StatefulSet and its controller, an engine that
//! renews tokens which work once, a Job, and a ghost of each: a process whose pod was deleted by force and which runs on.
//! Between any two steps anything else may happen, deadlines may pass, and the operator may forget what it saw.
//!
//! The lock file on the volume gets no credit: an engine and a Job may write side by side, if nothing else keeps them
//! apart. Bounds: see `docs/rotation.md`.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test whose places are numbers below three: a wrong one must end it"
)]

mod guards;
mod operator;
mod processes;
mod properties;
mod scenario;
mod steps;
mod table;
mod world;

use crate::scenario::Model;
use crate::steps::Action;
use crate::world::World;

impl stateright::Model for Model {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.first()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        self.possible(world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        self.after(world, action)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        properties::all()
    }
}
