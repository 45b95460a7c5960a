//! Answers as they should be.

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use tokio::sync::oneshot;

use super::support::{WAIT, egress, get, ok, post, redirect, serve};
use crate::egress::Profile;

#[tokio::test]
async fn keeps_a_connection_for_the_next_request() {
    let server = serve(|it, _| it.always(|_| ok("hello"))).await;
    let egress = egress(&server.plain());
    for _ in 0..3 {
        let answer = egress
            .fetch(Profile::Catalog, post(&server.url("/")), WAIT)
            .await;
        assert_eq!(answer.unwrap().into_body(), "hello");
    }
    assert_eq!(
        (server.count.connections(), server.count.requests()),
        (1, 3)
    );
}

#[tokio::test]
async fn says_itself_to_whom_it_speaks_and_asks_for_no_compression() {
    let server = serve(|it, _| it.always(ok)).await;
    let egress = egress(&server.plain());
    let request = Request::get(server.url("/path?query"))
        .header("host", "somebody.else")
        .header("accept-encoding", "gzip")
        .header("x-kept", "yes")
        .body(Bytes::new())
        .unwrap();
    let answer = egress.fetch(Profile::Catalog, request, WAIT).await.unwrap();
    let seen = String::from_utf8(answer.into_body().to_vec()).unwrap();
    let expected = format!(
        "GET /path?query HTTP/1.1\r\nx-kept: yes\r\nhost: 127.0.0.1:{}\r\n\r\n",
        server.port
    );
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn gives_a_body_as_it_arrives() {
    let (go_on, wait) = oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let server = serve(move |mut it, _| {
        let wait = wait.lock().unwrap().take();
        async move {
            it.request().await;
            it.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
                .await;
            wait.unwrap().await.unwrap();
            it.say("3\r\ntwo\r\n0\r\n\r\n").await;
        }
    })
    .await;
    let egress = egress(&server.plain());
    let url = server.url("/");
    let target = egress.target(Profile::Catalog, &url).unwrap();
    let answer = egress.send(&target, get(&url), WAIT.head).await.unwrap();
    let mut body = answer.into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "one"
    );
    go_on.send(()).unwrap();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "two");
}

#[tokio::test]
async fn gives_a_redirect_as_it_is_to_who_sends() {
    let server = serve(|it, _| it.always(|_| redirect(302, "/elsewhere"))).await;
    let egress = egress(&server.plain());
    let url = server.url("/");
    let target = egress.target(Profile::Catalog, &url).unwrap();
    let answer = egress.send(&target, get(&url), WAIT.head).await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(server.count.requests(), 1);
}
