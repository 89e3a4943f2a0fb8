//! Every answer of previews and comparisons is as the document says.

use hookmill_guests::ROGUE;
use http::Method;
use serde_json::json;

use crate::api::TestApi;

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
}
