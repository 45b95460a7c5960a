//! What a schema may cost, found out before it is used: a server chooses it, and the engine's own time is at stake.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A schema that applies more schemas than this on top of each other could overflow the stack.
const DEEPEST: usize = 32;
/// Beyond this depth of `$ref` from child to child no arguments are followed anyway.
const LONGEST_CHAIN: usize = 128;

/// Keywords whose values are no schemas, whatever they look like.
const PLAIN_VALUES: [&str; 4] = ["default", "const", "enum", "examples"];

/// How much work a schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Schemas that are applied at most to one place of the arguments and below it, recursion aside.
    pub(super) steps: u64,
    /// Does it refer to itself, so that the steps multiply with the depth of the arguments?
    pub(super) recursive: bool,
    /// Does it hold patterns, whose work grows with the length of texts?
    pub(super) patterns: bool,
}

/// Finds the bounds of a schema, or why it cannot be used.
pub(super) fn bounds(schema: &Value) -> Result<Bounds, &'static str> {
    let mut graph = Graph::default();
    graph.note_anchors(schema, true)?;
    graph.collect(schema)?;
    let mut heights = BTreeMap::new();
    for node in graph.nodes.keys() {
        graph.height(*node, &mut heights, 0)?;
    }
    let mut walk = Walk::default();
    let steps = graph.steps(address(schema), &mut walk);
    Ok(Bounds {
        steps,
        recursive: walk.recursive,
        patterns: graph.patterns,
    })
}

/// A schema's place in memory tells it apart from all others while it is looked at.
type Node = usize;

fn address(schema: &Value) -> Node {
    std::ptr::from_ref(schema) as usize
}

#[derive(Debug, Default)]
struct Graph<'a> {
    anchors: BTreeMap<&'a str, &'a Value>,
    nodes: BTreeMap<Node, Applied>,
    patterns: bool,
}

/// What a schema applies: to the same place, and to places below.
#[derive(Debug, Default)]
struct Applied {
    here: Vec<Node>,
    below: Vec<Node>,
}

#[derive(Debug, Default)]
struct Walk {
    done: BTreeMap<Node, u64>,
    open: BTreeSet<Node>,
    recursive: bool,
}

impl<'a> Graph<'a> {
    fn note_anchors(&mut self, value: &'a Value, root: bool) -> Result<(), &'static str> {
        match value {
            Value::Object(map) => {
                if !root && map.get("$id").is_some_and(Value::is_string) {
                    return Err("its schema has a part with an identifier of its own");
                }
                for name in ["$anchor", "$dynamicAnchor"] {
                    if let Some(Value::String(anchor)) = map.get(name) {
                        self.anchors.insert(anchor, value);
                    }
                }
                let schemas = map
                    .iter()
                    .filter(|(keyword, _)| !PLAIN_VALUES.contains(&keyword.as_str()));
                schemas
                    .map(|(_, value)| value)
                    .try_for_each(|value| self.note_anchors(value, false))
            }
            Value::Array(values) => values
                .iter()
                .try_for_each(|value| self.note_anchors(value, false)),
            _ => Ok(()),
        }
    }

    /// Every schema that the root leads to. Without recursion: chains of references may be long.
    fn collect(&mut self, root: &'a Value) -> Result<(), &'static str> {
        let mut waiting = vec![root];
        while let Some(schema) = waiting.pop() {
            if self.nodes.contains_key(&address(schema)) {
                continue;
            }
            let mut applied = Applied::default();
            if let Value::Object(map) = schema {
                self.patterns |=
                    map.contains_key("pattern") || map.contains_key("patternProperties");
                for (keyword, value) in map {
                    let (schemas, here) = self.applied(keyword, value, root)?;
                    let side = if here {
                        &mut applied.here
                    } else {
                        &mut applied.below
                    };
                    side.extend(schemas.iter().map(|schema| address(schema)));
                    waiting.extend(schemas);
                }
            }
            self.nodes.insert(address(schema), applied);
        }
        Ok(())
    }

    /// The schemas of a keyword, and whether they apply to the same place.
    fn applied(
        &self,
        keyword: &str,
        value: &'a Value,
        root: &'a Value,
    ) -> Result<(Vec<&'a Value>, bool), &'static str> {
        let each = |value: &'a Value| match value {
            Value::Array(values) => values.iter().collect(),
            Value::Object(map) => map.values().collect(),
            _ => Vec::new(),
        };
        Ok(match keyword {
            "$ref" | "$dynamicRef" | "$recursiveRef" => match value {
                Value::String(reference) => (vec![self.target(reference, root)?], true),
                _ => return Err("its schema has a reference that is no text"),
            },
            "allOf" | "anyOf" | "oneOf" | "dependentSchemas" | "dependencies" => {
                (each(value), true)
            }
            "not" | "if" | "then" | "else" => (vec![value], true),
            "properties" | "patternProperties" | "prefixItems" => (each(value), false),
            "items" if value.is_array() => (each(value), false),
            "items"
            | "additionalItems"
            | "contains"
            | "unevaluatedItems"
            | "additionalProperties"
            | "propertyNames"
            | "unevaluatedProperties" => (vec![value], false),
            _ => (Vec::new(), true),
        })
    }

    fn target(&self, reference: &str, root: &'a Value) -> Result<&'a Value, &'static str> {
        const FOREIGN: &str = "its schema refers to another document, and those are not fetched";
        let fragment = reference.strip_prefix('#').ok_or(FOREIGN)?;
        let fragment = percent_decoded(fragment).ok_or(FOREIGN)?;
        let found = if fragment.is_empty() || fragment.starts_with('/') {
            root.pointer(&fragment)
        } else {
            self.anchors.get(fragment.as_str()).copied()
        };
        found.ok_or("its schema has a reference that leads nowhere")
    }

    /// How many schemas lie on top of each other at one place.
    fn height(
        &self,
        node: Node,
        heights: &mut BTreeMap<Node, usize>,
        depth: usize,
    ) -> Result<usize, &'static str> {
        if let Some(height) = heights.get(&node) {
            return Ok(*height);
        }
        if depth > DEEPEST {
            return Err(
                "its schema applies too many schemas on top of each other, or goes in a circle",
            );
        }
        let mut height = 0;
        for next in self
            .nodes
            .get(&node)
            .into_iter()
            .flat_map(|applied| &applied.here)
        {
            height = height.max(1 + self.height(*next, heights, depth + 1)?);
        }
        if height > DEEPEST {
            return Err("its schema applies too many schemas on top of each other");
        }
        heights.insert(node, height);
        Ok(height)
    }

    fn steps(&self, node: Node, walk: &mut Walk) -> u64 {
        if let Some(steps) = walk.done.get(&node) {
            return *steps;
        }
        if walk.open.contains(&node) || walk.open.len() >= LONGEST_CHAIN {
            walk.recursive = true;
            return 1;
        }
        walk.open.insert(node);
        let mut steps = 1_u64;
        if let Some(applied) = self.nodes.get(&node) {
            for next in applied.here.iter().chain(&applied.below) {
                steps = steps.saturating_add(self.steps(*next, walk));
            }
        }
        walk.open.remove(&node);
        walk.done.insert(node, steps);
        steps
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok())?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail.get(2..)?;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
