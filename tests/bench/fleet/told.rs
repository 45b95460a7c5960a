//! What an operator wrote until a fleet was Ready: of which kinds, and who was told of more than once.

use std::collections::BTreeMap;

use kube::ResourceExt as _;
use userengine_api::UserEngine;

/// Engines that are named.
const NAMED: usize = 5;

/// What each status said, in their order, by engine: the reason of `Ready`, the engine's version, the digest. The server's
/// default is nothing that was told.
#[derive(Debug, Default)]
pub struct Told(BTreeMap<String, Vec<String>>);

impl Told {
    /// Takes note of what the status says now.
    pub fn hear(&mut self, engine: &UserEngine) {
        let Some(status) = engine.status.as_ref().filter(|status| status.is_told()) else {
            return;
        };
        let ready = status.conditions.iter().find(|it| it.type_ == "Ready");
        let says = [
            ready.map(|it| it.reason.as_str()),
            status.engine.as_ref().and_then(|it| it.version.as_deref()),
            status.settled.as_deref(),
        ]
        .map(|word| word.unwrap_or("-"))
        .join(" ");
        let told = self.0.entry(engine.name_any()).or_default();
        if told.last() != Some(&says) {
            told.push(says);
        }
    }

    /// In a sentence: the writes, by verb and kind, and the engines that were told of more than once.
    pub fn describe(&self, writes: &BTreeMap<String, u64>) -> String {
        let writes: Vec<_> = writes
            .iter()
            .map(|(what, times)| format!("{what} {times}"))
            .collect();
        let often: Vec<_> = self.0.iter().filter(|(_, told)| told.len() > 1).collect();
        let named = often.iter().take(NAMED);
        let named = named.map(|(engine, told)| format!("; {engine}: {}", told.join(" → ")));
        format!(
            "{} engines until all were Ready: {}. Told of more than once: {}{}.",
            self.0.len(),
            writes.join(", "),
            often.len(),
            named.collect::<String>(),
        )
    }
}
