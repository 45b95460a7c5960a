//! An operator that dies after any of its writes, or while one of them is still under way, and one whose API server fails in
//! every way that we know, come to what an operator comes to that has an easy life.
//!
//! The slice runs with the other tests. `OPERATOR_FAULTS=all` runs everything, and `OPERATOR_FAULTS=Gone` that fault alone
//! (`Crash` and `Late` are deaths at each write), each fault `OPERATOR_FAULTS_RUNS` times, at places that
//! `OPERATOR_FAULTS_SEED` gives; the table goes into the file that `OPERATOR_FAULTS_TABLE` names.

mod cost;
mod table;

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use userengine_e2e::between::{Fault, draw};
use userengine_e2e::local_operator::LocalOperator;
use userengine_e2e::{in_namespace, without_operators};

use self::cost::costs_thirteen_writes;
use self::table::Table;
use userengine_e2e::life::{Harm, Life, POLICIES, Story, Told};

/// Seed of the slice; any other does as well.
const SEED: u64 = 1;
/// No story has more writes than this.
const MOST_WRITES: usize = 40;

/// A death at the write of this number.
type Death = fn(usize) -> Harm;

/// Its names, as `OPERATOR_FAULTS` has them.
const DEATHS: [(&str, Death); 2] = [("Crash", Harm::Crash), ("Late", Harm::Late)];

#[tokio::test]
async fn alone_an_operator_that_dies_or_is_answered_badly_comes_to_the_same() -> anyhow::Result<()>
{
    let settings = Settings::read()?;
    let client = userengine_e2e::client().await?;
    without_operators(&client, async {
        let began = Instant::now();
        let operator = LocalOperator::start(&client).await?;
        let mut campaign = Campaign {
            operator: &operator,
            expected: HashMap::new(),
            table: Table::default(),
            failures: Vec::new(),
        };
        let ran = campaign.run(&settings).await;
        let (seed, seconds) = (settings.seed, began.elapsed().as_secs());
        let table = format!("seed {seed}, {seconds} s.\n\n{}", campaign.table);
        println!("{table}");
        if let Some(path) = settings.table {
            std::fs::write(path, table)?;
        }
        let (failures, untried) = (campaign.failures, campaign.table.untried());
        ran.with_context(|| operator.log())?;
        operator.stop().await?;
        ensure!(
            failures.is_empty(),
            "{} runs failed:\n{}",
            failures.len(),
            failures.join("\n")
        );
        // Each story begins with a change that the operator watches, and does something about at once: there is something to strike.
        ensure!(
            untried.is_empty(),
            "nothing was struck by: {}",
            untried.join(", ")
        );
        Ok(())
    })
    .await
}

/// How much to run, and where faults strike.
struct Settings {
    /// `all`, or the name of one fault or death.
    what: Option<String>,
    seed: u64,
    seeds: u64,
    table: Option<String>,
}

impl Settings {
    #[expect(
        clippy::disallowed_methods,
        reason = "how much of the campaign to run is the script's to say"
    )]
    fn read() -> anyhow::Result<Self> {
        let number = |name: &str, otherwise: u64| match std::env::var(name) {
            Ok(text) => text.parse().with_context(|| format!("{name} is no number")),
            Err(_) => Ok(otherwise),
        };
        Ok(Self {
            what: std::env::var("OPERATOR_FAULTS").ok(),
            seed: number("OPERATOR_FAULTS_SEED", SEED)?,
            seeds: number("OPERATOR_FAULTS_RUNS", 3)?,
            table: std::env::var("OPERATOR_FAULTS_TABLE").ok(),
        })
    }
}

struct Campaign<'a> {
    operator: &'a LocalOperator,
    /// What a life without harm came to, story by story.
    expected: HashMap<(&'static str, Story), Told>,
    table: Table,
    failures: Vec<String>,
}

