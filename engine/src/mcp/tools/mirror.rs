//! Arguments that a request repeats in its headers, `x-mcp-header`
//! (<https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http>).

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

const MARK: &str = "x-mcp-header";

/// Which arguments of which tools go into which headers.
#[derive(Debug, Default)]
pub struct Mirrored(BTreeMap<String, Vec<(Vec<String>, HeaderName)>>);

/// A mark where none may be, or one that is no header's name.
#[derive(Debug, PartialEq, Eq)]
pub struct BadMark;

impl Mirrored {
    /// Reads the marks of a tool's schema.
    pub fn add(&mut self, tool: &str, schema: &Value) -> Result<(), BadMark> {
        let found = marks(schema)?;
        if !found.is_empty() {
            self.0.insert(tool.to_owned(), found);
        }
        Ok(())
    }

    /// Does any tool ask for it?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The headers of a call.
    pub fn headers(
        &self,
        tool: &str,
        arguments: &Map<String, Value>,
    ) -> Vec<(HeaderName, HeaderValue)> {
        let marks = self.0.get(tool).into_iter().flatten();
        let present = marks.filter_map(|(path, name)| {
            let (first, rest) = path.split_first()?;
            let value = rest
                .iter()
                .try_fold(arguments.get(first)?, |value, key| value.get(key))?;
            Some((name.clone(), header_value(&plain(value)?)))
        });
        present.collect()
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A value as it is, or in Base64 with a mark around it where a header could not carry it.
pub fn header_value(text: &str) -> HeaderValue {
    let carried = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
        && text.trim_ascii() == text
        && !(text.starts_with("=?base64?") && text.ends_with("?="));
    let value = carried.then(|| HeaderValue::from_str(text).ok()).flatten();
    value.unwrap_or_else(|| {
        let wrapped = format!("=?base64?{}?=", BASE64_STANDARD.encode(text));
        HeaderValue::from_str(&wrapped).unwrap_or(HeaderValue::from_static(""))
    })
}

/// The marks along chains of `properties` from the root. A mark elsewhere spoils the tool.
fn marks(schema: &Value) -> Result<Vec<(Vec<String>, HeaderName)>, BadMark> {
    let mut found = Vec::new();
    let marked = count(schema);
    if marked > 0 {
        collect(schema, &mut Vec::new(), &mut found)?;
    }
    let names: BTreeSet<_> = found.iter().map(|(_, name)| name.as_str()).collect();
    if found.len() == marked && names.len() == marked {
        Ok(found)
    } else {
        Err(BadMark)
    }
}

fn collect(
    schema: &Value,
    path: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, HeaderName)>,
) -> Result<(), BadMark> {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (key, property) in properties.into_iter().flatten() {
        path.push(key.clone());
        if let Some(mark) = property.get(MARK) {
            found.push((path.clone(), header_name(mark, property)?));
        }
        collect(property, path, found)?;
        path.pop();
    }
    Ok(())
}

fn header_name(mark: &Value, property: &Value) -> Result<HeaderName, BadMark> {
    let primitive = matches!(
        property.get("type").and_then(Value::as_str),
        Some("string" | "integer" | "boolean")
    );
    let mark = mark
        .as_str()
        .filter(|mark| primitive && !mark.is_empty())
        .ok_or(BadMark)?;
    HeaderName::try_from(format!("mcp-param-{mark}")).map_err(|_| BadMark)
}

/// All marks of a schema, wherever they are; what only looks like one inside an example is none.
fn count(schema: &Value) -> usize {
    match schema {
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| match key.as_str() {
                MARK => 1,
                "default" | "const" | "enum" | "examples" => 0,
                "properties" | "$defs" | "definitions" | "dependentSchemas"
                | "patternProperties" => named(value),
                _ => count(value),
            })
            .sum(),
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

/// The marks below a map from names to schemas: there a key is a name and no keyword.
fn named(schemas: &Value) -> usize {
    let schemas = schemas.as_object().into_iter().flatten();
    schemas.map(|(_, schema)| count(schema)).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn headers(schema: &Value, arguments: &Value) -> Result<Vec<(String, String)>, BadMark> {
        let mut mirrored = Mirrored::default();
        mirrored.add("tool", schema)?;
        let headers = mirrored.headers("tool", arguments.as_object().unwrap());
        let text = |(name, value): (HeaderName, HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        Ok(headers.into_iter().map(text).collect())
    }

    #[test]
    fn repeats_marked_arguments_in_headers_and_wraps_what_a_header_cannot_carry() {
        let schema = json!({"properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "dry": {"type": "boolean", "x-mcp-header": "Dry"},
            "of": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
            "absent": {"type": "string", "x-mcp-header": "Absent"},
            "x-mcp-header": {"type": "string"},
            "plain": {"default": {"x-mcp-header": "no mark"}},
        }});
        let arguments = json!({"region": " Zürich", "dry": false, "of": {"n": -7}, "plain": 1});
        assert_eq!(
            headers(&schema, &arguments).unwrap(),
            [
                ("mcp-param-dry".to_owned(), "false".to_owned()),
                ("mcp-param-n".to_owned(), "-7".to_owned()),
                (
                    "mcp-param-region".to_owned(),
                    "=?base64?IFrDvHJpY2g=?=".to_owned()
                ),
            ]
        );
        assert_eq!(
            header_value("=?base64?YQ==?=").to_str().unwrap(),
            "=?base64?PT9iYXNlNjQ/WVE9PT89?="
        );
        assert_eq!(header_value("plain text").to_str().unwrap(), "plain text");
    }

    #[test]
    fn refuses_marks_where_none_may_be() {
        let bad = [
            json!({"x-mcp-header": "Root"}),
            json!({"properties": {"a": {"type": "object", "x-mcp-header": "A"}}}),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": ""}}}),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": 1}}}),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": "a b"}}}),
            json!({"properties": {
                "a": {"type": "string", "x-mcp-header": "Same"},
                "b": {"type": "string", "x-mcp-header": "same"},
            }}),
            json!({"properties": {"a": {"items": {"type": "string", "x-mcp-header": "A"}}}}),
            json!({"anyOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}]}),
        ];
        for schema in bad {
            assert_eq!(headers(&schema, &json!({})), Err(BadMark), "{schema}");
        }
    }
}
