//! Searching history: parameters of listings, and counts.

use serde_json::json;

use super::{TestApi, assert_problem};

/// Asserts that a query is refused, naming the parameter and what would be right.
async fn assert_refused(api: &TestApi, path: &str, parameter: &str, expected: &str) {
    let answer = api.admin.get(&format!("/v1/spaces/crm/{path}")).await;
    assert_problem(&answer, 400, "parameter_invalid", None);
    let problem = answer.json();
    assert_eq!(problem["parameter"], parameter, "{path}: {}", answer.text);
    assert!(problem["detail"].as_str().unwrap().contains(expected), "{path}: {}", answer.text);
}

#[tokio::test]
async fn deliveries_are_filtered_by_the_failure_of_their_last_attempt() {
    let api = TestApi::start().await;
    api.subscribe(json!({})).await;
    for query in ["status=503", "status=5xx", "fault=timeout", "reason=refused", "status=5xx&state=failed&reason=a%20b"]
    {
        let found = api.admin.get(&format!("/v1/spaces/crm/deliveries?{query}")).await.expect(200);
        assert_eq!(found, json!({"data": [], "next_cursor": null}), "{query}");
    }
}

#[tokio::test]
async fn a_wrong_filter_is_refused_with_what_is_right() {
    let api = TestApi::start().await;
    for status in ["50", "5x", "0xx", "5XX", "1000", "ok", ""] {
        assert_refused(&api, &format!("deliveries?status={status}"), "status", "a class such as `5xx`").await;
    }
    assert_refused(&api, "deliveries?fault=refused", "fault", "`address_refused`").await;
    assert_refused(&api, "deliveries?reason=", "reason", "1 to 200 characters").await;
    assert_refused(&api, &format!("deliveries?reason={}", "a".repeat(201)), "reason", "1 to 200 characters").await;
    assert_refused(&api, "deliveries?status=503&fault=dns", "fault", "without `status`").await;
}

#[tokio::test]
async fn counts_are_of_a_day_of_hours_unless_the_caller_says_otherwise() {
    let api = TestApi::start().await;
    let subscription = api.subscribe(json!({"delay_s": 60})).await;
    api.admin.post("/v1/spaces/crm/events", json!({"type": "lead.created", "data": 1})).await.expect(202);
    let none = api.admin.get("/v1/spaces/crm/counts").await.expect(200);
    assert_eq!(none, json!({"steps": []}));
    let delivery = api.deliveries().await[0].id;
    api.admin.post_text(&format!("/v1/spaces/crm/deliveries/{delivery}/cancel"), "").await.expect(200);
    let id = subscription["id"].as_str().unwrap();
    for query in ["", "?step=minute", "?step=hour", &format!("?subscription_id={id}&step=minute")] {
        let counts = api.admin.get(&format!("/v1/spaces/crm/counts{query}")).await.expect(200);
        let step = &counts["steps"][0];
        assert_eq!((&step["cancelled"], &step["delivered"]), (&json!(1), &json!(0)), "{query}: {counts}");
    }
    let before = api.admin.get("/v1/spaces/crm/counts?until=2026-01-01T00:00:00Z").await.expect(200);
    assert_eq!(before, none);
}

#[tokio::test]
async fn counts_have_a_bounded_number_of_steps() {
    let api = TestApi::start().await;
    let day = "since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z";
    api.admin.get(&format!("/v1/spaces/crm/counts?step=minute&{day}")).await.expect(200);
    let long = "counts?since=2026-01-01T00:00:00Z&until=2026-03-03T00:00:00Z";
    assert_refused(&api, &format!("{long}&step=minute"), "since", "at most 1440 minutes before `until`").await;
    assert_refused(&api, long, "since", "at most 1440 hours before `until`").await;
    let none = "counts?since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z";
    assert_refused(&api, none, "since", "before `until`").await;
    assert_refused(&api, "counts?step=day", "step", "`minute` or `hour`").await;
}

