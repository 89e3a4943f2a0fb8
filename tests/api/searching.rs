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
