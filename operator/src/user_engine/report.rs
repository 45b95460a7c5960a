//! Says what was found: the status, if it changed, and an Event for what a person would want to know.

use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Resource, ResourceExt};
use serde_json::json;
use userengine_api::UserEngine;
use userengine_api::status::UserEngineStatus;

use super::assess::Severity;
use super::status::Report;
use crate::cluster::{WriteError, Writer};

/// Writes the status if it differs from the one that was read, and an Event if `Ready` has a new reason.
pub async fn report(
    writer: &Writer,
    recorder: &Recorder,
    report: &Report<'_>,
) -> Result<UserEngineStatus, WriteError> {
    let engine = &report.observed.engine;
    let status = report.status();
    if engine.status.as_ref() == Some(&status) {
        return Ok(status);
    }
    let object = json!({
        "apiVersion": UserEngine::api_version(&()),
        "kind": UserEngine::kind(&()),
        "metadata": { "name": engine.name_any(), "uid": engine.uid() },
        "status": status,
    });
    writer
        .apply_status::<UserEngine>("UserEngine", &engine.name_any(), &object)
        .await?;
    if let Some(event) = event(report) {
        publish(recorder, engine, &event).await;
    }
    Ok(status)
}

/// One Event for each new reason of `Ready`, however often the message changes.
fn event(report: &Report<'_>) -> Option<Event> {
    let ready = report.ready();
    let last = report
        .observed
        .engine
        .status
        .iter()
        .flat_map(|status| &status.conditions);
    let known = last
        .filter(|last| last.type_ == "Ready")
        .any(|last| last.reason == ready.reason.as_str());
    let reason = if ready.severity == Severity::Fine {
        "Ready"
    } else {
        ready.reason.as_str()
    };
    (!known).then(|| Event {
        type_: if ready.severity == Severity::Blocked {
            EventType::Warning
        } else {
            EventType::Normal
        },
        reason: reason.to_owned(),
        note: Some(ready.message.chars().take(1000).collect()),
        action: "Reconcile".to_owned(),
        secondary: None,
    })
}

/// Events are a courtesy: one that cannot be written is logged and holds nothing up.
pub async fn publish(recorder: &Recorder, engine: &UserEngine, event: &Event) {
    if let Err(error) = recorder.publish(event, &engine.object_ref(&())).await {
        tracing::warn!(%error, reason = event.reason, "failed to publish an event");
    }
}
