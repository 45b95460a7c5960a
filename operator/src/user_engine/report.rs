//! Says what was found: the status, if it changed, and an Event for what a person would want to know.

use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use serde_json::json;
use userengine_api::UserEngine;
use userengine_api::condition::{ConditionType, Reason};
use userengine_api::status::UserEngineStatus;

use super::assess::Severity;
use super::status::Report;
use crate::cluster::{Recorder, WriteError, Writer};

/// Writes the status if it differs from the one that was read, of exactly that version of the engine, and an Event if `Ready`
/// or `Paused` has a new reason.
pub async fn report(
    writer: &Writer,
    recorder: &Recorder,
    report: &Report<'_>,
    status: &UserEngineStatus,
) -> Result<(), WriteError> {
    let engine = &report.observed.engine;
    if engine.status.as_ref() == Some(status) {
        return Ok(());
    }
    let which = json!({
        "name": engine.name_any(), "uid": engine.uid(), "resourceVersion": engine.resource_version(),
    });
    let object = json!({
        "apiVersion": UserEngine::api_version(&()),
        "kind": UserEngine::kind(&()),
        "metadata": which,
        "status": status,
    });
    writer
        .apply_status::<UserEngine>("UserEngine", &engine.name_any(), &object)
        .await?;
    for event in ready(report).into_iter().chain(paused(report)) {
        publish(recorder, engine, &event).await;
    }
    Ok(())
}

/// One Event for each new reason of `Ready`, however often the message changes.
fn ready(report: &Report<'_>) -> Option<Event> {
    let ready = report.ready();
    let is_known = last_reason(report, ConditionType::Ready) == Some(ready.reason.as_str());
    let reason = if ready.severity == Severity::Fine {
        "Ready"
    } else {
        ready.reason.as_str()
    };
    let type_ = if ready.severity == Severity::Blocked {
        EventType::Warning
    } else {
        EventType::Normal
    };
    (!is_known).then(|| event(type_, reason, &ready.message))
}

/// One Event for the beginning of a pause, and one for its end.
fn paused(report: &Report<'_>) -> Option<Event> {
    let (now, last) = (
        &report.assessment.paused,
        last_reason(report, ConditionType::Paused),
    );
    let was_asked = last.is_some_and(|last| last != Reason::AsExpected.as_str());
    if now.reason == Reason::AsExpected {
        return was_asked.then(|| event(EventType::Normal, "PauseEnded", "the pause is over"));
    }
    let is_known = last == Some(now.reason.as_str());
    (!is_known).then(|| event(EventType::Normal, now.reason.as_str(), &now.message))
}

fn last_reason<'a>(report: &'a Report<'_>, kind: ConditionType) -> Option<&'a str> {
    let last = report.observed.condition(kind)?;
    Some(last.reason.as_str())
}

fn event(type_: EventType, reason: &str, note: &str) -> Event {
    event_of("Reconcile", type_, reason, note)
}

/// An Event about an engine.
pub fn event_of(action: &str, type_: EventType, reason: &str, note: &str) -> Event {
    Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note.to_owned()),
        action: action.to_owned(),
        secondary: None,
    }
}

/// Events are a courtesy: one that cannot be written is logged and holds nothing up.
pub async fn publish(recorder: &Recorder, engine: &UserEngine, event: &Event) {
    if let Err(error) = recorder.publish(event, &engine.object_ref(&())).await {
        tracing::warn!(%error, reason = event.reason, "failed to publish an event");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::user_engine::fixtures::{World, rotating, world};

    /// What each of these looks tells, one after the other.
    fn told(looks: impl IntoIterator<Item = World>) -> Vec<String> {
        let mut last = None;
        let mut told = Vec::new();
        for World(mut observed) in looks {
            Arc::get_mut(&mut observed.engine).unwrap().status = last;
            let assessment = crate::user_engine::assess::assess(&observed);
            let report = Report {
                observed: &observed,
                assessment: &assessment,
                trouble: None,
                version: None,
                now: Timestamp::UNIX_EPOCH,
            };
            let events = ready(&report).into_iter().chain(paused(&report));
            told.extend(events.map(|event| event.reason));
            last = Some(report.status());
        }
        told
    }

    fn serving() -> World {
        world().claimed().with_key().running()
    }

    #[test]
    fn a_pause_is_told_once_and_its_end_once() {
        let looks = vec![
            serving(),
            serving().paused(),
            serving().paused(),
            serving(),
            serving(),
        ];
        assert_eq!(told(looks), ["Ready", "Paused", "PauseEnded"]);
    }

    #[test]
    fn one_that_waits_for_a_rotation_says_so_first() {
        let looks = vec![
            rotating("Running").paused(),
            rotating("Clearing").paused(),
            serving().paused(),
        ];
        let expected = ["Rotating", "PausePending", "Ready", "Paused"];
        assert_eq!(told(looks), expected);
    }
}
