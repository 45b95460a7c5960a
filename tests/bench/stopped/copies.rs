//! The engines: each is a copy of the template until the operator writes that it has come to rest.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::sync::watch;
use userengine_api::names::{INITIAL, key_suffix};

use super::mould::{Form, Mould};
use super::stencil::Hole;
use crate::fleet::OF_A_WORKSPACE;

/// Events that a watch gives at once.
const AT_ONCE: usize = 100;

/// All of them.
pub struct Copies {
    size: usize,
    moulds: Vec<Mould>,
    /// Of each object of each engine, in this order.
    stamps: Vec<u64>,
    rests: Mutex<Rests>,
    changed: watch::Sender<()>,
}

/// What the operator has written.
struct Rests {
    settled: Vec<Option<Rest>>,
    /// The engines that were written, one after the other.
    log: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    digest: u64,
    /// Entries of the log when it was written, itself included.
    written: usize,
}

/// Some of a list.
pub struct Page {
    /// Objects, with commas between them.
    pub items: String,
    /// Where the next page begins, if there is one.
    pub next: Option<usize>,
}

impl Copies {
    /// So many, none of which has come to rest.
    pub fn new(moulds: Vec<Mould>, size: usize) -> Self {
        let mut copies = Self {
            size,
            moulds,
            stamps: Vec::new(),
            rests: Mutex::new(Rests {
                settled: vec![None; size],
                log: Vec::new(),
            }),
            changed: watch::Sender::new(()),
        };
        let stamps = (0..size).flat_map(|number| {
            let moulds = copies.moulds.iter();
            moulds.map(move |mould| (number, mould))
        });
        let stamps = stamps.map(|(number, mould)| {
            let stamp = mould.stamp(|hole, text| copies.put(mould, number, hole, text));
            stamp.unwrap_or_default()
        });
        copies.stamps = stamps.collect();
        copies
    }

    fn rests(&self) -> MutexGuard<'_, Rests> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The objects that each engine has of this kind.
    pub fn moulds(&self, api_version: &str, plural: &str) -> Vec<&Mould> {
        let all = self.moulds.iter().filter(|mould| {
            mould.resource.api_version == api_version && mould.resource.plural == plural
        });
        all.collect()
    }

    /// The version of any list.
    pub fn version(&self) -> usize {
        self.newest_at_birth() + self.rests().log.len()
    }

    fn newest_at_birth(&self) -> usize {
        self.size * self.moulds.len()
    }

    /// Told whenever an engine was written.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// One object.
    pub fn object(&self, mould: &Mould, number: usize, form: Form) -> String {
        let mut text = String::new();
        mould.write(form, &mut text, |hole, text| {
            self.put(mould, number, hole, text);
        });
        text
    }

    fn put(&self, mould: &Mould, number: usize, hole: Hole, text: &mut String) {
        let written = match hole {
            Hole::Name => write!(text, "engine-{number}"),
            Hole::Namespace => write!(text, "workspace-{}", number / OF_A_WORKSPACE),
            Hole::Uid => write!(text, "{}", uid(number, 0)),
            Hole::OwnUid => write!(text, "{}", uid(number, mould.index)),
            Hole::Suffix => write!(text, "{}", key_suffix(&uid(number, 0), INITIAL)),
            Hole::Version => write!(text, "{}", self.version_of(mould, number)),
            Hole::Stamp => {
                let place = number * self.moulds.len() + mould.index;
                let stamp = self.stamps.get(place).copied();
                write!(text, "{:016x}", stamp.unwrap_or_default())
            }
            Hole::Settled => match self.rest(number) {
                Some(rest) => write!(text, r#","settled":"{:016x}""#, rest.digest),
                None => Ok(()),
            },
        };
        debug_assert!(written.is_ok(), "a text takes what is written");
    }

    fn rest(&self, number: usize) -> Option<Rest> {
        self.rests().settled.get(number).copied().flatten()
    }

    fn version_of(&self, mould: &Mould, number: usize) -> usize {
        let rest = self.rest(number).filter(|_| mould.index == 0);
        rest.map_or(number * self.moulds.len() + mould.index + 1, |rest| {
            self.newest_at_birth() + rest.written
        })
    }

    /// The objects of these moulds, engine by engine, `limit` of them at most, from this place on.
    pub fn page(&self, moulds: &[&Mould], form: Form, from: usize, limit: usize) -> Page {
        let all = self.size * moulds.len();
        let end = from.saturating_add(limit).min(all);
        let mut items = String::new();
        for place in from..end {
            if !items.is_empty() {
                items.push(',');
            }
            if let Some(mould) = moulds.get(place % moulds.len()) {
                items.push_str(&self.object(mould, place / moulds.len(), form));
            }
        }
        Page {
            items,
            next: (end < all).then_some(end),
        }
    }

    /// Which object has this name; it is of one of these moulds.
    pub fn find<'a>(
        &self,
        moulds: &[&'a Mould],
        namespace: &str,
        name: &str,
    ) -> Option<(&'a Mould, usize)> {
        let digits = name.strip_prefix("engine-")?;
        let digits = digits.split('-').next()?;
        let number: usize = digits.parse().ok().filter(|number| *number < self.size)?;
        if namespace != format!("workspace-{}", number / OF_A_WORKSPACE) {
            return None;
        }
        let mut moulds = moulds.iter();
        let mould = moulds
            .find(|mould| name == mould.name(|hole, text| self.put(mould, number, hole, text)))?;
        Some((mould, number))
    }

    /// Takes the status of an engine. Nothing of it may differ but the digest with which it came to rest.
    pub fn settle(&self, engine: &Mould, number: usize, status: &Value) -> anyhow::Result<()> {
        let now: Value = serde_json::from_str(&self.object(engine, number, Form::Whole))?;
        let now = now.get("status").cloned().unwrap_or_default();
        let but_for_rest = |status: &Value| {
            let mut status = status.clone();
            status
                .as_object_mut()
                .map(|status| status.remove("settled"));
            status
        };
        ensure!(
            but_for_rest(&now) == but_for_rest(status),
            "engine {number} has the status {now} and is given {status}"
        );
        let digest = status.get("settled").and_then(Value::as_str);
        let digest = digest.context("the engine is not said to rest")?;
        let digest = u64::from_str_radix(digest, 16)?;
        let mut rests = self.rests();
        rests.log.push(number);
        let written = rests.log.len();
        let rest = rests.settled.get_mut(number).context("no such engine")?;
        *rest = Some(Rest { digest, written });
        drop(rests);
        self.changed.send_replace(());
        Ok(())
    }

    /// The engines that were written after this version, each as it is now, as a watch shows them; and the version that the
    /// last of them has.
    pub fn since(&self, engine: &Mould, version: usize) -> (String, usize) {
        let first = version.saturating_sub(self.newest_at_birth());
        let written: Vec<_> = {
            let rests = self.rests();
            let written = rests.log.iter().copied().enumerate().skip(first);
            written.take(AT_ONCE).collect()
        };
        let mut events = String::new();
        for (before, number) in &written {
            // One that was written again shows then.
            if self
                .rest(*number)
                .is_some_and(|rest| rest.written == before + 1)
            {
                let object = self.object(engine, *number, Form::Whole);
                events.extend([r#"{"type":"MODIFIED","object":"#, &object, "}\n"]);
            }
        }
        (events, version.max(self.newest_at_birth()) + written.len())
    }
}

fn uid(number: usize, index: usize) -> String {
    format!("{number:08x}-7375-4000-8000-{index:012x}")
}