async fn found(api: &TestApi, list: &str, query: &str) -> Vec<String> {
    let page = api.admin.get(&format!("/v1/spaces/crm/{list}?{query}")).await.expect(200);
    let entries = page["data"].as_array().unwrap().iter();
    let name = if list == "events" { "id" } else { "event_id" };
    entries.map(|entry| entry[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn events_and_deliveries_are_found_by_a_value_at_an_indexed_path() {
    let api = TestApi::start().await;
    api.subscribe(json!({"delay_s": 60})).await;
    let post = async |id: &str, data| {
        api.admin.post("/v1/spaces/crm/events", json!({"id": id, "type": "deal.won", "data": data})).await.expect(202);
    };
    post("before", json!({"deal": {"id": 7}})).await;
    let paths = json!(["deal.id", "contact.email"]);
    let changed = api.admin.patch("/v1/spaces/crm", json!({"indexed_paths": paths})).await.expect(200);
    assert_eq!(changed["indexed_paths"], paths);
    post("number", json!({"deal": {"id": 7}})).await;
    post("text", json!({"deal": {"id": "7"}, "contact": {"email": "ada@example.com"}})).await;
    post("long", json!({"deal": {"id": "x".repeat(257)}})).await;
    post("other", json!({"deal": 7})).await;
    for list in ["events", "deliveries"] {
        assert_eq!(found(&api, list, "path=deal.id&value=7").await, ["text", "number"]);
        assert_eq!(found(&api, list, "path=contact.email&value=ada%40example.com").await, ["text"]);
        assert_eq!(found(&api, list, "path=deal.id&value=8").await, [""; 0]);
    }
    assert_eq!(found(&api, "deliveries", "path=deal.id&value=7&state=pending&event=number").await, ["number"]);
    // What the space no longer indexes is not searched, and its new events are not indexed.
    api.admin.patch("/v1/spaces/crm", json!({"indexed_paths": ["contact.email"]})).await.expect(200);
    post("after", json!({"deal": {"id": 7}})).await;
    assert_refused(&api, "events?path=deal.id&value=7", "path", "expected one of `contact.email`").await;
    api.admin.patch("/v1/spaces/crm", json!({"indexed_paths": ["deal.id"]})).await.expect(200);
    assert_eq!(found(&api, "events", "path=deal.id&value=7").await, ["text", "number"]);
    let none = api.admin.patch("/v1/spaces/crm", json!({"indexed_paths": null})).await.expect(200);
    assert_eq!(none["indexed_paths"], json!([]));
}

#[tokio::test]
async fn a_path_that_is_not_indexed_is_refused_and_those_that_are_are_named() {
    let api = TestApi::start().await;
    for list in ["events", "deliveries"] {
        assert_refused(&api, &format!("{list}?path=deal.id&value=7"), "path", "`indexed_paths`").await;
        assert_refused(&api, &format!("{list}?path=deal.id"), "value", "with `path`").await;
        assert_refused(&api, &format!("{list}?value=7"), "path", "with `value`").await;
        assert_refused(&api, &format!("{list}?path=deal..id&value=7"), "path", "joined by dots").await;
        let long = "x".repeat(257);
        assert_refused(&api, &format!("{list}?path=deal.id&value={long}"), "value", "at most 256 bytes").await;
    }
    api.admin.patch("/v1/spaces/crm", json!({"indexed_paths": ["deal.id", "n"]})).await.expect(200);
    assert_refused(&api, "events?path=deal.name&value=7", "path", "expected one of `deal.id`, `n`").await;
}

#[tokio::test]
async fn a_space_indexes_at_most_five_different_paths() {
    let api = TestApi::start().await;
    let patch = async |paths| api.admin.patch("/v1/spaces/crm", json!({"indexed_paths": paths})).await;
    patch(json!(["a", "b", "c", "d", "e"])).await.expect(200);
    let many = patch(json!(["a", "b", "c", "d", "e", "f"])).await;
    assert_problem(&many, 422, "field_invalid", Some("/indexed_paths"));
    let twice = patch(json!(["a", "b", "a"])).await;
    assert_problem(&twice, 422, "field_invalid", Some("/indexed_paths/2"));
    let wrong = patch(json!(["a", "b."])).await;
    assert_problem(&wrong, 422, "field_invalid", Some("/indexed_paths/1"));
    assert_eq!(api.admin.get("/v1/spaces/crm").await.expect(200)["indexed_paths"], json!(["a", "b", "c", "d", "e"]));
    let created = api.admin.post("/v1/spaces", json!({"id": "new", "indexed_paths": ["deal.id"]})).await.expect(201);
    assert_eq!(created["indexed_paths"], json!(["deal.id"]));
}
