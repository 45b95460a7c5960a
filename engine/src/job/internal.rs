//! What a container of the Job answers while it works.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;
use userengine_rotation::verdict::Progress;

use crate::http;
use crate::http::error::ApiError;

type Seen = watch::Receiver<Option<Progress>>;

/// `/livez` and `/progress`.
pub(super) fn router(progress: Seen) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/progress", get(get_progress))
        .fallback(http::not_found)
        .method_not_allowed_fallback(http::method_not_allowed)
        .with_state(progress)
}

async fn livez() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

async fn get_progress(State(progress): State<Seen>) -> Result<Json<Progress>, ApiError> {
    let progress = progress.borrow().clone();
    progress.map(Json).ok_or(ApiError::NotReady(
        "nothing has begun that has a progress to tell",
    ))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    use userengine_rotation::verdict::Step;

    use super::*;

    async fn answer(progress: Option<Progress>, path: &str) -> (StatusCode, Value) {
        let (_sender, seen) = watch::channel(progress);
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router(seen).oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn tells_how_far_the_work_is() {
        let progress = Progress {
            rotation: "first".to_owned().try_into().unwrap(),
            step: Step::Migrating,
            done: 2000,
            total: 5000,
        };
        let expected =
            json!({ "rotation": "first", "step": "migrating", "done": 2000, "total": 5000 });
        assert_eq!(
            answer(Some(progress), "/progress").await,
            (StatusCode::OK, expected)
        );
        assert_eq!(
            answer(None, "/progress").await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(answer(None, "/livez").await.0, StatusCode::OK);
    }
}
