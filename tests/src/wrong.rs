//! Wrong objects, made from the schema of their kind and an object that is right.

use serde_json::{Value, json};

use crate::between::draw;

/// Longer than anything that a field may hold.
const HUGE: usize = 100_000;

/// One change at one place of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where: a JSON Pointer.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
    /// What is put there; `None`: it is taken away.
    pub value: Option<Value>,
    /// The schema forbids it. What it does not forbid, a rule or the operator may.
    pub is_forbidden: bool,
}

impl Change {
    /// Makes it.
    pub fn apply(&self, object: &mut Value) {
        let Some((parent, field)) = self.place.rsplit_once('/') else {
            return;
        };
        let field = field.replace("~1", "/").replace("~0", "~");
        match (object.pointer_mut(parent), &self.value) {
            (Some(Value::Object(fields)), Some(value)) => {
                fields.insert(field, value.clone());
            }
            (Some(Value::Object(fields)), None) => {
                fields.remove(&field);
            }
            (Some(Value::Array(items)), Some(value)) => {
                let item = field.parse().ok().and_then(|at: usize| items.get_mut(at));
                if let Some(item) = item {
                    *item = value.clone();
                }
            }
            _ => {}
        }
    }
}

/// Every change of one place below `place`, whose schema this is and where `right` stands. Of a list the first item is
/// changed, and of a map the first entry.
pub fn changes(schema: &Value, right: &Value, place: &str) -> Vec<Change> {
    let mut all: Vec<_> = here(schema, right)
        .into_iter()
        .map(|(what, value, is_forbidden)| Change {
            place: place.to_owned(),
            what: what.to_owned(),
            value: Some(value),
            is_forbidden,
        })
        .collect();
    match right {
        Value::Object(fields) => {
            let required = schema["required"].as_array().into_iter().flatten();
            let required: Vec<_> = required.filter_map(Value::as_str).collect();
            for (field, value) in fields {
                let below = format!("{place}/{}", field.replace('~', "~0").replace('/', "~1"));
                if required.contains(&field.as_str()) {
                    all.push(missing(&below));
                }
                if let Some(named) = schema["properties"].get(field) {
                    all.extend(changes(named, value, &below));
                }
            }
            if let Some((field, value)) = fields.iter().next()
                && schema["additionalProperties"].is_object()
            {
                let below = format!("{place}/{}", field.replace('~', "~0").replace('/', "~1"));
                all.extend(changes(&schema["additionalProperties"], value, &below));
            }
        }
        Value::Array(items) => {
            let first = items.first().into_iter();
            all.extend(first.flat_map(|it| changes(&schema["items"], it, &format!("{place}/0"))));
        }
        _ => {}
    }
    all
}

fn missing(place: &str) -> Change {
    Change {
        place: place.to_owned(),
        what: "missing".to_owned(),
        value: None,
        is_forbidden: true,
    }
}

type Wrong = (&'static str, Value, bool);

/// What may be put in the place of a value.
fn here(schema: &Value, right: &Value) -> Vec<Wrong> {
    let mut all = vec![("null", Value::Null, false)];
    if let Some(kind) = schema["type"].as_str() {
        let others = [
            ("boolean", json!(true)),
            ("integer", json!(7)),
            ("number", json!(0.5)),
            ("string", json!("x")),
            ("array", json!([])),
            ("object", json!({})),
        ];
        let is_number = kind == "number";
        let others = others
            .into_iter()
            .filter(|(other, _)| *other != kind && !(is_number && *other == "integer"));
        all.extend(others.map(|(_, value)| ("of another type", value, true)));
    }
    match right {
        Value::String(text) => all.extend(strings(schema, text)),
        Value::Number(_) => all.extend(numbers(schema)),
        Value::Array(items) => all.extend(lists(schema, items)),
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("unknown".to_owned(), json!("x"));
            all.push(("with an unknown field", Value::Object(more), false));
        }
        _ => {}
    }
    all
}

fn strings(schema: &Value, right: &str) -> Vec<Wrong> {
    let length = |name: &str| {
        schema[name]
            .as_u64()
            .and_then(|it| usize::try_from(it).ok())
    };
    let is_listed = schema["enum"].is_array();
    let mut all = vec![
        (
            "empty",
            json!(""),
            is_listed || length("minLength") > Some(0),
        ),
        (
            "of characters that nobody sees",
            json!("\u{202e}\u{200b}\u{7}é"),
            is_listed,
        ),
        ("between blanks", json!(format!(" {right} ")), is_listed),
        (
            "huge",
            json!("h".repeat(HUGE)),
            is_listed || length("maxLength").is_some(),
        ),
    ];
    if let Some(most) = length("maxLength") {
        all.push(("too long", json!("m".repeat(most + 1)), true));
    }
    if let Some(least) = length("minLength").filter(|least| *least > 1) {
        all.push(("too short", json!("m".repeat(least - 1)), true));
    }
    all
}

