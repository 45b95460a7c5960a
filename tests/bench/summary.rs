//! Minimum, median and maximum of some rounds.

use std::fmt;

/// What a table shows of one column of rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The smallest.
    pub min: f64,
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Summary {
    /// `None` of no rounds.
    pub fn of(rounds: &[f64]) -> Option<Self> {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self {
            min: *sorted.first()?,
            median: f64::midpoint(lower, upper),
            max: *sorted.last()?,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min.total_cmp(&self.max).is_eq() {
            return write!(f, "**{}**", number(self.median));
        }
        let (min, median, max) = (number(self.min), number(self.median), number(self.max));
        write!(f, "{min} / **{median}** / {max}")
    }
}

/// Three digits that count.
pub fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 || size == 0.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let summary = Summary::of(&[4.0, 1.0, 10.0, 2.0]).unwrap();
        assert_eq!(summary.to_string(), "1.00 / **3.00** / 10.0");
        assert_eq!(Summary::of(&[7.0]).unwrap().to_string(), "**7.00**");
        assert_eq!(Summary::of(&[]), None);
    }
}
