//! What came of the faults, as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::chain::Struck;
use super::fault::{KINDS, kind};
use super::scene::{Found, Scene};
use crate::support::End;

/// By kind of fault, how far the brain was found, and how the run ended.
#[derive(Default)]
pub struct Tally {
    cells: BTreeMap<(usize, Found, &'static str), u64>,
    scenes: BTreeMap<&'static str, InScene>,
}

#[derive(Default)]
struct InScene {
    chains: u64,
    faults: u64,
    engines: u64,
}

const WHERE: [(Found, &str); 4] = [
    (Found::Untouched, "before the first write"),
    (Found::Begun, "values under both keys"),
    (Found::Sealed, "all under the new key"),
    (Found::Certified, "certified"),
];

const ENDS: [&str; 3] = ["killed", "refused", "finished all the same"];

impl Tally {
    pub fn add(&mut self, scene: &Scene, chain: &[Struck]) {
        let in_scene = self.scenes.entry(scene.name).or_default();
        in_scene.chains += 1;
        for struck in chain {
            in_scene.faults += 1;
            in_scene.engines += u64::from(struck.engine_next);
            let end = match struck.end {
                End::Killed => ENDS[0],
                End::Refused(_) => ENDS[1],
                _ => ENDS[2],
            };
            let cell = (kind(&struck.fault), struck.found, end);
            *self.cells.entry(cell).or_default() += 1;
        }
    }

    pub fn faults(&self) -> u64 {
        self.cells.values().sum()
    }

    pub fn chains(&self) -> u64 {
        self.scenes.values().map(|scene| scene.chains).sum()
    }

    /// Two tables: by fault and place, and by scene.
    pub fn tables(&self, scenes: &[Scene]) -> String {
        let mut text = "| fault |".to_owned();
        for (_, place) in WHERE {
            let _ = write!(text, " {place} |");
        }
        let _ = write!(text, " all |\n|{}\n", " --- |".repeat(WHERE.len() + 2));
        for (number, name) in KINDS.iter().enumerate() {
            let _ = write!(text, "| {name} |");
            for (found, _) in WHERE {
                let _ = write!(text, " {} |", self.cell(number, found));
            }
            let all = self.sum(|(kind, ..)| *kind == number);
            let _ = writeln!(text, " {all} |");
        }
        text.push_str("| **all** |");
        for (found, _) in WHERE {
            let _ = write!(text, " {} |", self.sum(|(_, at, _)| *at == found));
        }
        let _ = writeln!(text, " **{}** |\n", self.faults());
        text.push_str("| what the Job came upon | chains | faults | an engine in between | lost |\n| --- | --- | --- | --- | --- |\n");
        for scene in scenes {
            let Some(found) = self.scenes.get(scene.name) else {
                continue;
            };
            let (name, chains) = (scene.name, found.chains);
            // Whatever is lost ends the campaign without a table.
            let _ = writeln!(
                text,
                "| {name} | {chains} | {} | {} | 0 |",
                found.faults, found.engines
            );
        }
        text
    }

    fn cell(&self, number: usize, at: Found) -> String {
        let ends = ENDS.map(|end| (end, self.cells.get(&(number, at, end))));
        let said = ends
            .iter()
            .filter_map(|(end, count)| Some(format!("{} {end}", count.as_ref()?)));
        let said: Vec<_> = said.collect();
        if said.is_empty() {
            "–".to_owned()
        } else {
            said.join(", ")
        }
    }

    fn sum(&self, of: impl Fn(&(usize, Found, &'static str)) -> bool) -> u64 {
        let cells = self.cells.iter().filter(|(cell, _)| of(cell));
        cells.map(|(_, count)| count).sum()
    }
}
