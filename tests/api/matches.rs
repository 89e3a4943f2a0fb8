//! Which subscriptions an event matches and why others do not, and which of the last events a new one would match.

use serde_json::{Value, json};

use super::{TestApi, assert_problem};

const EVENTS: &str = "/v1/spaces/crm/events";
const MATCH: &str = "/v1/spaces/crm/match";

/// Posts an event with this data, as text; returns the path of its matches.
async fn post(api: &TestApi, kind: &str, data: &str) -> String {
    let posted = api.admin.post_text(EVENTS, &format!(r#"{{"type":"{kind}","data":{data}}}"#)).await.expect(202);
    format!("{EVENTS}/{}/matches", posted["id"].as_str().unwrap())
}

/// Returns a page and its next cursor.
async fn page(api: &TestApi, path: &str) -> (Vec<Value>, Value) {
    let page = api.admin.get(path).await.expect(200);
    (page["data"].as_array().unwrap().clone(), page["next_cursor"].clone())
}

async fn subscribe(api: &TestApi, name: &str, mut members: Value) -> String {
    members["name"] = json!(name);
    api.subscribe(members).await["id"].as_str().unwrap().to_owned()
}

fn named<'a>(page: &'a [Value], name: &str) -> &'a Value {
    page.iter().find(|entry| entry["name"] == name).unwrap()
}

