//! Where `fetch` follows, and what it takes along.

use bytes::Bytes;
use http::{Method, Request};

use super::support::{SHORT, Server, WAIT, egress, get, ok, redirect, serve};
use crate::egress::{Egress, FetchError, Profile, Wait};

/// A server that answers a request for `/<status>?<location>` by that redirect, and any other by repeating it.
async fn redirecting() -> Server {
    serve(|it, _| {
        it.always(|request| {
            let path = request.split(' ').nth(1).unwrap();
            match path.trim_start_matches('/').split_once('?') {
                Some((status, location)) => redirect(status.parse().unwrap(), location),
                None => ok(request),
            }
        })
    })
    .await
}

async fn text(egress: &Egress, request: Request<Bytes>) -> Result<String, FetchError> {
    let answer = egress.fetch(Profile::Catalog, request, WAIT).await?;
    Ok(String::from_utf8(answer.into_body().to_vec()).unwrap())
}

fn with_credentials(url: &str) -> Request<Bytes> {
    Request::get(url)
        .header("authorization", "Bearer canary")
        .header("cookie", "canary")
        .header("x-api-key", "canary")
        .header("accept", "application/json")
        .body(Bytes::from_static(b"canary"))
        .unwrap()
}

#[tokio::test]
async fn follows_three_redirects_and_not_a_fourth() {
    let server = redirecting().await;
    let egress = egress(&server.plain());
    let seen = text(&egress, get(&server.url("/302?/303?/301?/end")))
        .await
        .unwrap();
    assert!(seen.starts_with("GET /end HTTP/1.1"), "{seen}");
    assert_eq!(server.count.requests(), 4);

    let error = text(&egress, get(&server.url("/302?/302?/307?/308?/end")))
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Redirect { .. }), "{error}");
    assert_eq!(server.count.requests(), 8);
}

#[tokio::test]
async fn leaves_a_loop() {
    let server = serve(|it, _| it.always(|_| redirect(302, "/again"))).await;
    let error = text(&egress(&server.plain()), get(&server.url("/")))
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Redirect { .. }), "{error}");
    assert_eq!(server.count.requests(), 4);
}

#[tokio::test]
async fn checks_each_hop_again() {
    let (first, second) = (redirecting().await, redirecting().await);
    let egress = egress(&first.plain());
    for location in [
        second.url("/end"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://169.254.169.254/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://[::ffff:127.0.0.1]/".to_owned(),
        "http://example.com/".to_owned(),
        "ftp://example.com/".to_owned(),
        "https://user:word@example.com/".to_owned(),
        format!("https://localhost:{}/", second.port),
        "//10.0.0.1/".to_owned(),
        "https://".to_owned(),
    ] {
        for hops in ["/302?", "/302?/302?"] {
            let error = text(&egress, get(&first.url(&format!("{hops}{location}"))))
                .await
                .unwrap_err();
            assert!(
                matches!(error, FetchError::Redirect { .. }),
                "{location}: {error}"
            );
            assert!(!error.never_sent(), "the first server has seen the request");
        }
    }
    assert_eq!(second.count.connections(), 0);
}

#[tokio::test]
async fn takes_credentials_along_within_an_origin() {
    let server = redirecting().await;
    let request = with_credentials(&server.url("/302?/end"));
    let seen = text(&egress(&server.plain()), request).await.unwrap();
    assert!(seen.contains("authorization: Bearer canary"), "{seen}");
}

#[tokio::test]
async fn takes_neither_credentials_nor_a_body_to_another_origin() {
    let (first, second) = (redirecting().await, redirecting().await);
    let allow = format!(
        "{},{},http://localhost:{}",
        first.plain(),
        second.plain(),
        first.port
    );
    let egress = egress(&allow);
    let back = format!("http://localhost:{}/end", first.port);
    for location in [
        second.url("/end"),
        // The same listener under another name is another origin.
        back.clone(),
        // What was dropped on the way out does not come back on the way home.
        second.url(&format!("/302?{}", first.url("/end"))),
    ] {
        let request = with_credentials(&first.url(&format!("/302?{location}")));
        let seen = text(&egress, request).await.unwrap();
        assert!(!seen.contains("canary"), "{location}: {seen}");
        assert!(
            seen.contains("accept: application/json"),
            "{location}: {seen}"
        );
    }
}

#[tokio::test]
async fn redirects_nothing_but_a_get() {
    let server = redirecting().await;
    let egress = egress(&server.plain());
    for method in [
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::HEAD,
    ] {
        for status in [301, 302, 303, 307, 308] {
            let before = server.count.requests();
            let request = Request::builder()
                .method(method.clone())
                .uri(server.url(&format!("/{status}?/end")))
                .body(Bytes::new())
                .unwrap();
            let answer = egress.fetch(Profile::Catalog, request, WAIT).await.unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!(server.count.requests(), before + 1);
        }
    }
}

#[tokio::test]
async fn gives_what_only_looks_like_a_redirect_as_it_is() {
    for answer in [
        "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nlocation: /end\r\n\r\n",
        "HTTP/1.1 201 Created\r\nlocation: /end\r\ncontent-length: 0\r\n\r\n",
    ] {
        let server = serve(move |it, _| it.always(move |_| answer.to_owned())).await;
        text(&egress(&server.plain()), get(&server.url("/")))
            .await
            .unwrap();
        assert_eq!(server.count.requests(), 1);
    }
}

#[tokio::test]
async fn waits_for_all_redirects_together_as_long_as_for_one_head() {
    let server = serve(|mut it, _| async move {
        while it.request().await.is_some() {
            tokio::time::sleep(SHORT / 2).await;
            it.say(redirect(302, "/again")).await;
        }
    })
    .await;
    let wait = Wait {
        head: SHORT,
        ..WAIT
    };
    let error = egress(&server.plain())
        .fetch(Profile::Catalog, get(&server.url("/")), wait)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Timeout { .. }), "{error}");
}
