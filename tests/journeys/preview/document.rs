//! Every answer of previews, comparisons and shadows is as the document says.

use hookmill_guests::ROGUE;
use http::Method;
use serde_json::json;

use crate::api::{TestApi, assert_problem};

#[tokio::test]
async fn the_document_knows_every_answer() {
    let api = TestApi::start().await;
    let made = api.admin.send(Method::POST, "/v1/spaces/crm/plugins", Some("application/wasm"), ROGUE.to_vec()).await;
    made.expect(201);
    let subscription = api.subscribe(json!({"plugin": {"name": "rogue", "config": "tell:json:signing"}})).await;
    let path = format!("/v1/spaces/crm/subscriptions/{}", subscription["id"].as_str().unwrap());
    let event = json!({"type": "deal.won", "data": {"n": 1}});
    api.admin.post("/v1/spaces/crm/events", event.clone()).await.expect(202);

    for config in ["tell:json:signing", "skip:no", "fail:no"] {
        let body = json!({"event": event, "config": config});
        api.admin.post(&format!("{path}/preview"), body.clone()).await.expect(200);
        api.admin.post("/v1/spaces/crm/plugins/rogue/preview", body).await.expect(200);
    }
    let other = json!({"config": "echo"});
    let compared = api.admin.post(&format!("{path}/compare"), other.clone()).await.expect(200);
    assert_eq!(compared["different"], 1);

    let shadow = format!("{path}/shadow");
    assert_problem(&api.admin.get(&shadow).await, 404, "not_found", None);
    assert_problem(&api.admin.delete(&shadow).await, 404, "not_found", None);
    let promote = format!("{shadow}/promote");
    let nothing = api.admin.send(Method::POST, &promote, None, Vec::new()).await;
    assert_problem(&nothing, 404, "not_found", None);
    api.admin.put(&shadow, other).await.expect(200);
    let shown = api.admin.get(&shadow).await.expect(200);
    assert_eq!((&shown["plugin"]["config"], &shown["runs"]), (&json!("echo"), &json!(0)));
    let whole = api.admin.get(&path).await.expect(200);
    assert_eq!(whole["shadow"], shown["plugin"]);
    api.admin.send(Method::POST, &promote, None, Vec::new()).await.expect(200);
    api.admin.put(&shadow, json!({"config": "skip:no"})).await.expect(200);
    assert_eq!(api.admin.delete(&shadow).await.status, 204);
    assert_problem(&api.admin.put(&shadow, json!({})).await, 422, "field_missing", Some(""));
}

#[tokio::test]
async fn a_shadow_is_read_by_readers_and_set_by_managers() {
    let api = TestApi::start().await;
    let made = api.subscribe(json!({})).await;
    let path = format!("/v1/spaces/crm/subscriptions/{}", made["id"].as_str().unwrap());
    let reader = api.with_role("read").await;
    assert_problem(&reader.get(&format!("{path}/shadow")).await, 404, "not_found", None);
    assert_problem(&reader.put(&format!("{path}/shadow"), json!({})).await, 403, "forbidden", None);
    assert_problem(&reader.delete(&format!("{path}/shadow")).await, 403, "forbidden", None);
    assert_problem(&reader.post(&format!("{path}/compare"), json!({})).await, 403, "forbidden", None);
}
