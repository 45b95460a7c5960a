//! What is taken of a server's definitions, and what is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{
    DESCRIPTION_MAX, Mirrored, NAME_MAX, SCHEMA_DEPTH, SCHEMA_MAX, TOOLS_MAX, ToolDefinition,
};
use crate::mcp::rpc::words;

/// Why a definition is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// Beyond [`TOOLS_MAX`].
    TooMany,
    /// On pages that were not fetched.
    Unread,
    /// No object with a name and a schema.
    Malformed,
    /// An empty name, or one beyond [`NAME_MAX`].
    BadName,
    /// A second tool of a name.
    Duplicate,
    /// A schema beyond [`SCHEMA_MAX`].
    SchemaTooLarge,
    /// A schema beyond [`SCHEMA_DEPTH`].
    SchemaTooDeep,
    /// A bad `x-mcp-header`: the specification tells clients to leave such a tool out.
    BadHeader,
}

/// Definitions as they are taken in.
#[derive(Debug, Default)]
pub struct Listing {
    tools: Vec<ToolDefinition>,
    names: BTreeSet<String>,
    mirrored: Mirrored,
    left_out: BTreeMap<LeftOut, (usize, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw<'a> {
    name: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(borrow)]
    input_schema: &'a RawValue,
    #[serde(borrow, default)]
    output_schema: Option<&'a RawValue>,
    #[serde(borrow, default)]
    annotations: Option<&'a RawValue>,
}

impl Listing {
    /// Takes a definition in, or notes why not. `mirrors` = the revision copies arguments into headers.
    pub fn add(&mut self, definition: &RawValue, mirrors: bool) {
        let outcome = self.checked(definition, mirrors);
        match outcome {
            Ok(tool) => self.tools.push(tool),
            Err((why, name)) => {
                let (count, _) = self.left_out.entry(why).or_insert((0, name));
                *count += 1;
            }
        }
    }

    /// Notes that there are definitions that were not even fetched.
    pub fn add_unread(&mut self) {
        self.left_out.entry(LeftOut::Unread).or_default().0 += 1;
    }

    /// Is there room for more?
    pub fn is_full(&self) -> bool {
        self.tools.len() >= TOOLS_MAX
    }

    /// The tools, and which of their arguments go into headers. One warning a kind of what was left out.
    pub fn finish(self, label: &str) -> (Vec<ToolDefinition>, Mirrored) {
        for (why, (count, first)) in &self.left_out {
            tracing::warn!(server = label, ?why, count, first, "left out tools");
        }
        (self.tools, self.mirrored)
    }

    fn checked(
        &mut self,
        definition: &RawValue,
        mirrors: bool,
    ) -> Result<ToolDefinition, (LeftOut, String)> {
        if self.is_full() {
            return Err((LeftOut::TooMany, String::new()));
        }
        let raw: Raw<'_> = serde_json::from_str(definition.get())
            .map_err(|_| (LeftOut::Malformed, String::new()))?;
        let shown = words(raw.name.get(..NAME_MAX).unwrap_or(&raw.name));
        let tool = defined(raw).map_err(|why| (why, shown.clone()))?;
        if !self.names.insert(tool.name.clone()) {
            return Err((LeftOut::Duplicate, shown));
        }
        if mirrors {
            let added = self.mirrored.add(&tool.name, &tool.input_schema);
            added.map_err(|_| (LeftOut::BadHeader, shown))?;
        }
        Ok(tool)
    }
}

fn defined(raw: Raw<'_>) -> Result<ToolDefinition, LeftOut> {
    if raw.name.is_empty() || raw.name.chars().count() > NAME_MAX {
        return Err(LeftOut::BadName);
    }
    let input_schema = schema(raw.input_schema)?;
    if !input_schema.is_object() {
        return Err(LeftOut::Malformed);
    }
    Ok(ToolDefinition {
        name: raw.name,
        title: raw.title.map(|title| words(&title)),
        description: raw.description.map(cut),
        input_schema,
        output_schema: raw.output_schema.map(schema).transpose()?,
        annotations: raw.annotations.and_then(hints),
    })
}

