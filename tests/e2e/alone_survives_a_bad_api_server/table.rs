//! What came of the runs, as a table.

use std::collections::BTreeMap;
use std::fmt;

use userengine_e2e::life::{Harm, Story};

/// Runs by harm, and what came of them.
#[derive(Default)]
pub struct Table(BTreeMap<(String, String), Row>);

#[derive(Default)]
struct Row {
    runs: usize,
    strikes: usize,
    failed: usize,
}

impl Table {
    /// One story of a life. One without harm is none, and neither is a death at a write that never came.
    pub fn add(&mut self, policy: &str, story: Story, harm: Harm, strikes: usize, is_well: bool) {
        let what = match harm {
            Harm::None => return,
            Harm::Crash(_) | Harm::Late(_) if strikes == 0 => return,
            Harm::Crash(_) => "killed after a write".to_owned(),
            Harm::Late(_) => {
                "killed while a write is under way, which arrives at the end".to_owned()
            }
            Harm::Trouble(fault, _) => fault.describe().to_owned(),
        };
        let story = match (story, harm) {
            (_, Harm::Trouble(..) | Harm::None) => String::new(),
            (Story::Delete, _) => format!("{story:?} ({policy})"),
            _ => format!("{story:?}"),
        };
        let row = self.0.entry((what, story)).or_default();
        row.runs += 1;
        row.strikes += strikes;
        row.failed += usize::from(!is_well);
    }

    /// The faults that struck nothing in any of their runs: these say nothing.
    pub fn untried(&self) -> Vec<String> {
        let idle = self.0.iter().filter(|(_, row)| row.strikes == 0);
        idle.map(|((what, _), _)| what.clone()).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "| what is done to the operator | story | runs | times | not as without |"
        )?;
        writeln!(formatter, "| --- | --- | --- | --- | --- |")?;
        for ((what, story), row) in &self.0 {
            let story = if story.is_empty() { "all" } else { story };
            let Row {
                runs,
                strikes,
                failed,
            } = row;
            writeln!(
                formatter,
                "| {what} | {story} | {runs} | {strikes} | {failed} |"
            )?;
        }
        Ok(())
    }
}
