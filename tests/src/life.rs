//! The life of one engine, story after story, with harm done to its operator in any of them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;
use userengine_api::{EngineClass, UserEngine};

use crate::between::Fault;
use crate::local_operator::LocalOperator;
use crate::state::{difference, is_at_rest, state};
use crate::trouble::events;
use crate::wait::STEP;
use crate::{Engine, Namespace, class, eventually};

/// Longest time from the end of the harm until all is as if there had been none. A watch that went silent is given up by
/// the operator after 35 s.
const CONVERGED_WITHIN: u64 = 100;
/// A run that there is nothing to compare with is over once nothing has changed for this long.
const REST: Duration = Duration::from_millis(1500);

/// What may become of the brain of an engine that is deleted.
pub const POLICIES: [&str; 3] = ["Retain", "Delete", "Erase"];

/// Something that happens to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Story {
    /// It is made.
    Create,
    /// Its class gets another level of logs, for which it has to be restarted.
    ChangeClass,
    /// It gets another API key; the former one is soon refused.
    RotateApiKey,
    /// It is put to sleep.
    Suspend,
    /// It wakes.
    Resume,
    /// It asks for a larger volume.
    Grow,
    /// It is deleted.
    Delete,
}

impl Story {
    /// A whole life.
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::ChangeClass,
        Self::RotateApiKey,
        Self::Suspend,
        Self::Resume,
        Self::Grow,
        Self::Delete,
    ];
}

/// What is done to the operator while a story goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Nothing.
    None,
    /// SIGKILL after this many writes, before the answer to the last.
    Crash(usize),
    /// SIGKILL while it waits for the answer to the write of this number, which arrives when all is over.
    Late(usize),
    /// A fault of the API server, at places that this seed gives.
    Trouble(Fault, u64),
}

/// How a story went.
#[derive(Clone, Debug)]
pub struct Told {
    /// Everything that was there in the end.
    pub state: String,
    /// The writes of the operator.
    pub writes: usize,
    /// How often the harm was done.
    pub strikes: usize,
}

/// One engine, from before its birth to its end.
pub struct Life<'a> {
    operator: &'a LocalOperator,
    /// The engine, whether it is there or not.
    pub engine: Engine,
    policy: &'static str,
    keys_made: usize,
}

impl<'a> Life<'a> {
    /// Prepares a class and a namespace of its own.
    pub async fn new(
        operator: &'a LocalOperator,
        namespace: &Namespace,
        policy: &'static str,
    ) -> anyhow::Result<Self> {
        namespace.open_window().await?;
        class(&namespace.client, &namespace.name, json!({})).await?;
        let engine = Engine {
            name: "alice".to_owned(),
            namespace: namespace.clone(),
        };
        Ok(Self {
            operator,
            engine,
            policy,
            keys_made: 0,
        })
    }

    /// Takes the class away.
    pub async fn end(self) -> anyhow::Result<()> {
        let classes: Api<EngineClass> = Api::all(self.engine.namespace.client.clone());
        classes
            .delete(&self.engine.namespace.name, &DeleteParams::default())
            .await?;
        Ok(())
    }

    /// Tells a story with this harm, and waits until all is as expected, or at rest where nothing is expected.
    pub async fn tell(
        &mut self,
        story: Story,
        harm: Harm,
        expected: Option<&str>,
    ) -> anyhow::Result<Told> {
        let before = state(&self.engine.namespace).await?;
        let between = &self.operator.between;
        between.count(&self.engine.namespace.name);
        let strikes = self.harm(story, harm).await?;
        let state = match expected {
            Some(expected) => self.reach(expected).await,
            None => self.rest(&before).await,
        };
        let is_spared = between.is_deadly();
        if matches!(harm, Harm::Late(_)) && story != Story::Delete {
            // What it has come to may be as expected before it is done.
            self.engine.wait_rest().await?;
        }
        let late = between.let_through().await?;
        between.kill_after(0);
        between.hold_back(0);
        let writes = between.writes();
        let keys = writes.iter().filter_map(|write| write.created.as_deref());
        self.keys_made += keys.filter(|name| name.contains("-key-")).count();
        ensure!(
            self.keys_made <= 1,
            "a second initial key was made: {writes:?}"
        );
        let state = state.with_context(|| format!("{writes:?}"))?;
        ensure!(
            late.as_ref().is_none_or(|late| !late.changed),
            "what came late changed something: {late:?}"
        );
        let is_faultless = !matches!(harm, Harm::Trouble(..));
        if story == Story::Delete && self.policy == "Erase" && is_faultless {
            let told = events(&self.engine, "KeyDestroyed").await?;
            ensure!(told.len() == 1, "the end of its key is told of: {told:?}");
        }
        Ok(Told {
            state,
            writes: writes.len(),
            strikes: match harm {
                Harm::Crash(_) | Harm::Late(_) => usize::from(!is_spared),
                _ => strikes,
            },
        })
    }

