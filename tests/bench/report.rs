//! What was measured, as JSON and as a document. Parts that were not measured this time keep their former figures.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::machine::describe_busy;
use crate::summary::{Summary, number};
use crate::text;

const JSON: &str = "benchmarks.json";
const MARKDOWN: &str = "benchmarks.md";

/// A group of measurements that run together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartName {
    /// Apply → Ready on a cluster.
    Apply,
    /// Engine start → first answer.
    Start,
    /// Memory and CPU of an engine that nobody uses.
    Idle,
    /// Sizes of the images.
    Images,
    /// Latency and throughput of tool calls.
    Calls,
    /// Memory over many calls.
    Growth,
    /// Memory and CPU of an engine with connections that nobody uses.
    Connected,
    /// Recovery after a server was away.
    Outages,
    /// What hanging servers cost the others.
    Hangs,
    /// Rows a second of a change of the key.
    Rotation,
    /// How long a change of the key keeps an engine away, on a cluster.
    Away,
    /// What the operator needs for many engines.
    Fleet,
    /// The same for ten times as many, which takes an hour.
    #[serde(rename = "large-fleet")]
    LargeFleet,
    /// What it needs for more than etcd holds.
    Stopped,
}

impl PartName {
    /// Rounds unless told otherwise.
    pub fn rounds(self) -> u32 {
        match self {
            Self::Apply => 12,
            Self::Start => 20,
            Self::Images | Self::Growth => 1,
            Self::Idle
            | Self::Calls
            | Self::Connected
            | Self::Hangs
            | Self::Rotation
            | Self::Fleet
            | Self::LargeFleet
            | Self::Stopped => 5,
            Self::Away => 10,
            Self::Outages => 3,
        }
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apply => "apply",
            Self::Start => "start",
            Self::Idle => "idle",
            Self::Images => "images",
            Self::Calls => "calls",
            Self::Growth => "growth",
            Self::Connected => "connected",
            Self::Outages => "outages",
            Self::Hangs => "hangs",
            Self::Rotation => "rotation",
            Self::Away => "away",
            Self::Fleet => "fleet",
            Self::LargeFleet => "large-fleet",
            Self::Stopped => "stopped",
        })
    }
}

/// All parts.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report(BTreeMap<PartName, Part>);

/// One part: figures, and where they come from.
#[derive(Debug, Serialize, Deserialize)]
pub struct Part {
    /// The day.
    pub date: String,
    /// What was measured.
    pub commit: String,
    /// Rounds of each side, or processes of each at the same time.
    pub rounds: u32,
    /// Where.
    pub machine: String,
    /// The figures.
    #[serde(flatten)]
    pub measured: Measured,
}

/// The figures of one part.
#[derive(Debug, Serialize, Deserialize)]
pub struct Measured {
    /// One row of the table each.
    pub lines: Vec<Line>,
    /// Percent of the machine that was busy before each measurement.
    pub busy: Vec<f64>,
    /// Facts that were found while measuring.
    pub notes: Vec<String>,
}

/// One comparison, round by round.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    /// What is compared.
    pub what: String,
    /// Of every figure.
    pub unit: String,
    /// UserEngine's rounds.
    pub ours: Vec<f64>,
    /// The rounds of what it is compared with.
    pub against: Option<Against>,
    /// What it may be.
    pub budget: Option<Budget>,
}

/// The other side of a comparison.
#[derive(Debug, Serialize, Deserialize)]
pub struct Against {
    /// Its name.
    pub what: String,
    /// Its rounds; each was measured next to ours of the same number.
    pub rounds: Vec<f64>,
}

/// The most that something may be, or the least.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Budget {
    /// The median, in the line's unit.
    Median(f64),
    /// The median, in the line's unit: at least this.
    Least(f64),
    /// Our median divided by the other's.
    Ratio(f64),
    /// Our median: at most the other's times the first, plus the second in the line's unit.
    RatioPlus(f64, f64),
    /// Our median divided by the other's: at least this.
    AtLeast(f64),
}

impl Line {
    fn ratio_of_medians(&self) -> Option<f64> {
        let against = Summary::of(&self.against.as_ref()?.rounds)?;
        let ratio = Summary::of(&self.ours)?.median / against.median;
        ratio.is_finite().then_some(ratio)
    }

    fn ratios(&self) -> Option<Summary> {
        let against = self.against.as_ref()?.rounds.iter();
        let ratios: Vec<f64> = self
            .ours
            .iter()
            .zip(against)
            .map(|(ours, against)| ours / against)
            .collect();
        Summary::of(&ratios).filter(|ratios| ratios.max.is_finite())
    }

    fn budget(&self) -> String {
        match self.budget {
            Some(Budget::Median(most)) => format!("≤ {most} {}", self.unit),
            Some(Budget::Least(least)) => format!("≥ {least} {}", self.unit),
            Some(Budget::Ratio(most)) => format!("ratio ≤ {most}"),
            Some(Budget::RatioPlus(most, plus)) => format!("≤ {most} × + {plus} {}", self.unit),
            Some(Budget::AtLeast(least)) => format!("ratio ≥ {least}"),
            None => "none".to_owned(),
        }
    }

