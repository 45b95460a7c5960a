//! One object of the template, from which those of all engines are made.

use anyhow::{Context as _, ensure};
use kube::ResourceExt as _;
use kube::api::{ApiResource, DynamicObject, TypeMeta};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use userengine_api::names::{INITIAL, key_suffix};

use super::recorder::Written;
use super::stencil::{Hole, Stencil};
use super::template::{Template, WORKSPACE};
use crate::by_hand::TEMPLATE;

/// The annotation in which the operator keeps the hash of what it applied.
const STAMP: &str = "userengine.dev/applied";

/// How an object is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// All of it.
    Whole,
    /// Its metadata only
    /// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches>).
    Metadata,
}

/// The object.
pub struct Mould {
    /// What it is.
    pub resource: ApiResource,
    /// Its place in the template.
    pub index: usize,
    whole: Stencil,
    metadata: Stencil,
    name: Stencil,
    /// What the operator applied, without its hash; `None` if it keeps none in this object.
    applied: Option<Stencil>,
}

impl Mould {
    /// One for each object.
    pub fn all(template: &Template) -> anyhow::Result<Vec<Self>> {
        let objects = template.objects.iter().enumerate();
        let moulds = objects.map(|(index, (resource, object))| {
            let mould = Self::new(template, index, resource, object);
            mould.with_context(|| format!("{} {}", resource.kind, object.name_any()))
        });
        moulds.collect()
    }

    fn new(
        template: &Template,
        index: usize,
        resource: &ApiResource,
        object: &DynamicObject,
    ) -> anyhow::Result<Self> {
        let applied = applied(&template.written, resource, object)?;
        let words = words(template, object)?;
        let cut = |text: &str| Stencil::cut(text, &words);
        let marked = marked(resource, object)?;
        let metadata = json!({
            "apiVersion": "meta.k8s.io/v1",
            "kind": "PartialObjectMetadata",
            "metadata": marked.get("metadata"),
        });
        let mould = Self {
            resource: resource.clone(),
            index,
            whole: cut(&marked.to_string()),
            metadata: cut(&metadata.to_string()),
            name: cut(&object.name_any()),
            applied: applied.as_deref().map(cut),
        };
        mould.has_its_holes()?;
        Ok(mould)
    }

    /// A hole that was not found would make all engines alike.
    fn has_its_holes(&self) -> anyhow::Result<()> {
        for form in [Form::Whole, Form::Metadata] {
            let count = |hole| self.of(form).count(hole);
            for hole in [Hole::Name, Hole::Namespace, Hole::OwnUid, Hole::Version] {
                // The engine's own uid is the engine's.
                let is_there = count(hole) > 0 || self.index == 0 && count(Hole::Uid) > 0;
                ensure!(is_there, "{hole:?} was not found");
            }
            let stamps = usize::from(self.applied.is_some());
            ensure!(count(Hole::Stamp) == stamps, "not {stamps} stamps");
        }
        let settled = usize::from(self.index == 0);
        ensure!(
            self.whole.count(Hole::Settled) == settled,
            "not {settled} digests of rest"
        );
        Ok(())
    }

    fn of(&self, form: Form) -> &Stencil {
        match form {
            Form::Whole => &self.whole,
            Form::Metadata => &self.metadata,
        }
    }

    /// Writes the object; `put` fills a hole.
    pub fn write(&self, form: Form, into: &mut String, put: impl Fn(Hole, &mut String)) {
        self.of(form).fill(into, put);
    }

    /// Its name.
    pub fn name(&self, put: impl Fn(Hole, &mut String)) -> String {
        let mut name = String::new();
        self.name.fill(&mut name, put);
        name
    }

    /// The hash of what the operator would apply; `None` if it keeps none in this object.
    pub fn stamp(&self, put: impl Fn(Hole, &mut String)) -> Option<u64> {
        let mut text = String::new();
        self.applied.as_ref()?.fill(&mut text, put);
        Some(hash(&text))
    }
}

/// The first eight bytes, as the stamp has them.
fn hash(text: &str) -> u64 {
    let digest = digest(&SHA256, text.as_bytes());
    let first = digest.as_ref().first_chunk();
    u64::from_be_bytes(first.copied().unwrap_or_default())
}

/// What the operator applied, if it keeps a hash of it in the object.
fn applied(
    written: &Written,
    resource: &ApiResource,
    object: &DynamicObject,
) -> anyhow::Result<Option<String>> {
    let Some(stamp) = object.annotations().get(STAMP) else {
        return Ok(None);
    };
    let which = (resource.kind.clone(), object.name_any());
    let mut applied = written.get(&which).context("nobody wrote it")?.clone();
    let metadata = applied.get_mut("metadata").and_then(Value::as_object_mut);
    let metadata = metadata.context("an object has metadata")?;
    metadata.retain(|name, _| {
        ["name", "namespace", "labels", "ownerReferences"].contains(&name.as_str())
    });
    let applied = applied.to_string();
    ensure!(
        format!("{:016x}", hash(&applied)) == *stamp,
        "its stamp is not the hash of what was applied: {applied}"
    );
    Ok(Some(applied))
}

/// The object, with marks where it has nothing that tells it from others.
fn marked(resource: &ApiResource, object: &DynamicObject) -> anyhow::Result<Value> {
    let mut object = object.clone();
    object.types = Some(TypeMeta {
        api_version: resource.api_version.clone(),
        kind: resource.kind.clone(),
    });
    object.metadata.resource_version = Some(mark(Hole::Version));
    if let Some(stamp) = object.annotations_mut().get_mut(STAMP) {
        *stamp = mark(Hole::Stamp);
    }
    let mut object = serde_json::to_value(object)?;
    if let Some(settled) = object.pointer_mut("/status/settled") {
        *settled = mark(Hole::Settled).into();
    }
    Ok(object)
}

fn mark(hole: Hole) -> String {
    format!("@{hole:?}@")
}

/// What stands for what.
fn words(template: &Template, object: &DynamicObject) -> anyhow::Result<Vec<(String, Hole)>> {
    let (_, engine) = template.objects.first().context("there is no engine")?;
    let uid = engine.uid().context("an engine has a uid")?;
    Ok(vec![
        (TEMPLATE.to_owned(), Hole::Name),
        (WORKSPACE.to_owned(), Hole::Namespace),
        (key_suffix(&uid, INITIAL), Hole::Suffix),
        (uid, Hole::Uid),
        (object.uid().context("an object has a uid")?, Hole::OwnUid),
        (mark(Hole::Version), Hole::Version),
        (mark(Hole::Stamp), Hole::Stamp),
        // Last of three at least: there is a comma before it.
        (
            format!(r#","settled":"{}""#, mark(Hole::Settled)),
            Hole::Settled,
        ),
    ])
}
