//! Authorization.

use http::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::{TestApi, assert_problem, subscription};

/// Statuses of one request for each kind of permission: read, produce, manage, administer.
async fn may(client: &Client, space: &str) -> [u16; 4] {
    let base = format!("/v1/spaces/{space}");
    let event = json!({"type": "lead.created", "data": 1});
    [
        client.get(&format!("{base}/subscriptions")).await.status,
        client.post(&format!("{base}/events"), event).await.status,
        client.put(&format!("{base}/event-types/lead.created"), json!({})).await.status,
        client.get("/v1/keys").await.status,
    ]
}

#[tokio::test]
async fn each_role_may_do_its_own_and_no_more() {
    let api = TestApi::start().await;
    assert_eq!(may(&api.admin, "crm").await, [200, 202, 200, 200]);
    assert_eq!(may(&api.with_role("manage").await, "crm").await, [200, 202, 200, 403]);
    assert_eq!(may(&api.with_role("produce").await, "crm").await, [403, 202, 403, 403]);
    assert_eq!(may(&api.with_role("read").await, "crm").await, [200, 403, 403, 403]);
    assert_eq!(may(&api.admin.without_key(), "crm").await, [401; 4]);
}

#[tokio::test]
async fn a_space_key_reveals_nothing_about_other_spaces() {
    let api = TestApi::start().await;
    api.admin.post("/v1/spaces", json!({"id": "other"})).await.expect(201);
    let manager = api.with_role("manage").await;
    let there = manager.get("/v1/spaces/other/subscriptions").await;
    let not_there = manager.get("/v1/spaces/nowhere/subscriptions").await;
    assert_problem(&there, 403, "forbidden", None);
    assert_eq!(there.text, not_there.text);
    assert_problem(&api.admin.get("/v1/spaces/nowhere/subscriptions").await, 404, "not_found", None);
}

#[tokio::test]
async fn a_wrong_key_gets_the_same_response_as_none() {
    let api = TestApi::start().await;
    let made = api.admin.post("/v1/keys", json!({"name": "x", "role": "admin"})).await.expect(201);
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("hmk_") && made["space"] == Value::Null, "{made}");
    let mut other_secret = key.to_owned();
    other_secret.replace_range(key.len() - 1.., if key.ends_with('A') { "B" } else { "A" });
    let refused = api.admin.without_key().get("/v1/spaces").await;
    assert_problem(&refused, 401, "unauthenticated", None);
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
    for wrong in [other_secret.as_str(), "hmk_", "hmk_x_y", "", &key.replace("hmk_", ""), &key[..30]] {
        let answer = api.admin.with_key(wrong).get("/v1/spaces").await;
        assert_eq!((answer.status, answer.text), (401, refused.text.clone()), "{wrong}");
    }
    api.admin.with_key(key).get("/v1/spaces").await.expect(200);
}

#[tokio::test]
async fn a_deleted_key_stops_working_at_once() {
    let api = TestApi::start().await;
    let made = api.admin.post("/v1/keys", json!({"name": "x", "role": "read", "space": "crm"})).await.expect(201);
    let reader = api.admin.with_key(made["key"].as_str().unwrap());
    reader.get("/v1/spaces/crm").await.expect(200);
    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    assert_eq!(api.admin.delete(&path).await.status, 204);
    assert_eq!(reader.get("/v1/spaces/crm").await.status, 401);
    assert_problem(&api.admin.delete(&path).await, 404, "not_found", None);
    assert_eq!(api.host.store.keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_last_admin_key_stays() {
    let api = TestApi::start().await;
    let keys = api.admin.get("/v1/keys").await.expect(200);
    let path = format!("/v1/keys/{}", keys["data"][0]["id"].as_str().unwrap());
    assert_problem(&api.admin.delete(&path).await, 409, "last_admin_key", None);
    let made = api.admin.post("/v1/keys", json!({"name": "second", "role": "admin"})).await.expect(201);
    assert_eq!(api.admin.with_key(made["key"].as_str().unwrap()).delete(&path).await.status, 204);
}

#[tokio::test]
async fn keys_are_kept_as_hashes_and_shown_once() {
    let api = TestApi::start().await;
    let made = api.admin.post("/v1/keys", json!({"name": "x", "role": "read", "space": "crm"})).await.expect(201);
    let secret = made["key"].as_str().unwrap().splitn(3, '_').nth(2).unwrap().to_owned();
    let listed = api.admin.get("/v1/keys").await;
    assert!(!listed.text.contains(&secret) && !listed.text.contains("hmk_"), "{}", listed.text);
    let kept = std::fs::read(api.host.config.data_dir.join("hookmill.db")).unwrap();
    let log = std::fs::read(api.host.config.data_dir.join("hookmill.db-wal")).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&kept).contains(&secret) && !String::from_utf8_lossy(&log).contains(&secret));
}

#[tokio::test]
async fn the_first_admin_key_is_made_once_and_keys_outlive_a_restart() {
    let api = TestApi::start().await;
    assert_eq!(hookmill_server::keys::first_admin_key(&*api.host.store, api.host.clock.now()).await.unwrap(), None);
    // The new router loads keys and spaces again, as after a restart.
    let router = hookmill_api::router(api.host.clone()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let manager = api.with_role("manage").await;
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let again = Client::connect(address, api.admin.key()).await;
    again.get("/v1/spaces/crm/subscriptions").await.expect(200);
    // Created after the second router loaded its keys, so it must refuse this one.
    assert_eq!(again.with_key(manager.key()).get("/v1/spaces/crm").await.status, 401);
    server.abort();
}

#[tokio::test]
async fn a_key_of_the_wrong_shape_is_refused_and_not_made() {
    let api = TestApi::start().await;
    for (body, field) in [
        (json!({"name": "x", "role": "admin", "space": "crm"}), "/space"),
        (json!({"name": "x", "role": "read"}), "/space"),
        (json!({"name": "x", "role": "read", "space": "nowhere"}), "/space"),
        (json!({"name": "x", "role": "owner", "space": "crm"}), "/role"),
        (json!({"name": " ", "role": "admin"}), "/name"),
    ] {
        let answer = api.admin.post("/v1/keys", body).await;
        assert_eq!((answer.status, answer.json()["field"].as_str()), (422, Some(field)), "{}", answer.text);
    }
    assert_eq!(api.host.store.keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_is_not_read_without_permission() {
    let api = TestApi::start().await;
    let reader = api.with_role("read").await;
    let wrong = reader.post_text("/v1/spaces/crm/subscriptions", "no json").await;
    assert_problem(&wrong, 403, "forbidden", None);
    let answer = reader.post("/v1/spaces/crm/subscriptions", subscription(json!({}))).await;
    assert_problem(&answer, 403, "forbidden", None);
    let type_wrong = reader.send(Method::POST, "/v1/spaces/crm/events", Some("text/plain"), b"x".to_vec()).await;
    assert_problem(&type_wrong, 403, "forbidden", None);
}