    fn verdict(&self) -> &'static str {
        let held = match self.budget {
            Some(Budget::Median(most)) => {
                Summary::of(&self.ours).is_some_and(|ours| ours.median <= most)
            }
            Some(Budget::Least(least)) => {
                Summary::of(&self.ours).is_some_and(|ours| ours.median >= least)
            }
            Some(Budget::Ratio(most)) => self.ratio_of_medians().is_some_and(|ratio| ratio <= most),
            Some(Budget::RatioPlus(most, plus)) => {
                let against = self
                    .against
                    .as_ref()
                    .and_then(|against| Summary::of(&against.rounds));
                let ours = Summary::of(&self.ours);
                ours.zip(against)
                    .is_some_and(|(ours, against)| ours.median <= most * against.median + plus)
            }
            Some(Budget::AtLeast(least)) => {
                self.ratio_of_medians().is_some_and(|ratio| ratio >= least)
            }
            None => return "",
        };
        if held { "held" } else { "**MISSED**" }
    }

    fn row(&self) -> String {
        let none = || "–".to_owned();
        let ours =
            Summary::of(&self.ours).map_or_else(none, |ours| format!("{ours} {}", self.unit));
        let against = self.against.as_ref().and_then(|against| {
            let rounds = Summary::of(&against.rounds)?;
            Some(format!("{}: {rounds} {}", against.what, self.unit))
        });
        format!(
            "| {} | {ours} | {} | {} | {} | {} | {} |",
            self.what,
            against.unwrap_or_else(none),
            self.ratio_of_medians().map_or_else(none, number),
            self.ratios().map_or_else(none, |ratios| ratios.to_string()),
            self.budget(),
            self.verdict(),
        )
    }
}

impl Report {
    /// What was measured before; nothing if this is the first time.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(JSON);
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(&path)?;
        serde_json::from_str(&text)
            .with_context(|| format!("failed to read {}: delete it to begin anew", path.display()))
    }

    /// Takes the place of the former figures of this part.
    pub fn replace(&mut self, name: PartName, part: Part) {
        self.0.insert(name, part);
    }

    /// Writes both files.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(
            folder.join(JSON),
            serde_json::to_string_pretty(self)? + "\n",
        )?;
        fs::write(folder.join(MARKDOWN), self.document()?)?;
        Ok(())
    }

    /// The comparisons as a table.
    pub fn table(&self) -> String {
        let rows = self
            .0
            .values()
            .flat_map(|part| part.measured.lines.iter().map(Line::row));
        let head = [
            "| what | UserEngine | against | ratio of medians | ratio of each round | budget | |"
                .to_owned(),
            "| --- | --- | --- | --- | --- | --- | --- |".to_owned(),
        ];
        head.into_iter().chain(rows).map(|row| row + "\n").collect()
    }

    fn document(&self) -> Result<String, fmt::Error> {
        let mut document = format!("{}\n{}\n{}\n", text::HEAD, self.table(), text::ORIGIN);
        document += "| part | date | commit | rounds | machine | busy before each measurement |\n";
        document += "| --- | --- | --- | --- | --- | --- |\n";
        for (name, part) in &self.0 {
            let Part {
                date,
                commit,
                rounds,
                machine,
                measured,
            } = part;
            let busy = describe_busy(&measured.busy);
            writeln!(
                document,
                "| `{name}` | {date} | {commit} | {rounds} | {machine} | {busy} |"
            )?;
        }
        for (name, part) in &self.0 {
            writeln!(
                document,
                "\n## {}\n\n{}",
                text::title(*name),
                text::method(*name)
            )?;
            for note in &part.measured.notes {
                writeln!(document, "\n{note}")?;
            }
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(ours: &[f64], against: &[f64], budget: Budget) -> Line {
        Line {
            what: "x".to_owned(),
            unit: "ms".to_owned(),
            ours: ours.to_vec(),
            against: Some(Against {
                what: "y".to_owned(),
                rounds: against.to_vec(),
            }),
            budget: Some(budget),
        }
    }

    #[test]
    fn a_budget_on_the_ratio_looks_at_the_medians_only() {
        let held = line(
            &[12.0, 12.5, 99.0],
            &[10.0, 10.0, 10.0],
            Budget::Ratio(1.25),
        );
        assert_eq!(
            (held.verdict(), held.ratio_of_medians()),
            ("held", Some(1.25))
        );
        let missed = line(&[12.6], &[10.0], Budget::Ratio(1.25));
        assert_eq!(missed.verdict(), "**MISSED**");
    }

    #[test]
    fn a_budget_may_be_the_least_or_have_room_beside_the_ratio() {
        let rates = |ours: &[f64]| line(ours, &[1.0], Budget::Least(200.0)).verdict();
        assert_eq!(rates(&[1.0, 200.0, 900.0]), "held");
        assert_eq!(rates(&[199.9]), "**MISSED**");
        assert_eq!(rates(&[]), "**MISSED**");
        assert_eq!(
            line(&[9.0], &[10.0], Budget::AtLeast(1.0)).verdict(),
            "**MISSED**"
        );
        assert_eq!(
            line(&[11.0], &[10.0], Budget::AtLeast(1.0)).verdict(),
            "held"
        );
        assert_eq!(
            line(&[17.0], &[10.0], Budget::RatioPlus(1.2, 5.0)).verdict(),
            "held"
        );
        assert_eq!(
            line(&[17.1], &[10.0], Budget::RatioPlus(1.2, 5.0)).verdict(),
            "**MISSED**"
        );
    }

    #[test]
    fn a_figure_of_nothing_is_a_missed_budget_and_nothing_divided_by_nothing_is_no_ratio() {
        assert_eq!(line(&[], &[], Budget::Median(1.0)).verdict(), "**MISSED**");
        let idle = line(&[0.0, 1.0], &[0.0, 0.0], Budget::Median(1.0));
        assert_eq!((idle.ratio_of_medians(), idle.ratios()), (None, None));
        assert_eq!(idle.verdict(), "held");
    }
}