    /// Begins a story under this harm, and ends what of it has an end; gives how often a fault struck.
    async fn harm(&self, story: Story, harm: Harm) -> anyhow::Result<usize> {
        let between = &self.operator.between;
        match harm {
            Harm::None => self.begin(story).await?,
            Harm::Crash(after) => {
                between.kill_after(after);
                self.begin(story).await?;
            }
            Harm::Late(write) => {
                between.hold_back(write);
                self.begin(story).await?;
            }
            Harm::Trouble(fault, seed) => {
                between.trouble(fault, seed);
                let begun = self.begin(story).await;
                // The harm itself: nothing is waited for.
                tokio::time::sleep(fault.lasts()).await;
                let strikes = between.calm();
                return begun.map(|()| strikes);
            }
        }
        Ok(0)
    }

    /// Makes the change that a story begins with.
    pub async fn begin(&self, story: Story) -> anyhow::Result<()> {
        let client = &self.engine.namespace.client;
        match story {
            Story::Create => {
                let object = json!({
                    "metadata": { "name": self.engine.name },
                    "spec": {
                        "user": "alice",
                        "className": self.engine.namespace.name,
                        "deletionPolicy": self.policy,
                    },
                });
                self.engine
                    .namespace
                    .create_object::<UserEngine>(object)
                    .await?;
                Ok(())
            }
            Story::ChangeClass => {
                class(
                    client,
                    &self.engine.namespace.name,
                    json!({ "logLevel": "debug" }),
                )
                .await
            }
            Story::RotateApiKey => {
                let rotation = json!({ "apiKey": { "rotationId": "r-1", "overlap": "1s" } });
                self.engine.change(rotation).await
            }
            Story::Suspend => self.engine.change(json!({ "suspended": true })).await,
            Story::Resume => self.engine.change(json!({ "suspended": false })).await,
            Story::Grow => {
                let size = json!({ "storage": { "size": "128Mi" } });
                self.engine.change(size).await
            }
            Story::Delete => {
                let engines: Api<UserEngine> = self.engine.namespace.api();
                engines
                    .delete(&self.engine.name, &DeleteParams::default())
                    .await?;
                Ok(())
            }
        }
    }

    /// Waits until all is as expected.
    pub async fn reach(&self, expected: &str) -> anyhow::Result<String> {
        eventually(
            "what a run without harm came to",
            CONVERGED_WITHIN,
            || async {
                let now = state(&self.engine.namespace).await?;
                let difference = difference(expected, &now);
                ensure!(now == expected, "{difference}");
                Ok(Some(now))
            },
        )
        .await
    }

    /// Waits until all is at rest, and not as it was before.
    pub async fn rest(&self, before: &str) -> anyhow::Result<String> {
        let end = Instant::now() + Duration::from_secs(CONVERGED_WITHIN);
        let mut last = (String::new(), Instant::now());
        loop {
            let now = state(&self.engine.namespace).await?;
            if now != last.0 {
                last = (now, Instant::now());
            }
            let (now, since) = &last;
            if now != before && is_at_rest(now)? && since.elapsed() > REST {
                return Ok(now.clone());
            }
            if Instant::now() > end {
                bail!("it does not come to rest: {now}");
            }
            tokio::time::sleep(STEP).await;
        }
    }
}
