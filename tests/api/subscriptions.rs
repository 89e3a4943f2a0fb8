//! Subscriptions: creating, changing, pausing, testing, and their secrets.

use std::collections::BTreeSet;

use hookmill_model::{SpaceId, Subscription};
use http::Method;
use serde_json::{Value, json};

use super::{TestApi, assert_problem, subscription};

const SUBSCRIPTIONS: &str = "/v1/spaces/crm/subscriptions";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn path(subscription: &Value) -> String {
    format!("{SUBSCRIPTIONS}/{}", subscription["id"].as_str().unwrap())
}

/// The single subscription, as stored.
async fn kept(api: &TestApi) -> Subscription {
    let space = SpaceId::parse("crm").unwrap();
    let mut all = api.host.store.subscriptions(Some(&space), None, 10).await.unwrap().entries;
    assert_eq!(all.len(), 1);
    all.remove(0).0
}

#[tokio::test]
async fn omitted_members_have_their_defaults() {
    let api = TestApi::start().await;
    let made = api.subscribe(json!({})).await;
    let expected = json!({
        "description": "", "method": "POST", "event_types": ["*"], "condition": null,
        "fields": {"include": [], "exclude": []}, "content_type": "application/json", "headers": [], "delay_s": 0,
        "plugin": null, "secrets": ["***"], "timeout_ms": 15_000, "success_codes": "2xx",
        "retry": {"schedule_s": [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400], "jitter_percent": 10},
        "state": "active", "pause_reason": null, "failure_streak": 0, "last_triggered_at": null, "space": "crm",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&made[name], value, "{name}");
    }
    assert_eq!(api.admin.get(&path(&made)).await.expect(200), made);
    let nulls = json!({"method": null, "retry": null, "fields": {"include": null}, "plugin": null, "headers": null});
    api.subscribe(nulls).await;
}