impl Campaign<'_> {
    /// A life without harm, one with a death or a fault in turn, and a birth with a fault.
    async fn slice(&mut self, seed: u64) -> anyhow::Result<()> {
        let policy = POLICIES[0];
        self.unharmed(policy).await?;
        // What is silent is waited for: the whole campaign does that.
        let is_slow =
            |fault: &Fault| matches!(fault, Fault::Silent | Fault::NoAnswer | Fault::CutOff);
        let quick = Fault::ALL.into_iter().filter(|fault| !is_slow(fault));
        let skipped = usize::try_from(seed).unwrap_or(0);
        let mut faults = quick.collect::<Vec<_>>().into_iter().cycle().skip(skipped);
        for (stories, first) in [(Story::ALL.as_slice(), 0), ([Story::Create].as_slice(), 1)] {
            let harms = stories.iter().enumerate().map(|(number, story)| {
                let fault = faults.next().filter(|_| (number + first) % 2 == 1);
                let harm = fault.map(|fault| Harm::Trouble(fault, seed));
                let death = || {
                    let at = self.a_write(policy, *story, seed);
                    if number % 4 == 0 {
                        Harm::Late(at)
                    } else {
                        Harm::Crash(at)
                    }
                };
                (*story, harm.unwrap_or_else(death))
            });
            let harms: Vec<_> = harms.collect();
            self.live(policy, &harms).await;
        }
        Ok(())
    }

    /// One of the writes of this story.
    fn a_write(&self, policy: &'static str, story: Story, seed: u64) -> usize {
        let expected = self.expected.get(&(policy, story));
        let writes = expected.map_or(1, |told| told.writes.max(1));
        let place = draw(seed, story as u64) % u64::try_from(writes).unwrap_or(1);
        usize::try_from(place).unwrap_or(0) + 1
    }

    async fn run(&mut self, settings: &Settings) -> anyhow::Result<()> {
        let (seed, seeds) = (settings.seed, settings.seeds);
        let Some(what) = settings.what.as_deref() else {
            return self.slice(seed).await;
        };
        let is_all = what == "all";
        let deaths = DEATHS.into_iter();
        let deaths: Vec<_> = deaths.filter(|(name, _)| is_all || what == *name).collect();
        let of_faults = usize::try_from(seeds).unwrap_or(usize::MAX);
        for policy in POLICIES
            .into_iter()
            .take(if deaths.is_empty() { of_faults } else { 3 })
        {
            self.unharmed(policy).await?;
            for (_, death) in &deaths {
                self.at_each_write(policy, *death).await;
            }
        }
        let is_asked_for = |fault: &Fault| is_all || what == format!("{fault:?}");
        for fault in Fault::ALL.into_iter().filter(is_asked_for) {
            for (policy, run) in POLICIES.into_iter().cycle().zip(0..seeds) {
                let harm = Harm::Trouble(fault, draw(seed, run));
                let stories: Vec<_> = Story::ALL.into_iter().map(|story| (story, harm)).collect();
                self.live(policy, &stories).await;
            }
        }
        Ok(())
    }

    /// What is to be compared with, and the writes of a birth.
    async fn unharmed(&mut self, policy: &'static str) -> anyhow::Result<()> {
        let operator = self.operator;
        let expected = &mut self.expected;
        in_namespace("unharmed", |namespace| async move {
            let mut life = Life::new(operator, &namespace, policy).await?;
            for story in Story::ALL {
                let told = life.tell(story, Harm::None, None).await;
                let told = told.with_context(|| format!("{story:?}"))?;
                eprintln!("{policy} {story:?}: {} writes", told.writes);
                if story == Story::Create {
                    costs_thirteen_writes(&life.engine, &operator.between.writes()).await?;
                }
                expected.insert((policy, story), told);
            }
            life.end().await
        })
        .await
    }

    /// Death at the first write of each story, then at the second, and so on until no story has another write.
    async fn at_each_write(&mut self, policy: &'static str, death: Death) {
        // All but the end is the same under every policy.
        let mut open: HashSet<_> = if policy == POLICIES[0] {
            Story::ALL.into()
        } else {
            [Story::Delete].into()
        };
        for write in 1..=MOST_WRITES {
            let Some(last) = Story::ALL
                .into_iter()
                .rposition(|story| open.contains(&story))
            else {
                return;
            };
            let stories = Story::ALL.into_iter().take(last + 1).filter(|story| {
                policy == POLICIES[0] || matches!(story, Story::Create | Story::Delete)
            });
            let stories: Vec<_> = stories
                .map(|story| {
                    let harm = if open.contains(&story) {
                        death(write)
                    } else {
                        Harm::None
                    };
                    (story, harm)
                })
                .collect();
            let spared = self.live(policy, &stories).await;
            open.retain(|story| !spared.contains(story));
        }
        self.failures
            .push(format!("{policy}: more than {MOST_WRITES} writes"));
    }

    /// One life. Gives the stories that came to their end without the harm, as far as it came.
    async fn live(&mut self, policy: &'static str, stories: &[(Story, Harm)]) -> HashSet<Story> {
        let mut spared = HashSet::new();
        let (operator, expected) = (self.operator, &self.expected);
        let (table, found) = (&mut self.table, &mut spared);
        let lived = in_namespace("harmed", |namespace| async move {
            let mut life = Life::new(operator, &namespace, policy).await?;
            for (story, harm) in stories.iter().copied() {
                let expected = expected.get(&(policy, story));
                let expected = expected.context("nothing to compare with")?;
                let told = life.tell(story, harm, Some(&expected.state)).await;
                let told = told.and_then(|told| tried(harm, told));
                let told = told.with_context(|| format!("{policy} {story:?} {harm:?}"));
                let strikes = told.as_ref().map_or(1, |told| told.strikes);
                eprintln!(
                    "{policy} {story:?} {harm:?}: {:?}",
                    told.as_ref()
                        .map(|it| it.strikes)
                        .map_err(|error| format!("{error:#}"))
                );
                table.add(policy, story, harm, strikes, told.is_ok());
                if strikes == 0 {
                    found.insert(story);
                }
                told?;
            }
            life.end().await
        });
        if let Err(error) = lived.await {
            self.failures.push(format!("{error:#}"));
            eprintln!("{error:#}\n{}", operator.log());
        }
        spared
    }
}

/// A part whose events were all shown in spite of a fault that hides them, or in which no watch went on past one, or began anew
/// from a list without it, says nothing.
fn tried(harm: Harm, told: Told) -> anyhow::Result<Told> {
    let hides = matches!(
        harm,
        Harm::Trouble(Fault::Dropped | Fault::BookmarksOnly | Fault::StaleList, _)
    );
    ensure!(!hides || told.strikes > 0, "no event was hidden");
    Ok(told)
}
