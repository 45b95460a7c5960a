//! Lengths of time, as the kinds write them.

/// Seconds of a text such as `168h`, `30m` or `0s`; `None` if it is none.
pub fn seconds(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return None,
    };
    let number = text.get(..text.len() - 1)?;
    let is_plain = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
    let number: i64 = is_plain.then(|| number.parse().ok())??;
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_whole_number_and_a_unit_and_nothing_else() {
        assert_eq!(seconds("0s"), Some(0));
        assert_eq!(seconds("90m"), Some(5400));
        assert_eq!(seconds("168h"), Some(604_800));
        for text in [
            "",
            "h",
            "1d",
            "1.5h",
            "-1h",
            "+1h",
            "1h30m",
            "99999999999999999999h",
            "1é",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
