//! What a rotation's turns look like to whoever reads Events and metrics: each is told once, after it became durable.

use std::fmt::Display;

use kube::runtime::events::{Event, EventType};
use userengine_api::UserEngine;
use userengine_api::key::Kid;
use userengine_rotation::decide::{Decision, News};
use userengine_rotation::ledger::{Last, Ledger, Outcome};

use super::Context;
use super::api_key::News as ApiKeyNews;
use super::assess::Assessment;
use super::observed::Observed;
use super::report::{event_of, publish};

/// Tells. The record is the one before the news.
pub async fn tell(context: &Context, observed: &Observed, assessment: &Assessment, news: &[News]) {
    let Some(record) = &assessment.record else {
        return;
    };
    if let Some(Decision::Write(next, _)) = assessment.rotation.as_ref().map(|it| &it.decision) {
        let [before, now] = [&record.ledger, next].map(|it| it.open.as_ref().map(|it| it.phase));
        if before != now {
            context.metrics.rotates(&observed.full_name(), now);
        }
    }
    for one in news {
        if let News::Ended(last) | News::Rejected(last) = one {
            let certificate = last.certificate.as_ref();
            let rows = certificate.map_or(0, |certificate| certificate.rows.values().sum());
            context.metrics.rotated(last.outcome, rows);
        }
        for event in events(&record.ledger, one) {
            publish(&context.recorder, &observed.engine, &event).await;
        }
    }
}

/// Tells what a rotation of the API key came to, without any word of the keys.
pub async fn tell_of_api_key(context: &Context, engine: &UserEngine, news: Option<&ApiKeyNews>) {
    if let Some(news) = news {
        publish(&context.recorder, engine, &of_api_key(news)).await;
    }
}

fn of_api_key(news: &ApiKeyNews) -> Event {
    match news {
        ApiKeyNews::Started(id) => normal(
            id,
            "ApiKeyRotationStarted",
            format!(
                "rotation {id}: the engine learns of the next API key before it becomes the key"
            ),
        ),
        ApiKeyNews::Rotated(id, overlap) => normal(
            id,
            "ApiKeyRotated",
            format!(
                "rotation {id}: the Secret holds another API key; the former one is accepted for {overlap} s"
            ),
        ),
        ApiKeyNews::Retired(id) => normal(
            id,
            "ApiKeyRetired",
            format!("rotation {id}: the former API key is not accepted any more"),
        ),
    }
}

fn events(ledger: &Ledger, news: &News) -> Vec<Event> {
    let id = ledger.open.as_ref().map_or("", |open| open.id.as_str());
    let one = match news {
        News::Opened(id) => normal(id, "RotationOpened", format!("rotation {id} begins")),
        News::Satisfied(id) => normal(
            id,
            "RotationSatisfied",
            format!("rotation {id} asks for nothing that is not so: the brain is new"),
        ),
        News::Rejected(last) => failed("RotationRejected", last),
        News::Quiescing(kid) => normal(
            id,
            "RotationQuiescing",
            format!("the engine stops for rotation {id} to key {kid}"),
        ),
        News::Started { attempt } => normal(
            id,
            "RotationStarted",
            format!("rotation {id}: attempt {attempt} runs"),
        ),
        News::Retrying { why } => warning(
            id,
            "RotationRetrying",
            format!("rotation {id} is tried again: {why}"),
        ),
        News::Ended(last) => return ended(ledger, last),
        News::Destroying(kid) => normal(
            kid,
            "KeyDestroying",
            format!("key {kid} is destroyed: nothing is sealed with it, and there is no way back"),
        ),
        News::Destroyed(kid) => normal(kid, "KeyDestroyed", format!("key {kid} is gone for good")),
    };
    vec![one]
}

fn failed(reason: &str, last: &Last) -> Event {
    warning(&last.id, reason, said(last))
}

fn said(last: &Last) -> String {
    format!("rotation {}: {}", last.id, last.why)
}

