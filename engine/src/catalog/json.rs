//! JSON whose keys stand once. The usual parsers keep the last of two equal keys without a word.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::problem::Field;

/// A document, and the keys in it that stand twice.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub value: Value,
    pub twice: Vec<Field>,
}

/// Parses a document. The depth is bounded by the parser (128), which names line and column but no content.
pub(super) fn parse(text: &str) -> Result<Document, serde_json::Error> {
    let mut twice = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Keys {
        at: Field::default(),
        twice: &mut twice,
    };
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(Document { value, twice })
}

/// Most keys that are remembered as standing twice: more are reported to nobody.
const MOST_TWICE: usize = 100;

struct Keys<'a> {
    at: Field,
    twice: &'a mut Vec<Field>,
}

impl Keys<'_> {
    fn below(&mut self, at: Field) -> Keys<'_> {
        Keys {
            at,
            twice: self.twice,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let at = self.at.item(values.len());
            match items.next_element_seed(self.below(at))? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let at = self.at.key(&key);
            let value = entries.next_value_seed(self.below(at.clone()))?;
            if values.insert(key, value).is_some() && self.twice.len() < MOST_TWICE {
                self.twice.push(at);
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twice(text: &str) -> Vec<String> {
        let document = parse(text).unwrap();
        document.twice.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn gives_what_the_usual_parser_gives() {
        let text = r#"{"a": [null, true, -1, 2, 3.5, "é\n", {}], "b": {"c": []}}"#;
        assert_eq!(
            parse(text).unwrap().value,
            serde_json::from_str::<Value>(text).unwrap()
        );
    }

    #[test]
    fn names_every_key_that_stands_twice() {
        assert_eq!(
            twice(r#"{"a": 1, "a": {"b": 1, "b": 2, "b": 3}, "c": [{}, {"d": 1, "\u0064": 2}]}"#),
            ["a.b", "a.b", "a", "c[1].d"]
        );
        assert!(twice(r#"{"a": {"b": 1}, "b": {"a": 1}}"#).is_empty());
    }

    #[test]
    fn refuses_what_is_deep_or_goes_on() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for text in [&deep, "{} {}", "", "{", "nul"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