#[tokio::test]
async fn every_wrong_member_is_named_and_nothing_is_created() {
    let api = TestApi::start().await;
    let header = |name: &str, value: &str| json!([{"name": name, "value": value}]);
    for (members, code, field) in [
        (json!({"name": null}), "field_missing", "/name"),
        (json!({"name": ""}), "field_invalid", "/name"),
        (json!({"name": "x".repeat(201)}), "field_invalid", "/name"),
        (json!({"name": 7}), "field_invalid", "/name"),
        (json!({"description": "x".repeat(2_001)}), "field_invalid", "/description"),
        (json!({"url": null}), "field_missing", "/url"),
        (json!({"url": "ftp://example.com"}), "field_invalid", "/url"),
        (json!({"url": "https://user:pass@example.com"}), "field_invalid", "/url"),
        (json!({"url": "https://example.com/#top"}), "field_invalid", "/url"),
        (json!({"method": "DELETE"}), "field_invalid", "/method"),
        (json!({"event_types": null}), "field_missing", "/event_types"),
        (json!({"event_types": []}), "field_invalid", "/event_types"),
        (json!({"event_types": vec!["a"; 101]}), "field_invalid", "/event_types"),
        (json!({"event_types": ["a", "*.b"]}), "field_invalid", "/event_types/1"),
        (json!({"condition": "event.data.value >"}), "field_invalid", "/condition"),
        (json!({"condition": "secrets.x == 1"}), "field_invalid", "/condition"),
        (json!({"fields": {"include": ["$.a", "b["]}}), "field_invalid", "/fields/include/1"),
        (json!({"fields": {"exclude": ["b["]}}), "field_invalid", "/fields/exclude/0"),
        (json!({"fields": {"only": []}}), "field_unknown", "/fields/only"),
        (json!({"content_type": "text/html"}), "field_invalid", "/content_type"),
        (json!({"headers": header("Content-Length", "1")}), "field_invalid", "/headers/0/name"),
        (json!({"headers": header("webhook-id", "1")}), "field_invalid", "/headers/0/name"),
        (json!({"headers": header("x y", "1")}), "field_invalid", "/headers/0/name"),
        (json!({"headers": header("x", "a\r\nb: c")}), "field_invalid", "/headers/0/value"),
        (json!({"headers": header("x", "***")}), "field_invalid", "/headers/0/value"),
        (
            json!({"headers": [{"name": "a", "value": ""}, {"name": "A", "value": ""}]}),
            "field_invalid",
            "/headers/1/name",
        ),
        (json!({"headers": [{"name": "a"}]}), "field_missing", "/headers/0/value"),
        (json!({"headers": vec![json!({"name": "a", "value": ""}); 51]}), "field_invalid", "/headers"),
        (json!({"delay_s": 2_592_001}), "field_invalid", "/delay_s"),
        (json!({"delay_s": -1}), "field_invalid", "/delay_s"),
        (json!({"delay_s": 1.5}), "field_invalid", "/delay_s"),
        (json!({"delay_s": "5"}), "field_invalid", "/delay_s"),
        (json!({"plugin": "zapier"}), "field_invalid", "/plugin"),
        (json!({"plugin": {"name": "Zapier"}}), "field_invalid", "/plugin/name"),
        (json!({"plugin": {"name": "zapier", "version": "newest"}}), "field_invalid", "/plugin/version"),
        (json!({"secret": "whsec_AAAA"}), "field_invalid", "/secret"),
        (json!({"timeout_ms": 999}), "field_invalid", "/timeout_ms"),
        (json!({"timeout_ms": 60_001}), "field_invalid", "/timeout_ms"),
        (json!({"success_codes": "3xx"}), "field_invalid", "/success_codes"),
        (json!({"retry": {"schedule_s": vec![1; 21]}}), "field_invalid", "/retry/schedule_s"),
        (json!({"retry": {"schedule_s": [1, 604_801]}}), "field_invalid", "/retry/schedule_s/1"),
        (json!({"retry": {"jitter_percent": 101}}), "field_invalid", "/retry/jitter_percent"),
        (json!({"state": "paused"}), "field_invalid", "/state"),
        (json!({"profile": "salesforce"}), "field_invalid", "/profile"),
        (json!({"profile": "livespace", "generation": 2}), "field_invalid", "/generation"),
        (json!({"delay": 5}), "field_unknown", "/delay"),
        (json!({"delay": null}), "field_unknown", "/delay"),
    ] {
        let answer = api.admin.post(SUBSCRIPTIONS, subscription(members)).await;
        assert_problem(&answer, 422, code, Some(field));
    }
    assert_eq!(api.admin.get(SUBSCRIPTIONS).await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn a_refused_secret_is_not_repeated() {
    let api = TestApi::start().await;
    let answer = api.admin.post(SUBSCRIPTIONS, subscription(json!({"secret": "whsec_c2hvcnQ="}))).await;
    assert_problem(&answer, 422, "field_invalid", Some("/secret"));
    assert!(!answer.text.contains("c2hvcnQ"), "{}", answer.text);
}

#[tokio::test]
async fn a_change_sets_the_given_members_and_null_restores_the_default() {
    let api = TestApi::start().await;
    let made = api
        .subscribe(json!({
            "description": "first", "condition": "event.data.a == 1", "delay_s": 5,
            "retry": {"schedule_s": [1, 2], "jitter_percent": 0}, "fields": {"include": ["$.a"], "exclude": ["$.b"]}
        }))
        .await;
    let patch = json!({"name": "Other", "condition": null, "retry": {"schedule_s": null}, "fields": {"include": []}});
    let changed = api.admin.patch(&path(&made), patch).await.expect(200);
    let mut expected = made.clone();
    expected["name"] = json!("Other");
    expected["condition"] = Value::Null;
    expected["retry"]["schedule_s"] = json!([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    expected["fields"]["include"] = json!([]);
    expected["updated_at"] = changed["updated_at"].clone();
    assert_eq!(changed, expected);
    assert_eq!(api.admin.get(&path(&made)).await.expect(200), expected);
    assert_ne!(changed["updated_at"], made["updated_at"]);
}

#[tokio::test]
async fn a_member_that_is_given_twice_is_refused_on_creation_and_in_a_change() {
    let api = TestApi::start().await;
    let twice = r#"{"name": "a", "url": "https://one.example/", "event_types": ["*"], "url": "https://two.example/"}"#;
    let json = Some("application/json");
    let answer = api.admin.send(Method::POST, "/v1/spaces/crm/subscriptions", json, twice.into()).await;
    assert_problem(&answer, 422, "field_invalid", Some(""));
    let made = api.admin.post("/v1/spaces/crm/subscriptions", subscription(json!({}))).await.expect(201);
    let path = format!("/v1/spaces/crm/subscriptions/{}", made["id"].as_str().unwrap());
    let answer = api.admin.send(Method::PATCH, &path, json, br#"{"name": "a", "name": "b"}"#.to_vec()).await;
    assert_problem(&answer, 422, "field_invalid", Some(""));
}

/// Two values of every member that a change can have, neither of them its default.
fn two_values_of_each_member() -> Value {
    json!({
        "name": ["First", "Second"],
        "description": ["first", "second"],
        "require_https": [true, false],
        "url": ["https://one.example/", "https://one.example/2"],
        "method": ["PUT", "PATCH"],
        "event_types": [["lead.*"], ["deal.*"]],
        "trigger": [{"fields": ["a"]}, {"fields": ["b"]}],
        "condition": ["event.data.a == 1", "event.data.b == 2"],
        "fields": [{"include": ["$.a"], "exclude": ["$.b"]}, {"include": ["$.c"]}],
        "content_type": ["text/plain", "application/x-www-form-urlencoded"],
        "headers": [[{"name": "X-Token", "value": "hunter2", "secret": true}], [{"name": "X-App", "value": "crm"}]],
        "query": [[{"name": "id", "value": "{event.id}"}], [{"name": "type", "value": "{event.type}"}]],
        "delay_s": [5, 6],
        "batch": [{"window_s": 30, "max": 10, "event_types": ["lead.created"]}, {"max": 11}],
        "rate": [{"count": 10, "per": "second"}, {"per": "hour"}],
        "in_flight_max": [1, 2],
        "plugin": [
            {"name": "slack", "version": "^1", "config": {"n": 12.50}, "on_failure": "retry", "pause_after": 3},
            {"config": {"m": 1}}
        ],
        "signing": [
            {"scheme": "hmac", "header": "X-First", "prefix": "sha256=", "timestamp_header": "X-Time"},
            {"header": "X-Second"}
        ],
        "secret": [SECRET, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="],
        "sealed_secrets": [{"token": "hunter3"}, {"key": "hunter4"}],
        "handshake": [{"kind": "head", "success_codes": "200", "timeout_ms": 2_000}, {"kind": "empty_post"}],
        "timeout_ms": [2_000, 3_000],
        "success_codes": ["200", "201"],
        "answer_rule": [{"pointer": "/Status", "failure": "Error", "reason_pointer": "/Why"}, {"failure": "Bad"}],
        "retry": [{"schedule_s": [1], "jitter_percent": 5}, {"schedule_s": [2]}],
        "pause_after_failures": [4, 5],
        "pause_on_gone": [false, true],
        "keep_days": [7, 8],
        "notify_on_failure": [true, false],
    })
}

#[tokio::test]
async fn a_change_of_one_member_leaves_every_other_as_it_was() {
    let api = TestApi::start().await;
    super::plugins::keep(&api, None, "slack", "1.0.0", json!({})).await;
    let values = two_values_of_each_member();
    let values = values.as_object().unwrap();
    let described = &api.admin.document["components"]["schemas"]["SubscriptionPatch"]["properties"];
    let described: BTreeSet<_> = described.as_object().unwrap().keys().collect();
    assert_eq!(values.keys().collect::<BTreeSet<_>>(), described);

    let mut all: Value = values.iter().map(|(name, values)| (name.clone(), values[0].clone())).collect();
    all["state"] = json!("draft");
    let made = api.subscribe(all).await;
    for (member, values) in values {
        // As stored, with secrets in clear text.
        let before = serde_json::to_value(kept(&api).await).unwrap();
        let mut patch = json!({ member: values[1] });
        let changed: &[&str] = match member.as_str() {
            "plugin" => &["plugin", "plugin_history"],
            "secret" => {
                patch["signing"] = json!({});
                &["secrets"]
            }
            member => &[member],
        };
        api.admin.patch(&path(&made), patch).await.expect(200);
        let after = serde_json::to_value(kept(&api).await).unwrap();
        for (name, value) in before.as_object().unwrap() {
            if name == "updated_at" || changed.contains(&name.as_str()) {
                assert_ne!(after[name], *value, "{member}: {name}");
            } else {
                assert_eq!(after[name], *value, "{member}: {name}");
            }
        }
    }
    let last = kept(&api).await;
    assert_eq!(last.sealed_secrets["token"].reveal(), "hunter3");
    assert_eq!(last.batch.unwrap().window_s, 30);
}

#[tokio::test]
async fn a_committed_change_succeeds_even_if_newer_versions_cannot_be_followed() {
    let api = TestApi::start().await;
    super::plugins::keep(&api, None, "slack", "1.0.0", json!({})).await;
    let made = api.subscribe(json!({"plugin": {"name": "slack", "version": "^1"}})).await;
    let shadow = format!("{}/shadow", path(&made));
    api.admin.put(&shadow, json!({"config": {"a": 1}})).await.expect(200);
    // No plugin with such a schema is accepted: checking a configuration against it is a fault of the host.
    super::plugins::keep(&api, None, "slack", "1.1.0", json!({"type": 5})).await;
    let changed = api.admin.patch(&path(&made), json!({"name": "Other"})).await.expect(200);
    assert_eq!((&changed["name"], &changed["plugin"]["version"]), (&json!("Other"), &json!("1.0.0")));
    let promoted = api.admin.post_text(&format!("{shadow}/promote"), "").await.expect(200);
    assert_eq!((&promoted["plugin"]["config"], &promoted["shadow"]), (&json!({"a": 1}), &Value::Null));
    for verb in ["pause", "activate", "rollback"] {
        api.admin.post_text(&format!("{}/{verb}", path(&made)), "").await.expect(200);
    }
}

#[tokio::test]
async fn a_wrong_change_changes_nothing() {
    let api = TestApi::start().await;
    let made = api.subscribe(json!({})).await;
    for (patch, status, field) in [
        (json!({"name": null}), 422, "/name"),
        (json!({"url": "x", "name": "Other"}), 422, "/url"),
        (json!({"id": "sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E"}), 422, "/id"),
        (json!({"id": null}), 422, "/id"),
        (json!({"delay_s": 1.5}), 422, "/delay_s"),
        (json!({"batch": {"window_s": 1.5}}), 422, "/batch/window_s"),
        (json!({"state": "active"}), 422, "/state"),
        (json!({"profile": "livespace"}), 422, "/profile"),
        (json!({"secret": SECRET}), 422, "/secret"),
        (json!({"retry": 5}), 422, "/retry"),
        (json!({"headers": [{"name": "x", "value": "***", "secret": true}]}), 422, "/headers/0/value"),
    ] {
        let answer = api.admin.patch(&path(&made), patch).await;
        assert_eq!((answer.status, answer.json()["field"].as_str()), (status, Some(field)), "{}", answer.text);
    }
    assert_eq!(api.admin.get(&path(&made)).await.expect(200), made);
    let unknown = format!("{SUBSCRIPTIONS}/sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E");
    assert_problem(&api.admin.patch(&unknown, json!({})).await, 404, "not_found", None);
}

#[tokio::test]
async fn secret_headers_are_masked_and_a_change_with_the_mask_keeps_them() {
    let api = TestApi::start().await;
    let headers = json!([{"name": "X-Token", "value": "hunter2", "secret": true}, {"name": "X-App", "value": "crm"}]);
    let made = api.subscribe(json!({"headers": headers})).await;
    assert_eq!(made["headers"][0], json!({"name": "X-Token", "value": "***", "secret": true}));
    let changed = api.admin.patch(&path(&made), json!({"headers": [made["headers"][0]]})).await.expect(200);
    assert_eq!(changed["headers"], json!([made["headers"][0]]));
    assert_eq!(kept(&api).await.headers[0].value, "hunter2");
    // A change of something else keeps it too.
    api.admin.patch(&path(&made), json!({"name": "Other"})).await.expect(200);
    assert_eq!(kept(&api).await.headers[0].value, "hunter2");
    let public = json!({"headers": [{"name": "x-token", "value": "***", "secret": false}]});
    assert_problem(&api.admin.patch(&path(&made), public).await, 422, "field_invalid", Some("/headers/0/value"));
}

#[tokio::test]
async fn signing_secrets_are_shown_only_to_managers_and_rotate() {
    let api = TestApi::start().await;
    let made = api.subscribe(json!({"secret": SECRET})).await;
    let secret = format!("{}/secret", path(&made));
    let rotate = format!("{}/rotate-secret", path(&made));
    for path in [path(&made), SUBSCRIPTIONS.to_owned()] {
        assert!(!api.admin.get(&path).await.text.contains("whsec_"));
    }
    assert_eq!(api.with_role("read").await.get(&secret).await.status, 403);
    assert_eq!(api.admin.get(&secret).await.expect(200), json!({"secret": SECRET, "previous": 0}));

    let rotated = api.admin.post_text(&rotate, "").await.expect(200);
    assert_eq!(rotated["previous"], 1);
    assert_ne!(rotated["secret"], SECRET);
    let secrets = kept(&api).await.secrets;
    assert_eq!(
        secrets.iter().map(|secret| json!(secret.reveal())).collect::<Vec<_>>(),
        [rotated["secret"].clone(), json!(SECRET)]
    );
    assert_eq!(api.admin.get(&path(&made)).await.expect(200)["secrets"], json!(["***", "***"]));

    for previous in 2..5 {
        assert_eq!(api.admin.post(&rotate, json!({})).await.expect(200)["previous"], previous);
    }
    assert_problem(&api.admin.post(&rotate, json!({})).await, 409, "secrets_max", None);
    let given = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let rotated = api.admin.post(&rotate, json!({"secret": given, "keep_previous": 2})).await.expect(200);
    assert_eq!(rotated, json!({"secret": given, "previous": 2}));
    assert_eq!(api.admin.delete(&format!("{}/secrets/previous", path(&made))).await.status, 204);
    assert_eq!(api.admin.get(&secret).await.expect(200), json!({"secret": given, "previous": 0}));
    let wrong = api.admin.post(&rotate, json!({"keep_previous": 5})).await;
    assert_problem(&wrong, 422, "field_invalid", Some("/keep_previous"));
}

#[tokio::test]
async fn events_do_not_match_a_paused_subscription_until_it_is_activated() {
    let api = TestApi::start().await;
    let made = api.subscribe(json!({})).await;
    let post = || async {
        let event = json!({"type": "x", "data": 1});
        api.admin.post("/v1/spaces/crm/events", event).await.expect(202)["deliveries"].as_u64().unwrap()
    };
    assert_eq!(post().await, 1);
    let paused = api.admin.post_text(&format!("{}/pause", path(&made)), "").await.expect(200);
    assert_eq!((&paused["state"], &paused["pause_reason"]), (&json!("paused"), &json!("requested")));
    assert_eq!(post().await, 0);
    let active = api.admin.post_text(&format!("{}/activate", path(&made)), "").await.expect(200);
    assert_eq!((&active["state"], &active["pause_reason"]), (&json!("active"), &Value::Null));
    assert_eq!(post().await, 1);
    assert_eq!(api.admin.delete(&path(&made)).await.status, 204);
    assert_eq!(post().await, 0);
    assert_problem(&api.admin.get(&path(&made)).await, 404, "not_found", None);
    assert_problem(&api.admin.delete(&path(&made)).await, 404, "not_found", None);
}

#[tokio::test]
async fn a_changed_subscription_matches_by_its_new_members_at_once() {
    let api = TestApi::start().await;
    let made = api.subscribe(json!({"event_types": ["lead.*"]})).await;
    api.admin.patch(&path(&made), json!({"event_types": ["deal.*"]})).await.expect(200);
    for (kind, deliveries) in [("lead.created", 0), ("deal.created", 1)] {
        let event = json!({"type": kind, "data": 1});
        let receipt = api.admin.post("/v1/spaces/crm/events", event).await.expect(202);
        assert_eq!(receipt["deliveries"], deliveries, "{kind}");
    }
}

#[tokio::test]
async fn a_test_goes_only_to_its_subscription() {
    let api = TestApi::start().await;
    api.subscribe(json!({})).await;
    let made = api.subscribe(json!({"event_types": ["deal.*", "lead.created"], "condition": "false"})).await;
    let test = format!("{}/test", path(&made));
    assert_problem(&api.admin.post_text(&test, "").await, 422, "field_missing", Some("/data"));
    let example = json!({"example": {"name": "Zoë"}});
    api.admin.put("/v1/spaces/crm/event-types/lead.created", example).await.expect(200);
    let sent = api.admin.post_text(&test, "").await.expect(202);
    let event = format!("/v1/spaces/crm/events/{}", sent["event_id"].as_str().unwrap());
    let event = api.admin.get(&event).await.expect(200);
    assert_eq!((&event["type"], &event["data"]), (&json!("lead.created"), &json!({"name": "Zoë"})));
    assert_eq!(event["deliveries"], 1);
    let delivery = format!("/v1/spaces/crm/deliveries/{}", sent["delivery_id"].as_str().unwrap());
    assert_eq!(api.admin.get(&delivery).await.expect(200)["subscription_id"], made["id"]);

    let sent = api.admin.post_text(&test, r#"{"type":"any.other","data":[1.50]}"#).await.expect(202);
    let event = api.admin.get(&format!("/v1/spaces/crm/events/{}", sent["event_id"].as_str().unwrap())).await;
    assert!(event.text.ends_with(r#""data":[1.50]}"#), "{}", event.text);

    api.admin.post_text(&format!("{}/pause", path(&made)), "").await.expect(200);
    api.admin.post_text(&test, r#"{"data":1}"#).await.expect(202);
    assert_eq!(api.deliveries().await.len(), 3);
}

#[tokio::test]
async fn another_plugins_name_replaces_version_and_configuration() {
    let api = TestApi::start().await;
    for (name, version) in [("slack", "1.0.0"), ("jq", "2.0.0")] {
        super::plugins::keep(&api, None, name, version, json!({})).await;
    }
    let plugin = json!({"name": "slack", "config": {"channel": "x", "n": 12.50}});
    let made = api.subscribe(json!({"plugin": plugin})).await;
    let merged = api.admin.patch(&path(&made), json!({"plugin": {"config": {"n": null, "m": 1}}})).await.expect(200);
    assert_eq!(merged["plugin"]["config"], json!({"channel": "x", "m": 1}));
    let other = api.admin.patch(&path(&made), json!({"plugin": {"name": "jq"}})).await.expect(200);
    assert_eq!((&other["plugin"]["version"], &other["plugin"]["config"]), (&json!("2.0.0"), &json!({})));
    let none = api.admin.patch(&path(&made), json!({"plugin": null})).await.expect(200);
    assert_eq!(none["plugin"], Value::Null);
}
