//! What can go wrong before a request is sent, and what is sent again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Barrier;

use super::support::{SHORT, WAIT, egress, get, hasty_egress, ok, post, serve};
use crate::egress::connect::first_of;
use crate::egress::{FetchError, Profile, Wait};

/// A port of loopback where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// A listener that takes no more connections: whoever connects waits. Holds what it needs for that.
struct Full {
    address: SocketAddr,
    _listener: TcpListener,
    _taken: Vec<TcpStream>,
}

async fn full() -> Full {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut taken = Vec::new();
    while let Ok(stream) = tokio::time::timeout(SHORT, TcpStream::connect(address)).await {
        taken.push(stream.unwrap());
    }
    Full {
        address,
        _listener: listener,
        _taken: taken,
    }
}

#[tokio::test]
async fn refused_is_never_sent() {
    let address = nobody().await;
    let egress = egress(&format!("http://{address}"));
    let error = egress
        .fetch(Profile::Catalog, post(&format!("http://{address}/")), WAIT)
        .await
        .unwrap_err();
    let FetchError::Connect { why, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(why, "connection refused");
    assert!(error.never_sent());
}

#[tokio::test]
async fn a_name_without_address_is_never_sent() {
    // Longer than a label may be (RFC 1035, 2.3.4): no resolver asks anybody for it.
    let name = format!("{}.invalid", "a".repeat(64));
    let egress = egress(&format!("http://{name}:80"));
    for scheme in ["http", "https"] {
        let request = post(&format!("{scheme}://{name}/"));
        let error = egress
            .fetch(Profile::Catalog, request, WAIT)
            .await
            .unwrap_err();
        assert_eq!(error, FetchError::Dns { host: name.clone() });
        assert!(error.never_sent());
    }
}

#[tokio::test]
async fn a_port_that_takes_nobody_is_never_sent() {
    let full = full().await;
    let allow = format!("http://{}", full.address);
    let egress = hasty_egress(&[("EGRESS_ALLOW", &allow)]);
    let request = post(&format!("http://{}/", full.address));
    let error = egress
        .fetch(Profile::Catalog, request, WAIT)
        .await
        .unwrap_err();
    let FetchError::Connect { why, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(why, "timed out");
    assert!(error.never_sent());
}

#[tokio::test]
async fn a_wait_that_ends_while_connecting_is_never_sent() {
    let full = full().await;
    let egress = egress(&format!("http://{}", full.address));
    let request = post(&format!("http://{}/", full.address));
    let wait = Wait {
        head: Duration::from_millis(20),
        ..WAIT
    };
    let error = egress
        .fetch(Profile::Catalog, request, wait)
        .await
        .unwrap_err();
    assert!(error.never_sent(), "{error}");
}

#[tokio::test]
async fn takes_the_first_address_that_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let good = listener.local_addr().unwrap();
    let (full, nobody) = (full().await, nobody().await);
    let long = Duration::from_mins(1);
    for (addresses, head_start) in [
        (vec![good], long),
        (vec![nobody, good], long),
        (vec![nobody, nobody, good], long),
        (vec![full.address, good], SHORT),
        (vec![full.address, nobody, good], SHORT),
    ] {
        let started = Instant::now();
        let stream = first_of(addresses.clone(), head_start).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert!(
            started.elapsed() < WAIT.head,
            "{addresses:?}: {:?}",
            started.elapsed()
        );
    }
    let error = first_of(vec![nobody, nobody], long).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

/// `localhost` is a name like any other: what counts is where it points.
#[tokio::test]
async fn a_name_that_points_to_loopback_is_refused_unless_listed() {
    let server = serve(|it, _| it.always(|_| ok("hello"))).await;
    let (url, port) = (format!("https://localhost:{}/", server.port), server.port);
    let other = port.wrapping_add(1).max(1024);
    for allow in [
        String::new(),
        format!("localhost:{other}"),
        format!("127.0.0.1:{port}"),
    ] {
        for profile in [Profile::Catalog, Profile::Untrusted] {
            let error = egress(&allow)
                .fetch(profile, get(&url), WAIT)
                .await
                .unwrap_err();
            let FetchError::Forbidden { host, why } = &error else {
                panic!("{error}")
            };
            assert_eq!(host, "localhost");
            assert!(why.contains("loopback"), "{why}");
            assert_eq!(
                why.contains("EGRESS_ALLOW opens it"),
                profile == Profile::Catalog,
                "{why}"
            );
            assert!(error.never_sent());
        }
    }
    assert_eq!(server.count.connections(), 0);

    let allow = format!("http://localhost:{port}");
    let plain = format!("http://localhost:{port}/");
    let answer = egress(&allow)
        .fetch(Profile::Catalog, get(&plain), WAIT)
        .await;
    assert_eq!(answer.unwrap().into_body(), "hello");
    let error = egress(&allow)
        .fetch(Profile::Untrusted, get(&plain), WAIT)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Forbidden { .. }), "{error}");
}