#[tokio::test]
async fn each_subscription_is_listed_with_the_reason_and_those_with_a_delivery_come_first() {
    let api = TestApi::start().await;
    let condition = |text: &str| json!({"event_types": ["deal.*"], "condition": text});
    subscribe(&api, "type", json!({"event_types": ["lead.*"]})).await;
    subscribe(&api, "trigger", json!({"trigger": {"fields": ["stage"]}})).await;
    subscribe(&api, "condition", condition("event.data.value > 1000 && event.type == 'deal.won'")).await;
    subscribe(&api, "failed", condition("event.data.nothing > 10")).await;
    let paused = subscribe(&api, "paused", json!({})).await;
    api.admin.post(&format!("/v1/spaces/crm/subscriptions/{paused}/pause"), json!({})).await.expect(200);
    let wanted = subscribe(&api, "wanted", condition("has(event.data.value)")).await;
    let matches = post(&api, "deal.won", r#"{"value": 12.50}"#).await;
    subscribe(&api, "later", json!({})).await;

    let (page, next) = page(&api, &matches).await;
    assert_eq!((page.len(), &next), (7, &Value::Null));
    assert_eq!(page[0]["subscription_id"], wanted);
    assert_eq!(page[0]["delivery_id"], api.deliveries().await[0].id.to_string());
    for (name, matched, reason, detail) in [
        ("wanted", true, "matches", None),
        ("type", false, "event_type", Some("the subscription selects `lead.*`")),
        ("trigger", false, "trigger", Some("no change fires the trigger")),
        ("condition", false, "condition", Some("the condition is false")),
        ("failed", false, "condition_failed", Some("the condition cannot be evaluated: ")),
        ("paused", false, "not_active", Some("the subscription is paused: the event would match if it were active")),
        ("later", true, "matches", None),
    ] {
        let entry = named(&page, name);
        assert_eq!((&entry["matched"], &entry["reason"]), (&json!(matched), &json!(reason)), "{entry}");
        let shown = entry["detail"].as_str();
        assert!(shown.zip(detail).map_or(shown == detail, |(shown, detail)| shown.starts_with(detail)), "{entry}");
        assert_eq!(entry["delivery_id"].is_null(), name != "wanted");
    }
    assert_eq!(named(&page, "paused")["state"], "paused");
    let seen = |path: &str, value: &str| {
        let value: Value = serde_json::from_str(value).unwrap();
        json!({"path": path, "value": value, "missing": value.is_null(), "cut": false})
    };
    let expected = json!([seen("event.data.value", "12.50"), seen("event.type", "\"deal.won\"")]);
    assert_eq!(named(&page, "condition")["saw"], expected);
    assert_eq!(named(&page, "condition")["saw"][0]["value"].to_string(), "12.50");
    assert_eq!(named(&page, "failed")["saw"], json!([seen("event.data.nothing", "null")]));
    assert_eq!(named(&page, "trigger")["saw"], json!([]));
}

#[tokio::test]
async fn what_a_condition_reads_is_shown_within_bounds_whatever_its_form() {
    let api = TestApi::start().await;
    let condition = "event.data['a b'][1].c == 3 && event.data.list.exists(x, x > event.data.least) \
        && size(event.data.long) > 1 && event.previous == null && event.changed_fields == [] && has(event.data.gone.x) \
        && event.data.wide.matches('^.$') && event.data.list.all(event, event.x > 1)";
    subscribe(&api, "all", json!({"condition": condition})).await;
    let (long, list) = ("ä".repeat(400), vec!["7"; 300].join(","));
    let data = format!(
        r#"{{"a b": [0, {{"c": 3.0}}], "list": [{list}], "least": -1, "long": "{long}", "gone": null, "wide": {{"y": 1}}}}"#
    );
    let (page, _) = page(&api, &post(&api, "deal.won", &data).await).await;
    let saw = page[0]["saw"].as_array().unwrap();
    let cut_list = format!("[{}…", "7,".repeat(300)).chars().take(500).collect::<String>() + "…";
    let whole = |path: &str, value: Value| json!({"path": path, "value": value, "missing": false, "cut": false});
    let expected = [
        whole("event.data[\"a b\"][1].c", serde_json::from_str("3.0").unwrap()),
        json!({"path": "event.data.list", "value": cut_list, "missing": false, "cut": true}),
        whole("event.data.least", json!(-1)),
        json!({"path": "event.data.long", "value": format!("{}…", "ä".repeat(250)), "missing": false, "cut": true}),
        whole("event.previous", Value::Null),
        whole("event.changed_fields", json!([])),
        json!({"path": "event.data.gone.x", "value": null, "missing": true, "cut": false}),
        whole("event.data.wide", json!({"y": 1})),
    ];
    assert_eq!(saw, &expected);

    let many: Vec<_> = (0..30).map(|n| format!("has(event.data.m{n})")).collect();
    let many = subscribe(&api, "many", json!({"condition": many.join(" && ")})).await;
    let (page, _) = super::matches::page(&api, &post(&api, "deal.won", "{}").await).await;
    let many = page.iter().find(|entry| entry["subscription_id"] == many).unwrap();
    assert_eq!(many["saw"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn pages_list_each_subscription_once_with_its_newest_delivery() {
    let api = TestApi::start().await;
    for number in 0..7 {
        let kind = if number % 2 == 0 { "deal.won" } else { "lead.created" };
        subscribe(&api, &number.to_string(), json!({"event_types": [kind]})).await;
    }
    let matches = post(&api, "deal.won", "1").await;
    let first = api.deliveries().await;
    let again = first[3].subscription_id;
    let gone = first[2].subscription_id;
    // A replay gives the event a second delivery to one of them.
    let replays = format!("/v1/spaces/crm/subscriptions/{again}/replays");
    api.admin.post(&replays, json!({"since": "2020-01-01T00:00:00Z"})).await.expect(201);
    hookmill_server::replay::run_once(&api.host).await.unwrap();
    let newest = api.deliveries().await;
    assert_eq!((first.len(), newest.len()), (4, 5));
    assert_eq!(api.admin.delete(&format!("/v1/spaces/crm/subscriptions/{gone}")).await.status, 204);

    for limit in [1, 2, 3, 200] {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let (page, next) = page(&api, &format!("{matches}?limit={limit}{cursor}")).await;
            assert!(page.len() <= limit);
            all.extend(page);
            let Some(next) = next.as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let names: Vec<_> = all.iter().map(|entry| entry["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["0", "6", "4", "1", "3", "5"], "{limit}");
        assert_eq!(all[0]["delivery_id"], newest[0].id.to_string());
    }
    for wrong in ["x", "sub_1", "dlv_"] {
        let answer = api.admin.get(&format!("{matches}?cursor={wrong}")).await;
        assert_problem(&answer, 400, "parameter_invalid", None);
    }
    assert_problem(&api.admin.get(&format!("{EVENTS}/nothing/matches")).await, 404, "not_found", None);
    api.with_role("read").await.get(&matches).await.expect(200);
    assert_eq!(api.with_role("produce").await.get(&matches).await.status, 403);
}

#[tokio::test]
async fn a_page_ends_before_its_conditions_take_long_and_the_next_one_goes_on() {
    let api = TestApi::start().await;
    let heavy = "event.data.l.all(x, x in event.data.l)";
    for number in 0..7 {
        subscribe(&api, &number.to_string(), json!({"condition": heavy})).await;
    }
    let list = (0..5_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let matches = post(&api, "deal.won", &format!(r#"{{"l":[{list}]}}"#)).await;
    let (first, next) = page(&api, &matches).await;
    assert!((1..7).contains(&first.len()), "{}", first.len());
    let detail =
        "the condition cannot be evaluated: the condition needs too much work or memory for an event of this size";
    assert!(first.iter().all(|entry| entry["detail"] == detail), "{first:?}");
    let (rest, end) = page(&api, &format!("{matches}?cursor={}", next.as_str().unwrap())).await;
    let names: Vec<_> = first.iter().chain(&rest).map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!((names.as_slice(), &end), (&["0", "1", "2", "3", "4", "5", "6"][..], &Value::Null));
    // Asking is not counted as failing.
    for _ in 0..5 {
        page(&api, &matches).await;
    }
    assert!(page(&api, &matches).await.0.iter().all(|entry| entry["state"] == "active"));
}

#[tokio::test]
async fn the_last_events_are_matched_before_a_subscription_is_saved() {
    let api = TestApi::start().await;
    assert_eq!(api.admin.post(MATCH, json!({"event_types": ["*"]})).await.expect(200), json!({"events": []}));
    for number in 0..25 {
        post(&api, "lead.created", &number.to_string()).await;
    }
    for data in ["{}", r#"{"value": 10}"#, r#"{"value": 2000}"#] {
        post(&api, "deal.won", data).await;
    }
    let changed = json!({"type": "deal.won", "data": {"value": 3000}, "changed_fields": ["value"]});
    api.admin.post(EVENTS, changed).await.expect(202);

    let ask = async |rule: Value| {
        let answer = api.admin.post(MATCH, rule).await.expect(200);
        let events = answer["events"].as_array().unwrap().clone();
        assert_eq!(events.len(), 20);
        events
    };
    let reasons = |events: &[Value]| -> Vec<String> {
        let first = events.iter().take(5).inspect(|event| assert_eq!(event["matches"], event["reason"] == "matches"));
        first.map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
    };
    let rule = json!({"event_types": ["deal.*"], "condition": "event.data.value > 1000"});
    let events = ask(rule).await;
    assert_eq!(reasons(&events), ["matches", "matches", "condition", "condition_failed", "event_type"]);
    assert_eq!((&events[0]["type"], &events[0]["detail"]), (&json!("deal.won"), &Value::Null));
    assert_eq!(events[2]["detail"], "the condition is false");
    assert_eq!(events[4]["detail"], "the subscription selects `deal.*`");
    let rule = json!({"event_types": ["deal.*"], "trigger": {"fields": ["value"]}});
    assert_eq!(reasons(&ask(rule).await), ["matches", "trigger", "trigger", "trigger", "event_type"]);
    let events = ask(json!({})).await;
    assert_eq!(reasons(&events), ["event_type"; 5]);
    assert_eq!(events[0]["detail"], "the subscription selects no event types");

    for (rule, field) in [
        (json!({"condition": "event.data.value >"}), "/condition"),
        (json!({"condition": "evnt.data"}), "/condition"),
        (json!({"trigger": {}}), "/trigger"),
        (json!({"event_types": ["a b"]}), "/event_types/0"),
        (json!({"event_types": vec!["a"; 101]}), "/event_types"),
    ] {
        let answer = api.admin.post(MATCH, rule.clone()).await;
        assert_problem(&answer, 422, "field_invalid", Some(field));
        let saved = api.admin.post("/v1/spaces/crm/subscriptions", super::subscription(rule)).await;
        assert_eq!(saved.json()["detail"], answer.json()["detail"], "as when it is saved");
    }
    api.with_role("read").await.post(MATCH, json!({})).await.expect(200);
    assert_eq!(api.with_role("produce").await.post(MATCH, json!({})).await.status, 403);
}
