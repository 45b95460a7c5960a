//! The tools of one connection: what the server defines, as the catalog and the pins have it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::definition::{Definition, digest};
use super::{HiddenTool, names};
use crate::catalog::Entry;
use crate::domain::{ServerName, ToolClass};
use crate::mcp::ToolDefinition;

/// What the engine offers of a connection.
#[derive(Debug)]
pub(in crate::assets) struct ToolList {
    /// The catalog's entry that the tools below follow.
    pub(super) entry: Arc<Entry>,
    pub(super) tools: BTreeMap<String, Arc<Tool>>,
    /// What the server defines and the engine does not offer.
    pub(in crate::assets) hidden: Vec<HiddenTool>,
    /// When the server was asked, by the time since the start of the process.
    pub(super) asked_at: Duration,
}

/// One tool.
#[derive(Debug)]
pub(in crate::assets) struct Tool {
    /// In force: the pinned one.
    pub(super) definition: Arc<Definition>,
    /// What the server defines now, if that is another.
    pub(super) offered: Option<Arc<Definition>>,
    /// Read or write.
    pub(in crate::assets) class: ToolClass,
    /// As `GET /tools` shows it.
    pub(super) shown: Box<RawValue>,
}

/// A definition and the one that the server has in its place.
#[derive(Debug, Clone)]
pub(super) struct Pinned {
    pub(super) definition: Arc<Definition>,
    pub(super) offered: Option<Arc<Definition>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    description: &'a str,
    input_schema: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a Value>,
    class: ToolClass,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    changed: bool,
}

impl ToolList {
    /// Puts the list together.
    pub(super) fn new(
        alias: &ServerName,
        entry: Arc<Entry>,
        pinned: Vec<Pinned>,
        hidden: Vec<HiddenTool>,
        asked_at: Duration,
    ) -> Self {
        let tools = pinned
            .into_iter()
            .filter_map(|pinned| {
                let tool = Tool::new(alias, &entry, pinned)?;
                Some((tool.definition.tool.name.clone(), Arc::new(tool)))
            })
            .collect();
        Self {
            entry,
            tools,
            hidden,
            asked_at,
        }
    }

    /// The same tools under another entry of the catalog, or with another pin.
    pub(super) fn again(
        &self,
        alias: &ServerName,
        entry: Arc<Entry>,
        change: impl Fn(&Tool) -> Pinned,
    ) -> Self {
        let pinned = self.tools.values().map(|tool| change(tool)).collect();
        Self::new(alias, entry, pinned, self.hidden.clone(), self.asked_at)
    }

    /// Tools that are offered, those that changed among them, and those that are not offered.
    pub(in crate::assets) fn counts(&self) -> [usize; 3] {
        let changed = self.tools.values().filter(|tool| tool.offered.is_some());
        [self.tools.len(), changed.count(), self.hidden.len()]
    }

    /// Does it offer the same?
    pub(super) fn offers_the_same(&self, other: &Self) -> bool {
        self.tools.len() == other.tools.len()
            && self
                .tools
                .iter()
                .zip(&other.tools)
                .all(|((_, a), (_, b))| a.shown.get() == b.shown.get())
    }
}

impl Tool {
    fn new(alias: &ServerName, entry: &Entry, pinned: Pinned) -> Option<Self> {
        let Pinned {
            definition,
            offered,
        } = pinned;
        let tool = &definition.tool;
        let settings = entry.tools.get(&tool.name);
        let class = if offered.is_some() {
            // Nobody has looked at what the server does now.
            ToolClass::Write
        } else {
            let by_catalog = settings.and_then(|settings| settings.class);
            by_catalog.unwrap_or_else(|| hinted(entry, tool))
        };
        let by_catalog = settings.and_then(|settings| settings.description.as_deref());
        let shown = Shown {
            name: format!("{alias}.{}", tool.name),
            title: tool.title.as_deref(),
            description: by_catalog
                .or(tool.description.as_deref())
                .unwrap_or_default(),
            input_schema: &tool.input_schema,
            output_schema: tool.output_schema.as_ref(),
            annotations: tool.annotations.as_ref(),
            class,
            changed: offered.is_some(),
        };
        let shown = to_raw_value(&shown).ok()?;
        Some(Self {
            definition,
            offered,
            class,
            shown,
        })
    }

    pub(super) fn pinned(&self) -> Pinned {
        Pinned {
            definition: self.definition.clone(),
            offered: self.offered.clone(),
        }
    }
}

/// A server's own word counts only where the catalog trusts it.
fn hinted(entry: &Entry, tool: &ToolDefinition) -> ToolClass {
    let hint = tool
        .annotations
        .as_ref()
        .and_then(|hints| hints.get("readOnlyHint"));
    if entry.trust_annotations && hint.and_then(Value::as_bool) == Some(true) {
        ToolClass::Read
    } else {
        ToolClass::Write
    }
}

/// Checks what a server defines. What was checked before and did not change is not checked again.
pub(super) fn checked(
    tools: Vec<ToolDefinition>,
    before: Option<&ToolList>,
) -> (Vec<Arc<Definition>>, Vec<HiddenTool>) {
    let mut hidden = Vec::new();
    let tools = names::sort(tools, |tool: &ToolDefinition| &tool.name, &mut hidden);
    let known = |name: &str, digest: &str| {
        let tool = before?.tools.get(name)?;
        [Some(&tool.definition), tool.offered.as_ref()]
            .into_iter()
            .flatten()
            .find(|definition| definition.digest == digest)
            .cloned()
    };
    let mut definitions = Vec::with_capacity(tools.len());
    for tool in tools {
        let name = tool.name.clone();
        let checked = digest(&tool).and_then(|digest| match known(&name, &digest) {
            Some(definition) => Ok(definition),
            None => Definition::new(tool, digest).map(Arc::new),
        });
        match checked {
            Ok(definition) => definitions.push(definition),
            Err(why) => hidden.push(HiddenTool::new(&name, &why)),
        }
    }
    (definitions, hidden)
}

/// The names of tools that changed and were not known to have.
pub(super) fn newly_changed<'a>(
    list: &'a ToolList,
    before: Option<&ToolList>,
) -> impl Iterator<Item = &'a str> {
    let known: BTreeSet<String> = before
        .into_iter()
        .flat_map(|list| &list.tools)
        .filter(|(_, tool)| tool.offered.is_some())
        .map(|(name, _)| name.clone())
        .collect();
    list.tools
        .iter()
        .filter(move |(name, tool)| tool.offered.is_some() && !known.contains(*name))
        .map(|(name, _)| name.as_str())
}