fn schema(raw: &RawValue) -> Result<Value, LeftOut> {
    if raw.get().len() > SCHEMA_MAX {
        return Err(LeftOut::SchemaTooLarge);
    }
    if depth(raw.get()) > SCHEMA_DEPTH {
        return Err(LeftOut::SchemaTooDeep);
    }
    serde_json::from_str(raw.get()).map_err(|_| LeftOut::Malformed)
}

/// Hints are a handful of booleans; whatever is larger is none.
fn hints(raw: &RawValue) -> Option<Value> {
    let small = raw.get().len() <= 4096 && depth(raw.get()) <= SCHEMA_DEPTH;
    let value: Value = small
        .then(|| serde_json::from_str(raw.get()).ok())
        .flatten()?;
    value.is_object().then_some(value)
}

/// How deep arrays and objects are nested, counted before anything is built from them.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn cut(mut description: String) -> String {
    if description.len() > DESCRIPTION_MAX {
        let end = description.floor_char_boundary(DESCRIPTION_MAX);
        let left = description.len() - end;
        description.truncate(end);
        let _ = write!(description, " … [{left} more bytes were cut]");
    }
    description
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(definitions: &[String]) -> (Vec<ToolDefinition>, BTreeMap<LeftOut, (usize, String)>) {
        let mut listing = Listing::default();
        for definition in definitions {
            listing.add(&RawValue::from_string(definition.clone()).unwrap(), true);
        }
        let left_out = listing.left_out.clone();
        (listing.finish("test").0, left_out)
    }

    fn tool(name: &str, schema: &str) -> String {
        format!(r#"{{"name":"{name}","inputSchema":{schema}}}"#)
    }

    #[test]
    fn leaves_out_what_is_beyond_the_bounds_and_keeps_the_rest() {
        let deep = format!(
            "{}{}",
            r#"{"a":"#.repeat(40),
            "1".to_owned() + &"}".repeat(40)
        );
        let large = format!(r#"{{"description":"{}"}}"#, "x".repeat(SCHEMA_MAX));
        let bracket_text = format!(r#"{{"pattern":"{}\""}}"#, "[{".repeat(100));
        let (tools, left_out) = listed(&[
            tool("good", "{}"),
            tool("good", "{}"),
            tool("", "{}"),
            tool(&"n".repeat(129), "{}"),
            tool(&"ü".repeat(128), "{}"),
            tool("deep", &deep),
            tool("large", &large),
            tool("array", "[]"),
            tool("brackets", &bracket_text),
            r#"{"name":"no schema"}"#.to_owned(),
            "17".to_owned(),
        ]);
        let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["good", &"ü".repeat(128), "brackets"]);
        let counts: Vec<_> = left_out
            .iter()
            .map(|(why, (count, _))| (*why, *count))
            .collect();
        assert_eq!(
            counts,
            [
                (LeftOut::Malformed, 3),
                (LeftOut::BadName, 2),
                (LeftOut::Duplicate, 1),
                (LeftOut::SchemaTooLarge, 1),
                (LeftOut::SchemaTooDeep, 1),
            ]
        );
        assert_eq!(left_out[&LeftOut::SchemaTooDeep].1, "deep");
    }

    #[test]
    fn takes_a_thousand_tools_and_no_more() {
        let many: Vec<_> = (0..10_000).map(|n| tool(&format!("t{n}"), "{}")).collect();
        let (tools, left_out) = listed(&many);
        assert_eq!(tools.len(), TOOLS_MAX);
        assert_eq!(left_out[&LeftOut::TooMany].0, 9000);
    }

    #[test]
    fn cuts_a_description_where_a_character_ends_and_says_so() {
        let long = "ü".repeat(DESCRIPTION_MAX);
        let definition = format!(r#"{{"name":"a","description":"{long}","inputSchema":{{}}}}"#);
        let description = listed(&[definition]).0[0].description.clone().unwrap();
        assert!(
            description.ends_with("… [16384 more bytes were cut]"),
            "{}",
            description.len()
        );
        assert!(description.len() < DESCRIPTION_MAX + 64);
    }
}
