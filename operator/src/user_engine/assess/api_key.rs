//! What the rotation of an API key makes of what was observed.

use userengine_api::duration::seconds;
use userengine_api::user_engine::ApiKey;
use userengine_rotation::request::RotationId;

use crate::user_engine::api_key::{Decision, Engine, Seen, decide};
use crate::user_engine::observed::{ApiKeySecret, Observed};

/// What comes next; `None` if there is no API key of ours.
pub fn assess(observed: &Observed, held_back: bool) -> Option<Decision> {
    let ApiKeySecret::Ours(secret) = &observed.api_key else {
        return None;
    };
    Some(decide(&Seen {
        record: &secret.record,
        key: secret.key_hash.as_deref()?,
        next: secret.next.as_ref().map(|next| next.hash.as_str()),
        asked: asked(observed).as_ref(),
        overlap: overlap(observed),
        held_back,
        engine: engine(observed),
        now: observed.now.as_second(),
    }))
}

/// The rotation of the API key that is asked for. The schema lets nothing through that is no id.
pub fn asked(observed: &Observed) -> Option<RotationId> {
    let asked = observed.engine.spec.api_key.as_ref()?;
    asked.rotation_id.clone()?.try_into().ok()
}

/// Seconds for which a former key is accepted. The schema lets nothing through that is no length of time.
pub fn overlap(observed: &Observed) -> i64 {
    let asked = observed.engine.spec.api_key.as_ref();
    let asked = asked.and_then(|asked| seconds(&asked.overlap));
    asked
        .or_else(|| seconds(&ApiKey::default().overlap))
        .unwrap_or_default()
}

fn engine(observed: &Observed) -> Engine<'_> {
    match &observed.proof {
        _ if observed.pod.is_none() && observed.engine.spec.suspended => Engine::Asleep,
        Some(word) => Engine::Accepts(&word.api_key_hashes),
        None => Engine::Unheard,
    }
}
