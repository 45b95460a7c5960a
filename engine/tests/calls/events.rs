//! `GET /events`.

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures::StreamExt;
use serde_json::json;
use tokio::time::timeout;
use tower::ServiceExt;

use super::upstream::{SOON, Upstream, tool};
use super::world::World;

/// A client that reads event by event.
struct Client {
    body: BodyDataStream,
    text: String,
}

impl Client {
    async fn listen(world: &World, last: Option<&str>) -> Self {
        let request = Request::get("/events").header("x-engine-key", "current");
        let request = match last {
            Some(id) => request.header("last-event-id", id),
            None => request,
        };
        let request = request.body(Body::empty()).unwrap();
        let response = world.engine.api().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// Id, name and data of the next event; `None` at the end.
    async fn next(&mut self) -> Option<(String, String, serde_json::Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let lines = event.lines().filter_map(|line| line.split_once(": "));
                    let mut found = lines.filter(|(field, _)| *field == name);
                    found
                        .next()
                        .map(|(_, value)| value.to_owned())
                        .unwrap_or_default()
                };
                let event = (field("id"), field("event"), field("data"));
                let rest = rest.to_owned();
                self.text = rest;
                return Some((
                    event.0,
                    event.1,
                    serde_json::from_str(&event.2).unwrap_or_default(),
                ));
            }
            let chunk = timeout(SOON, self.body.next()).await.unwrap()?.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

#[tokio::test]
async fn a_client_hears_of_connections_and_tools_and_misses_nothing_when_it_comes_back() {
    let upstream = Upstream::start().await;
    let world = World::start(&[], &upstream.allowed(), &[]).await;
    super::world::write_entry(&world.catalog, &super::world::entry("notes", &upstream));
    assert_eq!(
        world
            .post("/admin/reload-catalog", json!(null))
            .await
            .status(),
        200
    );

    let mut client = Client::listen(&world, None).await;
    let ref_id = world.connect("notes").await.body()["ref_id"].clone();
    let (first, name, data) = client.next().await.unwrap();
    assert_eq!(name, "connection_connected");
    assert_eq!(
        (&data["ref_id"], &data["alias"], &data["status"]),
        (&ref_id, &json!("notes"), &json!("connected"))
    );
    world.tools().await;
    assert_eq!(client.next().await.unwrap().1, "tools_changed");
    drop(client);

    upstream.set_tools(vec![tool("new")]);
    let path = format!("/assets/connections/{}", ref_id.as_str().unwrap());
    assert!(
        world
            .request("DELETE", &path, None)
            .await
            .status()
            .is_success()
    );
    let mut client = Client::listen(&world, Some(&first)).await;
    assert_eq!(client.next().await.unwrap().1, "tools_changed");
    assert_eq!(client.next().await.unwrap().1, "connection_disconnected");
}

#[tokio::test]
async fn a_client_hears_which_servers_the_catalog_has_anew_and_no_more() {
    let upstream = Upstream::start().await;
    let world = World::start(&[], &upstream.allowed(), &[]).await;
    world.engine.app.assets.start();
    let mut client = Client::listen(&world, None).await;
    let reload = async || {
        let reloaded = world.post("/admin/reload-catalog", json!(null)).await;
        assert_eq!(reloaded.status(), 200);
    };
    // The first has nothing to tell.
    reload().await;
    for name in ["notes", "mail"] {
        super::world::write_entry(&world.catalog, &super::world::entry(name, &upstream));
        reload().await;
    }
    for (servers, changed) in [(1, "notes"), (2, "mail")] {
        let (_, name, data) = client.next().await.unwrap();
        assert_eq!(name, "catalog_changed");
        assert_eq!(
            data,
            json!({ "servers": servers, "changed": [changed], "changed_count": 1 })
        );
    }
}

#[tokio::test]
async fn a_foreign_id_is_answered_with_lagged_and_the_stop_ends_the_stream() {
    let world = World::connected(&[], &[]).await;
    for id in ["7-7", "nonsense", ""] {
        let mut client = Client::listen(&world, Some(id)).await;
        let (id, name, data) = client.next().await.unwrap();
        assert_eq!(
            (id.as_str(), name.as_str(), &data["missed"]),
            ("", "lagged", &json!(null))
        );
    }
    let mut client = Client::listen(&world, None).await;
    world.engine.app.assets.events.close();
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn more_clients_than_sixteen_are_refused_until_one_goes() {
    let world = World::connected(&[], &[]).await;
    let mut clients = Vec::new();
    for _ in 0..16 {
        clients.push(Client::listen(&world, None).await);
    }
    let refused = world.get("/events").await;
    assert_eq!(
        (refused.status().as_u16(), &refused.body()["error"]),
        (429, &json!("RATE_LIMITED"))
    );
    clients.pop();
    Client::listen(&world, None).await;
}
