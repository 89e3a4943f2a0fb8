//! Finding things by their ids and names.

use serde_json::{Value, json};

use super::{TestApi, assert_problem};

async fn find(api: &TestApi, q: &str) -> Vec<Value> {
    let found = api.admin.get(&format!("/v1/spaces/crm/find?q={q}")).await.expect(200);
    found["found"].as_array().unwrap().clone()
}

fn shown(found: &[Value]) -> Vec<[&str; 3]> {
    found.iter().map(|hit| ["kind", "label", "path"].map(|name| hit[name].as_str().unwrap())).collect()
}

#[tokio::test]
async fn every_id_is_found_with_the_path_of_its_resource() {
    let api = TestApi::start().await;
    let subscription = api.subscribe(json!({"name": "Leads"})).await["id"].as_str().unwrap().to_owned();
    let event = json!({"type": "lead.created", "data": 1});
    let made = api.admin.post("/v1/spaces/crm/events", event.clone()).await.expect(202)["id"].clone();
    let mut with_id = event;
    with_id["id"] = json!("order:4711~x");
    api.admin.post("/v1/spaces/crm/events", with_id).await.expect(202);
    let replays = format!("/v1/spaces/crm/subscriptions/{subscription}/replays");
    let replay = api.admin.post(&replays, json!({"since": "2020-01-01T00:00:00Z"})).await.expect(201)["id"].clone();
    let delivery = api.deliveries().await[0].id.to_string();
    for (id, kind, label, path) in [
        (made.as_str().unwrap(), "event", "lead.created", format!("events/{}", made.as_str().unwrap())),
        ("order:4711~x", "event", "lead.created", "events/order:4711~x".to_owned()),
        (&delivery, "delivery", "lead.created: pending", format!("deliveries/{delivery}")),
        (&subscription, "subscription", "Leads", format!("subscriptions/{subscription}")),
        (
            replay.as_str().unwrap(),
            "replay",
            &format!("replay of {subscription}"),
            format!("subscriptions/{subscription}/replays/{}", replay.as_str().unwrap()),
        ),
    ] {
        let found = find(&api, id).await;
        let path = format!("/v1/spaces/crm/{path}");
        assert_eq!(shown(&found), [[kind, label, path.as_str()]]);
        assert_eq!(found[0]["id"], id);
        api.admin.get(&path).await.expect(200);
    }
    let nothing: [[&str; 3]; 0] = [];
    assert_eq!(shown(&find(&api, &delivery[..20]).await), nothing, "only whole ids are found");
}

#[tokio::test]
async fn a_part_of_a_name_is_found_in_upper_and_lower_case() {
    let api = TestApi::start().await;
    api.admin.patch("/v1/spaces/crm", json!({"name": "ÖL Werke"})).await.expect(200);
    let id = api.subscribe(json!({"name": "Zum Ölwerk"})).await["id"].as_str().unwrap().to_owned();
    api.subscribe(json!({"name": "Other"})).await;
    let found = find(&api, "%C3%B6l").await;
    let path = format!("/v1/spaces/crm/subscriptions/{id}");
    assert_eq!(shown(&found), [["space", "ÖL Werke", "/v1/spaces/crm"], ["subscription", "Zum Ölwerk", &path]]);
    api.admin.put("/v1/spaces/crm/event-types/oil%2FZAP.done", json!({})).await.expect(200);
    let found = find(&api, "Zap").await;
    let [plugin, kind] = ["/v1/spaces/crm/plugins/zapier", "/v1/spaces/crm/event-types/oil%2FZAP.done"];
    assert!(shown(&found).contains(&["plugin", "zapier", plugin]), "{found:?}");
    assert!(shown(&found).contains(&["event_type", "oil/ZAP.done", kind]), "{found:?}");
    assert_eq!(api.admin.delete(kind).await.status, 204);
}

#[tokio::test]
async fn at_most_20_are_found_and_plugins_are_among_them_whatever_subscriptions_are_called() {
    let api = TestApi::start().await;
    for number in 0..30 {
        api.subscribe(json!({"name": format!("zapier {number}")})).await;
    }
    let found = find(&api, "zapier").await;
    assert_eq!(found.len(), 20);
    assert_eq!(found.iter().filter(|hit| hit["kind"] == "subscription").count(), 19);
    assert_eq!(found[0]["label"], "zapier 0");
}

#[tokio::test]
async fn another_space_finds_nothing_and_a_text_has_bounds() {
    let api = TestApi::start().await;
    let id = api.subscribe(json!({"name": "Prospects"})).await["id"].as_str().unwrap().to_owned();
    let event = json!({"type": "lead.created", "data": 1, "id": "order-1"});
    api.admin.post("/v1/spaces/crm/events", event).await.expect(202);
    let delivery = api.deliveries().await[0].id.to_string();
    api.admin.post("/v1/spaces", json!({"id": "other"})).await.expect(201);
    for text in ["order-1", &id, &delivery, "prospects", "crm"] {
        let found = api.admin.get(&format!("/v1/spaces/other/find?q={text}")).await.expect(200);
        assert_eq!(found, json!({"found": []}), "{text}");
    }
    assert_eq!(api.with_role("produce").await.get("/v1/spaces/crm/find?q=crm").await.status, 403);
    api.with_role("read").await.get("/v1/spaces/crm/find?q=crm").await.expect(200);
    let long = "x".repeat(201);
    for wrong in ["?q=", "?q=%20", &format!("?q={long}")] {
        let answer = api.admin.get(&format!("/v1/spaces/crm/find{wrong}")).await;
        assert_problem(&answer, 400, "parameter_invalid", None);
        assert_eq!(answer.json()["parameter"], "q");
    }
}
