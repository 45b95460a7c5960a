//! Every reason has a row in the documentation.
#![cfg(feature = "kinds")]

use std::collections::BTreeSet;

use userengine_api::condition::Reason;
use userengine_api::refusal::RefusalReason;

#[test]
fn every_reason_is_documented_and_every_documented_one_exists() {
    let text = std::fs::read_to_string("../docs/operations.md").unwrap();
    let section = text
        .split("## Reasons")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .unwrap_or_default();
    let mut documented = BTreeSet::new();
    for row in section.lines().filter_map(|line| line.strip_prefix("| ")) {
        let columns: Vec<_> = row
            .trim_end_matches('|')
            .split(" | ")
            .map(str::trim)
            .collect();
        let name = columns[0];
        if name == "reason" || name == "---" {
            continue;
        }
        assert_eq!(columns.len(), 3, "{row}");
        let is_told = |column: &&str| !column.is_empty();
        assert!(name == "AsExpected" || columns.iter().all(is_told), "{row}");
        assert!(documented.insert(name), "{name} is there twice");
    }
    let own = Reason::OWN.iter().map(|reason| reason.as_str());
    let existing: BTreeSet<_> = own
        .chain(RefusalReason::ALL.iter().map(|reason| reason.as_str()))
        .collect();
    assert_eq!(documented, existing);
}
