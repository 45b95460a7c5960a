//! What others said, made fit for a condition: short, on one line, without credentials, and the same for as long as it
//! means the same. A message that changed with every try would be written with every try.

/// Characters of others that a message has room for.
const MOST: usize = 300;

/// Our own words and what was said. `before` is what the condition says now: it stays if the difference is one of
/// figures only, such as a count, a port or the id of a request. Which object is missing is no figure.
pub fn quoted(before: Option<&str>, own: &str, said: &str) -> String {
    let own = format!("{own}: ");
    let now = format!("{own}{}", clean(said));
    let is_same = |before: &&str| before.starts_with(&own) && words(before).eq(words(&now));
    before.filter(is_same).map_or(now.clone(), str::to_owned)
}

/// What is the same of it for as long as it means the same.
pub fn without_figures(said: &str) -> String {
    words(said).collect::<Vec<_>>().join(" ")
}

/// The words that mean something when they are said again: those without figures, and the names of what was not found.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut parts = text.split('"').peekable();
    let mut is_quoted = true;
    std::iter::from_fn(move || {
        is_quoted = !is_quoted;
        let part = parts.next()?;
        let is_missing = parts
            .peek()
            .is_some_and(|next| next.starts_with(" not found"));
        Some((part, is_quoted && is_missing))
    })
    .flat_map(|(part, is_name)| {
        part.split(move |c: char| !is_name && !c.is_alphanumeric())
            .filter(move |word| {
                is_name || !word.is_empty() && !word.contains(|c: char| c.is_ascii_digit())
            })
    })
}

fn clean(said: &str) -> String {
    let line: String = said.chars().map(visible).collect();
    let words: Vec<_> = line.split_whitespace().map(without_credentials).collect();
    let line = words.join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Neither control characters nor those that only turn or hide what is beside them.
fn visible(c: char) -> char {
    let is_hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    if c.is_control() || is_hidden { ' ' } else { c }
}

/// An address may carry a signature in its query, or a password before its host.
fn without_credentials(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        return word.to_owned();
    };
    let (path, query) = rest
        .split_once('?')
        .map_or((rest, ""), |(path, _)| (path, "?…"));
    let (host, path) = path.split_at(path.find('/').unwrap_or(path.len()));
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_one_line_of_bounded_length_without_hidden_characters() {
        let said = format!("bad\u{1b}[31m\nnews \u{202e}{}", "x".repeat(5000));
        let quoted = quoted(None, "no", &said);
        assert!(quoted.starts_with("no: bad [31m news x"), "{quoted}");
        assert!(quoted.ends_with('…') && quoted.chars().count() < MOST + 10);
    }

    #[test]
    fn addresses_lose_their_credentials() {
        let said = r#"Get "https://bob:hunter2@example.com/v2/a?sig=abc": 403"#;
        assert_eq!(
            quoted(None, "no", said),
            r#"no: Get "https://example.com/v2/a?… 403"#
        );
    }

    #[test]
    fn the_same_with_other_figures_is_no_news() {
        let first = quoted(
            None,
            "no node",
            "0/3 nodes are available: 1 Insufficient cpu.",
        );
        let again = "0/12 nodes are available: 7 Insufficient cpu.";
        assert_eq!(quoted(Some(&first), "no node", again), first);
        let other = quoted(
            Some(&first),
            "no node",
            "0/3 nodes are available: 3 Insufficient memory.",
        );
        assert!(other.contains("memory"), "{other}");
        // What we say ourselves counts with its figures.
        assert!(quoted(Some(&first), "no node of 4", again).starts_with("no node of 4: 0/12"));
    }

    #[test]
    fn another_object_that_is_missing_is_news_though_its_name_differs_by_a_figure() {
        let said = |name: &str, tries: u32| format!(r#"try {tries}: secret "{name}" not found"#);
        let first = quoted(None, "no", &said("proxy-1", 1));
        assert_eq!(quoted(Some(&first), "no", &said("proxy-1", 2)), first);
        let next = quoted(Some(&first), "no", &said("proxy-2", 3));
        assert!(next.contains("proxy-2"), "{next}");
    }
}
