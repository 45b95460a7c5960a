//! Which names of tools are offered. A model chooses by name, so no name may pass for another.

use std::collections::BTreeMap;

use unicode_normalization::is_nfc;
use unicode_security::{GeneralSecurityProfile, MixedScript, skeleton};

use super::HiddenTool;

/// Longest name of an action, in characters (MCP 2026-07-28, tool names).
const LONGEST: usize = 128;

/// Splits the names into those that are offered and those that are not. Of names that look alike none is offered: nobody
/// can tell which of them is meant.
pub(super) fn sort<T>(
    tools: Vec<T>,
    name: impl Fn(&T) -> &str,
    hidden: &mut Vec<HiddenTool>,
) -> Vec<T> {
    let mut alike: BTreeMap<String, usize> = BTreeMap::new();
    for tool in tools.iter().filter(|tool| check(name(tool)).is_ok()) {
        *alike.entry(looks(name(tool))).or_default() += 1;
    }
    let mut offered = Vec::with_capacity(tools.len());
    for tool in tools {
        let why = match check(name(&tool)) {
            Err(why) => Some(why),
            Ok(())
                if alike
                    .get(&looks(name(&tool)))
                    .is_some_and(|count| *count > 1) =>
            {
                Some("its name looks like that of another tool of this server")
            }
            Ok(()) => None,
        };
        match why {
            Some(why) => hidden.push(HiddenTool::new(name(&tool), why)),
            None => offered.push(tool),
        }
    }
    offered
}

/// May a tool be called so? Letters, digits and `_-./`; of other alphabets what UTS 39 allows in identifiers, in one
/// script, composed, and nothing that could be read as ASCII.
fn check(name: &str) -> Result<(), &'static str> {
    let mark = |c: char| "_-./".contains(c);
    if !(1..=LONGEST).contains(&name.chars().count()) {
        return Err("its name is not 1 to 128 characters long");
    }
    if name.is_ascii() {
        return if name.chars().all(|c| c.is_ascii_alphanumeric() || mark(c)) {
            Ok(())
        } else {
            Err("its name has a character that is none of A-Z a-z 0-9 _ - . /")
        };
    }
    if !name.chars().all(|c| mark(c) || c.identifier_allowed()) {
        return Err("its name has a character that Unicode does not allow in identifiers (UTS 39)");
    }
    if !is_nfc(name) {
        return Err("its name is not in the normal form C of Unicode");
    }
    if !name.is_single_script() {
        return Err("its name mixes scripts");
    }
    if looks(name).is_ascii() {
        return Err("its name could be read as one in ASCII");
    }
    Ok(())
}

/// Names that look alike have the same (UTS 39 §4).
fn looks(name: &str) -> String {
    skeleton(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(names: &[&str]) -> (Vec<String>, Vec<HiddenTool>) {
        let mut hidden = Vec::new();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        (sort(names, |name: &String| name, &mut hidden), hidden)
    }

    #[test]
    fn offers_plain_names_and_names_of_one_other_script() {
        let names = [
            "send_message",
            "read.thread",
            "repos/list-2",
            "поиск_файлов",
            "検索",
            "größe",
        ];
        assert_eq!(sorted(&names).0, names);
    }

    #[test]
    fn hides_names_that_could_deceive_or_break_something() {
        let long = "x".repeat(129);
        for (name, word) in [
            ("", "long"),
            (long.as_str(), "long"),
            ("a b", "character"),
            ("a\nb", "character"),
            ("a\u{0}b", "character"),
            ("a\u{202e}b", "UTS 39"),
            ("a\u{200b}b", "UTS 39"),
            ("se\u{301}nd", "normal form"),
            ("sеnd", "mixes scripts"),
            ("ѕсоре", "read as one in ASCII"),
            ("🙂", "UTS 39"),
        ] {
            let (offered, hidden) = sorted(&[name]);
            assert!(offered.is_empty(), "{name:?}");
            assert!(
                hidden[0].reason.contains(word),
                "{name:?}: {}",
                hidden[0].reason
            );
        }
    }

    #[test]
    fn of_names_that_look_alike_none_is_offered() {
        let (offered, hidden) = sorted(&["list_1", "list_l", "modem", "modern", "other"]);
        assert_eq!(offered, ["other"]);
        assert_eq!(hidden.len(), 4);
        let (offered, hidden) = sorted(&["twice", "twice"]);
        assert!(offered.is_empty() && hidden.len() == 2);
    }
}