/// A rotation that ended well has three things to tell.
fn ended(ledger: &Ledger, last: &Last) -> Vec<Event> {
    match (last.outcome, &last.certificate) {
        (Outcome::Certified, Some(certificate)) => {
            let to = &certificate.to;
            let values: u64 = certificate.rows.values().sum();
            let verified = format!(
                "rotation {}: {values} sealed values opened with key {to} alone",
                last.id
            );
            let mut all = vec![
                normal(&last.id, "RotationVerified", verified),
                normal(to, "KeyPromoted", format!("key {to} seals from now on")),
            ];
            let retired = ledger.ring().filter(|key| key.kid != *to);
            all.extend(retired.map(|key| retire(&key.kid)));
            all
        }
        (Outcome::Certified, None) => vec![normal(&last.id, "RotationVerified", said(last))],
        (Outcome::Rejected, _) => vec![failed("RotationRejected", last)],
        (Outcome::Refused, _) => vec![failed("RotationRefused", last)],
        (Outcome::Failed, _) => vec![failed("RotationFailed", last)],
    }
}

fn retire(kid: &Kid) -> Event {
    normal(
        kid,
        "KeyRetired",
        format!(
            "key {kid} left the ring; its Secret is kept for a while, and a rollback is possible"
        ),
    )
}

fn normal(about: impl Display, reason: &str, note: impl AsRef<str>) -> Event {
    event(EventType::Normal, about, reason, note.as_ref())
}

fn warning(about: impl Display, reason: &str, note: impl AsRef<str>) -> Event {
    event(EventType::Warning, about, reason, note.as_ref())
}

/// `about` is the rotation or the key: each has a record of its own.
fn event(type_: EventType, about: impl Display, reason: &str, note: &str) -> Event {
    event_of(&format!("Rotate {about}"), type_, reason, note)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use userengine_rotation::request::RotationId;

    use super::*;
    use crate::user_engine::fixtures::{key, rotating_record};

    fn last(outcome: &str) -> Last {
        let certificate = json!({
            "version": 1, "databaseId": "db", "rotation": "r-1", "mode": "Normal", "from": key(1).kid(), "to": key(2).kid(),
            "epoch": 1, "rows": { "connections.credential": 3, "oauth_clients.secret": 1 }, "quarantined": 0,
            "inventoryBefore": "", "inventoryAfter": "", "image": "", "startedAt": "", "verifiedAt": "", "previous": "",
            "mac": "",
        });
        let is_good = outcome == "Certified";
        let last = json!({
            "id": "r-1", "outcome": outcome, "started": 1, "ended": 2, "why": "of this",
            "certificate": is_good.then_some(certificate),
        });
        serde_json::from_value(last).unwrap()
    }

    fn told(news: &News) -> Vec<(String, String)> {
        let events = events(&rotating_record("Running").ledger, news).into_iter();
        events
            .map(|event| (event.reason, event.note.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn a_rotation_that_ends_well_tells_what_was_verified_promoted_and_retired() {
        let told = told(&News::Ended(Box::new(last("Certified"))));
        let reasons: Vec<_> = told.iter().map(|(reason, _)| reason.as_str()).collect();
        assert_eq!(reasons, ["RotationVerified", "KeyPromoted", "KeyRetired"]);
        let (old, new) = (key(1).kid().to_string(), key(2).kid().to_string());
        assert!(told[0].1.contains("4 sealed values") && told[0].1.contains(&new));
        assert!(
            told[1].1.contains(&new) && told[2].1.contains(&old),
            "{told:?}"
        );
    }

    #[test]
    fn a_rotation_that_does_not_says_why_once() {
        for (outcome, reason) in [
            ("Refused", "RotationRefused"),
            ("Failed", "RotationFailed"),
            ("Rejected", "RotationRejected"),
        ] {
            let said = vec![(reason.to_owned(), "rotation r-1: of this".to_owned())];
            assert_eq!(told(&News::Ended(Box::new(last(outcome)))), said);
        }
    }

    #[test]
    fn a_rotation_of_the_api_key_is_told_by_its_id() {
        let id = RotationId::try_from("2026-12".to_owned()).unwrap();
        let all = [
            ApiKeyNews::Started(id.clone()),
            ApiKeyNews::Rotated(id.clone(), 300),
            ApiKeyNews::Retired(id),
        ];
        let told: Vec<_> = all.iter().map(of_api_key).collect();
        let reasons: Vec<_> = told.iter().map(|event| event.reason.as_str()).collect();
        let expected = ["ApiKeyRotationStarted", "ApiKeyRotated", "ApiKeyRetired"];
        assert_eq!(reasons, expected);
        for event in told {
            assert!(event.note.unwrap().starts_with("rotation 2026-12: "));
            assert_eq!(event.action, "Rotate 2026-12");
        }
    }
}
