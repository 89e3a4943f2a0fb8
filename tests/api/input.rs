//! Invalid input outside of bodies, spaces and event types.

use http::Method;
use serde_json::json;

use super::{TestApi, assert_problem};

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_are_problems() {
    let api = TestApi::start().await;
    for path in ["/", "/v1", "/v1/nothing", "/v2/spaces", "/v1/spaces/crm/nothing", "/v1/spaces/"] {
        let answer = api.admin.send_unchecked(Method::GET, path, None, Vec::new()).await;
        assert_problem(&answer, 404, "route_unknown", None);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    let answer = api.admin.send_unchecked(Method::PUT, "/v1/spaces", None, Vec::new()).await;
    assert_problem(&answer, 405, "method_not_allowed", None);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert!(answer.headers["allow"].contains("POST"), "{:?}", answer.headers);
}

#[tokio::test]
async fn a_wrong_content_type_is_a_problem_that_names_the_right_one() {
    let api = TestApi::start().await;
    for (path, right) in [
        ("/v1/spaces", "application/json"),
        ("/v1/spaces/crm/events", "application/x-ndjson"),
        ("/v1/spaces/crm/plugins", "application/wasm"),
        ("/v1/spaces/crm/subscriptions", "application/json"),
    ] {
        for content_type in [Some("text/plain"), None] {
            let answer = api.admin.send(Method::POST, path, content_type, b"{}".to_vec()).await;
            assert_problem(&answer, 415, "content_type_unsupported", None);
            assert!(answer.text.contains(right), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let api = TestApi::start().await;
    for (path, parameter) in [
        ("/v1/spaces?limit=0", "limit"),
        ("/v1/spaces?limit=201", "limit"),
        ("/v1/spaces?limit=x", "limit"),
        ("/v1/spaces?limit=1&limit=2", "limit"),
        ("/v1/spaces?page=2", "page"),
        ("/v1/spaces?cursor=A%20B", "cursor"),
        ("/v1/spaces/CRM", "space"),
        ("/v1/spaces/crm/subscriptions/sub_1", "subscription"),
        ("/v1/spaces/crm/subscriptions?cursor=dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E", "cursor"),
        ("/v1/spaces/crm/deliveries?state=lost", "state"),
        ("/v1/spaces/crm/deliveries?since=today", "since"),
        ("/v1/spaces/crm/deliveries?until=1", "until"),
        ("/v1/spaces/crm/deliveries?subscription=x", "subscription"),
        ("/v1/spaces/crm/deliveries?event=", "event"),
        ("/v1/spaces/crm/deliveries/sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E", "delivery"),
        ("/v1/spaces/crm/plugins/Zapier", "plugin"),
        ("/v1/spaces/crm/plugins/zapier/1", "version"),
    ] {
        let answer = api.admin.get(path).await;
        assert_problem(&answer, 400, "parameter_invalid", None);
        assert_eq!(answer.json()["parameter"], json!(parameter), "{path}");
    }
    let not_unicode = api.admin.get("/v1/spaces/%FF").await;
    assert_problem(&not_unicode, 400, "parameter_invalid", None);
}

#[tokio::test]
async fn a_space_is_created_once() {
    let api = TestApi::start().await;
    let made = api.admin.post("/v1/spaces", json!({"id": "a-1", "name": "Space ä"})).await.expect(201);
    assert_eq!(api.admin.get("/v1/spaces/a-1").await.expect(200), made);
    let again = api.admin.post("/v1/spaces", json!({"id": "a-1", "name": "Other"})).await;
    assert_problem(&again, 409, "space_exists", None);
    assert_eq!(api.admin.get("/v1/spaces/a-1").await.expect(200), made);
    for (body, field) in [
        (json!({"id": "A"}), "/id"),
        (json!({"name": "x"}), "/id"),
        (json!({"id": "b", "name": "x\ny"}), "/name"),
        (json!({"id": "b", "owner": "x"}), "/owner"),
    ] {
        let answer = api.admin.post("/v1/spaces", body).await;
        assert_eq!((answer.status, answer.json()["field"].as_str()), (422, Some(field)), "{}", answer.text);
    }
    assert_eq!(api.admin.get("/v1/spaces").await.expect(200)["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_event_type_is_created_replaced_and_deleted() {
    let api = TestApi::start().await;
    let path = "/v1/spaces/crm/event-types/lead.created";
    let schema = json!({"type": "object", "required": ["name"]});
    let body = json!({"description": "A new lead", "schema": schema, "example": {"name": "Zoë", "price": 12}});
    let made = api.admin.put(path, body).await.expect(200);
    assert_eq!(made["schema"], schema);
    for (body, field) in [
        (json!({"schema": {"type": "thing"}}), "/schema"),
        (json!({"schema": {"$ref": "https://example.com/schema"}}), "/schema"),
        (json!({"schema": {"required": ["name"]}, "example": {}}), "/example"),
        (json!({"schema": {"properties": {"a": {"type": "string"}}}, "example": {"a": 1}}), "/example/a"),
        (json!({"description": "x".repeat(2_001)}), "/description"),
        (json!({"descripton": "x"}), "/descripton"),
    ] {
        let answer = api.admin.put(path, body).await;
        assert_eq!((answer.status, answer.json()["field"].as_str()), (422, Some(field)), "{}", answer.text);
    }
    let listed = api.admin.get("/v1/spaces/crm/event-types").await.expect(200);
    assert_eq!(listed["data"], json!([made]));
    let replaced = api.admin.put(path, json!({"description": "Other"})).await.expect(200);
    assert_eq!((&replaced["description"], &replaced["schema"]), (&json!("Other"), &json!(null)));
    assert_eq!(api.admin.delete(path).await.status, 204);
    assert_problem(&api.admin.delete(path).await, 404, "not_found", None);
    assert_problem(&api.admin.put("/v1/spaces/crm/event-types/a..b", json!({})).await, 400, "parameter_invalid", None);
}

#[tokio::test]
async fn a_schema_that_would_take_for_ever_is_refused() {
    let api = TestApi::start().await;
    let mut levels = serde_json::Map::new();
    // The time doubles with each level.
    for level in 0..29 {
        let next = json!({"$ref": format!("#/$defs/{}", level + 1)});
        levels.insert(level.to_string(), json!({"anyOf": [next, next]}));
    }
    levels.insert("29".to_owned(), json!(false));
    let body = json!({"schema": {"$defs": levels, "$ref": "#/$defs/0"}, "example": 1});
    let answer = api.admin.put("/v1/spaces/crm/event-types/x", body).await;
    assert_problem(&answer, 422, "field_invalid", Some("/schema"));
}