fn numbers(schema: &Value) -> Vec<Wrong> {
    let bound = |name: &str| schema[name].as_f64();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "bounds are small whole numbers"
    )]
    let whole = |number: f64| json!(number as i64);
    let mut all = vec![
        ("negative", json!(-1), bound("minimum") >= Some(0.0)),
        ("huge", json!(i64::MAX), bound("maximum").is_some()),
    ];
    all.extend(bound("minimum").map(|it| ("too small", whole(it - 1.0), true)));
    all.extend(bound("maximum").map(|it| ("too large", whole(it + 1.0), true)));
    all
}

fn lists(schema: &Value, right: &[Value]) -> Vec<Wrong> {
    let mut all = vec![
        ("a list of nothing", json!([null]), false),
        (
            "an empty list",
            json!([]),
            schema["minItems"].as_u64() > Some(0),
        ),
    ];
    let most = schema["maxItems"]
        .as_u64()
        .and_then(|it| usize::try_from(it).ok());
    if let (Some(most), Some(first)) = (most, right.first()) {
        all.push(("too many", json!(vec![first; most + 1]), true));
    }
    all
}

/// This many pairs of changes at two places, neither of which lies in the other.
pub fn pairs(singles: &[Change], seed: u64, count: usize) -> Vec<[Change; 2]> {
    let pick = |place: u64| {
        let at = draw(seed, place) % u64::try_from(singles.len().max(1)).unwrap_or(1);
        singles.get(usize::try_from(at).ok()?).cloned()
    };
    // Most pairs do; a schema of which none does has no second place.
    let tries = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(20);
    let all = (0..tries).filter_map(|n| Some([pick(2 * n)?, pick(2 * n + 1)?]));
    let apart = all.filter(|[a, b]| {
        let lies_in = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !lies_in(&a.place, &b.place) && !lies_in(&b.place, &a.place)
    });
    apart.take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object", "required": ["name"],
            "properties": {
                "name": { "type": "string", "minLength": 2, "maxLength": 4 },
                "count": { "type": "integer", "minimum": 1, "maximum": 3 },
                "tags": { "type": "array", "maxItems": 1, "items": { "type": "string" } },
            },
        })
    }

    fn made() -> Vec<Change> {
        let right = json!({ "name": "abc", "count": 2, "tags": ["a"] });
        changes(&schema(), &right, "/spec")
    }

    fn value(place: &str, what: &str) -> Option<Value> {
        let mut found = made().into_iter();
        found.find(|it| it.place == place && it.what == what)?.value
    }

    #[test]
    fn goes_one_beyond_each_bound() {
        assert_eq!(value("/spec/name", "too long"), Some(json!("mmmmm")));
        assert_eq!(value("/spec/name", "too short"), Some(json!("m")));
        assert_eq!(value("/spec/count", "too small"), Some(json!(0)));
        assert_eq!(value("/spec/count", "too large"), Some(json!(4)));
        assert_eq!(value("/spec/tags", "too many"), Some(json!(["a", "a"])));
    }

    #[test]
    fn takes_away_what_is_required_and_nothing_else() {
        let gone: Vec<_> = made().into_iter().filter(|it| it.value.is_none()).collect();
        assert!(matches!(&gone[..], [one] if one.place == "/spec/name"));
        let mut object = json!({ "spec": { "name": "abc", "count": 2 } });
        gone[0].apply(&mut object);
        assert_eq!(object, json!({ "spec": { "count": 2 } }));
    }

    #[test]
    fn puts_no_integer_for_an_integer() {
        let of_count = made().into_iter().filter(|it| it.place == "/spec/count");
        let mut others = of_count.filter(|it| it.what == "of another type");
        assert!(others.all(|it| it.value != Some(json!(7))));
    }

    #[test]
    fn pairs_are_at_two_places() {
        let singles = made();
        let pairs = pairs(&singles, 1, 50);
        assert_eq!(pairs.len(), 50);
        for [a, b] in pairs {
            assert!(a.place != b.place && a.place != "/spec" && b.place != "/spec");
        }
    }
}
