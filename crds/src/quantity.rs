//! The part of Kubernetes' resource quantities that the kinds accept: whole numbers with a suffix
//! (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).

use std::fmt;
use std::str::FromStr;

/// Suffixes with a whole factor, largest first in each family.
const BINARY: [(&str, u128); 5] = [
    ("Pi", 1 << 50),
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
];
const DECIMAL: [(&str, u128); 5] = [
    ("P", 10u128.pow(15)),
    ("T", 10u128.pow(12)),
    ("G", 10u128.pow(9)),
    ("M", 10u128.pow(6)),
    ("k", 10u128.pow(3)),
];

/// A whole quantity, kept in thousandths so that `250m` of a CPU is whole as well.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    thousandths: u128,
    binary: bool,
}

/// The text is not a quantity that the schema accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a quantity: expected a whole number with an optional suffix such as m, k, M, G, Ki, Mi or Gi"
)]
pub struct QuantityError(String);

impl Quantity {
    /// Compares by amount, whatever the suffix.
    fn amount(&self) -> u128 {
        self.thousandths
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.amount() == other.amount()
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.amount().cmp(&other.amount())
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let refused = || QuantityError(text.chars().take(40).collect());
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, suffix) = text.split_at(digits);
        let number: u128 = number.parse::<u64>().map_err(|_| refused())?.into();
        let find = |family: &[(&str, u128)]| {
            family
                .iter()
                .find(|(name, _)| *name == suffix)
                .map(|(_, factor)| *factor)
        };
        match (suffix, find(&BINARY), find(&DECIMAL)) {
            ("m", ..) => Ok(Self {
                thousandths: number,
                binary: false,
            }),
            ("", ..) => Ok(Self {
                thousandths: number * 1000,
                binary: false,
            }),
            (_, Some(factor), _) => Ok(Self {
                thousandths: number * 1000 * factor,
                binary: true,
            }),
            (_, _, Some(factor)) => Ok(Self {
                thousandths: number * 1000 * factor,
                binary: false,
            }),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Quantity {
    /// The canonical form, in which the API server stores it: the largest suffix without a fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.thousandths.is_multiple_of(1000) {
            return write!(f, "{}m", self.thousandths);
        }
        let whole = self.thousandths / 1000;
        let family = if self.binary { &BINARY } else { &DECIMAL };
        match family
            .iter()
            .find(|(_, factor)| whole >= *factor && whole.is_multiple_of(*factor))
        {
            Some((suffix, factor)) => write!(f, "{}{suffix}", whole / factor),
            None => write!(f, "{whole}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        text.parse::<Quantity>().unwrap().to_string()
    }

    #[test]
    fn prints_what_the_api_server_stores() {
        for (given, stored) in [
            ("1024Mi", "1Gi"),
            ("1Gi", "1Gi"),
            ("1000m", "1"),
            ("250m", "250m"),
            ("2000", "2k"),
            ("1500M", "1500M"),
            ("1024", "1024"),
            ("0", "0"),
        ] {
            assert_eq!(canonical(given), stored);
        }
    }

    #[test]
    fn compares_by_amount() {
        let parse = |text: &str| text.parse::<Quantity>().unwrap();
        assert_eq!(parse("1Gi"), parse("1024Mi"));
        assert!(parse("1G") < parse("1Gi"));
        assert!(parse("999m") < parse("1"));
    }

    #[test]
    fn refuses_what_the_schema_refuses() {
        for text in [
            "",
            "Gi",
            "1.5Gi",
            "-1Gi",
            "1 Gi",
            "1gb",
            "1e3",
            "99999999999999999999Gi",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text:?}");
        }
    }
}
