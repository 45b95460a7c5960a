//! Words of a provider, made fit for a log, a page and an answer.

use secrecy::{ExposeSecret, SecretString};

/// Longest description, in characters.
const LONGEST: usize = 200;
/// Longest code.
const LONGEST_CODE: usize = 64;
/// A piece of a secret of this length is a leak, too: providers like to quote the beginning of what was sent.
const PIECE: usize = 12;

/// At most 200 visible characters, runs of blanks as one, and nothing at all if a piece of a secret is in it.
pub(super) fn clean(text: &str, secrets: &[&SecretString]) -> String {
    // Cut before anything else is done with it: the text may be as long as an answer.
    let visible: String = text
        .chars()
        .take(4 * LONGEST)
        .map(|c| if is_visible(c) { c } else { ' ' })
        .collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let cut: String = words.join(" ").chars().take(LONGEST).collect();
    if secrets
        .iter()
        .any(|secret| quotes(&cut, secret.expose_secret()))
    {
        return "the provider's words are left out: they quote a secret".to_owned();
    }
    cut
}

/// An error code as it may be shown: RFC 6749 §5.2 gives it visible ASCII. Anything else is `unknown`.
pub(super) fn code(text: &str, secrets: &[&SecretString]) -> String {
    let fits = (1..=LONGEST_CODE).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_graphic())
        && !secrets
            .iter()
            .any(|secret| quotes(text, secret.expose_secret()));
    if fits { text } else { "unknown" }.to_owned()
}

/// Letters, digits and signs: no control character, and none that turns or hides the text around it.
fn is_visible(c: char) -> bool {
    let hides = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !hides
}

fn quotes(text: &str, secret: &str) -> bool {
    if secret.is_empty() {
        return false;
    }
    if secret.len() < PIECE {
        return text.contains(secret);
    }
    // Windows of the text, which is short, and not of the secret, which may be long.
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    starts.iter().enumerate().any(|(index, start)| {
        let end = starts.get(index + PIECE).copied().unwrap_or(text.len());
        text.get(*start..end)
            .is_some_and(|piece| piece.chars().count() == PIECE && secret.contains(piece))
    })
}