#[tokio::test]
async fn a_request_that_a_stale_connection_gave_back_goes_out_on_another() {
    // Each connection is good for one answer, and does not say so.
    let server = serve(|mut it, _| async move {
        if it.request().await.is_some() {
            it.say(ok("hello")).await;
        }
    })
    .await;
    let egress = egress(&server.plain());
    let (mut answered, mut broken) = (0, 0);
    for _ in 0..100 {
        match egress
            .fetch(Profile::Catalog, post(&server.url("/")), WAIT)
            .await
        {
            Ok(_) => answered += 1,
            // Written while the other side was closing: nobody can know, so nobody repeats it.
            Err(FetchError::Broken { .. }) => broken += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(server.count.requests(), answered, "{broken} broken");
    assert!(answered >= 50, "{answered} answered, {broken} broken");
}

#[tokio::test]
async fn eight_callers_at_once_use_their_connections_again() {
    let all_here = Arc::new(Barrier::new(8));
    let server = serve(move |mut it, _| {
        let all_here = all_here.clone();
        async move {
            while it.request().await.is_some() {
                all_here.wait().await;
                it.say(ok("hello")).await;
            }
        }
    })
    .await;
    let egress = egress(&server.plain());
    for _ in 0..10 {
        let calls = (0..8).map(|_| egress.fetch(Profile::Catalog, post(&server.url("/")), WAIT));
        for answer in join_all(calls).await {
            answer.unwrap();
        }
    }
    assert_eq!(server.count.requests(), 80);
    // One that is not back yet when the next round begins is replaced, and kept as well.
    let connections = server.count.connections();
    assert!((8..=16).contains(&connections), "{connections}");
}

#[tokio::test]
async fn a_post_whose_connection_breaks_arrives_once() {
    for good_before in [0, 1, 3] {
        for by_reset in [false, true] {
            let server = serve(move |mut it, number| async move {
                for _ in 0..good_before {
                    it.request().await;
                    it.say(ok("hello")).await;
                }
                it.request().await;
                if by_reset && number == 0 {
                    it.reset();
                }
            })
            .await;
            let egress = egress(&server.plain());
            let post = || egress.fetch(Profile::Catalog, post(&server.url("/")), WAIT);
            for _ in 0..good_before {
                post().await.unwrap();
            }
            let error = post().await.unwrap_err();
            assert!(matches!(error, FetchError::Broken { .. }), "{error}");
            assert!(!error.never_sent());
            assert_eq!(server.count.requests(), good_before + 1);
            assert_eq!(server.count.connections(), 1);
        }
    }
}

#[tokio::test]
async fn a_connection_closed_as_soon_as_it_stands_says_truly_whether_the_request_went_out() {
    let server = serve(|it, _| async move { it.reset() }).await;
    let egress = egress(&server.plain());
    for _ in 0..50 {
        let error = egress
            .fetch(Profile::Catalog, post(&server.url("/")), WAIT)
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                FetchError::Broken { .. } | FetchError::Connect { .. }
            ),
            "{error}"
        );
    }
    assert_eq!(server.count.requests(), 0);
    assert_eq!(server.count.connections(), 50);
}
