//! Comparisons: the differences between two variants of a plugin over past events, and no others.

use std::collections::BTreeSet;
use std::time::Duration;

use hookmill_guests::ROGUE;
use hookmill_model::Subscription;
use hookmill_server::dry_run::compare::compare;
use hookmill_server::registry::CompiledSubscription;
use reqwest::Method;
use serde_json::{Value, json};

use super::keep_second_version;
use crate::support::host::TestHost;

/// A host with these events, and a subscription of them that a template shapes.
async fn start(events: usize, more: Value) -> (TestHost, String) {
    let host = TestHost::start().await;
    let lines: Vec<_> = (0..events)
        .map(|n| {
            let kind = if n % 2 == 0 { "deal.won" } else { "deal.lost" };
            format!(r#"{{"id":"evt_{n}","type":"{kind}","data":{{"n":{n},"value":12.50}}}}"#)
        })
        .collect();
    host.post_lines(&lines.join("\n")).await;
    let config = json!({"json": r#"{"n":{{ data.n }},"deal":{"value":{{ data.value }}}}"#});
    let mut members = json!({"plugin": {"name": "template", "config": config}});
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let subscription = host.subscribe("https://receiver.example/", members).await;
    (host, format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap()))
}

/// Another value for every 59th event.
const PLANTED: &str =
    r#"{"n":{{ data.n }},"deal":{"value":{% if data.n % 59 == 0 %}0{% else %}{{ data.value }}{% endif %}}}"#;

#[tokio::test]
async fn exactly_the_planted_differences_are_found_in_a_thousand_events() {
    let (host, path) = start(1_000, json!({})).await;
    let asked = json!({"config": {"json": PLANTED}, "last": 1_000});
    let found = host.ok(Method::POST, &format!("{path}/compare"), asked).await;
    let counts = |found: &Value| ["looked_at", "events", "same", "different"].map(|name| found[name].as_u64().unwrap());
    assert_eq!(counts(&found), [1_000, 1_000, 983, 17]);
    assert_eq!(
        (&found["failed_after"], &found["skipped_after"], &found["timed_out"]),
        (&json!(0), &json!(0), &json!(false))
    );
    let differences = found["differences"].as_array().unwrap();
    let ids: BTreeSet<_> = differences.iter().map(|found| found["event_id"].as_str().unwrap().to_owned()).collect();
    let planted: BTreeSet<_> = (0..1_000).step_by(59).map(|n| format!("evt_{n}")).collect();
    assert_eq!(ids, planted);
    for difference in differences {
        let change = json!([{"part": "body", "at": "/deal/value", "before": "12.50", "after": "0"}]);
        assert_eq!((&difference["changes"], &difference["more"]), (&change, &json!(0)));
    }
    assert_eq!(differences[0]["event_id"], "evt_944", "the newest first");
    for side in ["before", "after"] {
        assert!(found[format!("fuel_used_{side}")].as_u64().unwrap() > 1_000_000, "{found}");
        assert!(found[format!("transform_us_{side}")].as_u64().unwrap() > 0, "{found}");
    }
    let deliveries = host.ok(Method::GET, "/v1/spaces/acme/deliveries", Value::Null).await;
    assert_eq!(deliveries["data"], json!([]), "the events were before the subscription, and nothing is made of them");

    let same = json!({"config": {"json": r#"{"n":{{ data.n }},"deal":{"value":{{ data.value }}}}"#}, "last": 1_000});
    let found = host.ok(Method::POST, &format!("{path}/compare"), same).await;
    assert_eq!((counts(&found), &found["differences"]), ([1_000, 1_000, 1_000, 0], &json!([])));
}

#[tokio::test]
async fn only_events_that_the_subscription_wants_are_compared_the_last_of_them() {
    let more = json!({"event_types": ["deal.won"], "condition": "event.data.n >= 10"});
    let (host, path) = start(100, more).await;
    let asked = json!({"config": {"json": r#"{"n":{{ data.n }}}"#}});
    let found = host.ok(Method::POST, &format!("{path}/compare"), asked).await;
    assert_eq!((&found["looked_at"], &found["events"], &found["different"]), (&json!(100), &json!(45), &json!(45)));
    assert_eq!(found["differences"][0]["event_id"], "evt_98");
    assert_eq!(found["differences"][0]["event_type"], "deal.won");
    let asked = json!({"config": {"json": r#"{"n":{{ data.n }}}"#}, "last": 3});
    let found = host.ok(Method::POST, &format!("{path}/compare"), asked).await;
    let ids: Vec<_> = found["differences"].as_array().unwrap().iter().map(|found| found["event_id"].clone()).collect();
    assert_eq!(ids, ["evt_98", "evt_96", "evt_94"]);
}

#[tokio::test]
async fn failures_and_skips_of_both_are_counted_and_only_fifty_differences_are_shown() {
    let (host, _) = start(60, json!({})).await;
    host.upload(ROGUE).await;
    keep_second_version(&host).await;
    let plugin = json!({"plugin": {"name": "rogue", "version": "1.0.0", "config": "skip:no"}});
    let made = host.subscribe("https://other.example/", plugin).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}/compare", made["id"].as_str().unwrap());
    let found = host.ok(Method::POST, &path, json!({"config": "spin", "last": 2})).await;
    let [skipped, failed] = ["skipped_before", "failed_after"].map(|name| found[name].as_u64().unwrap());
    assert_eq!((skipped, failed, found["different"].as_u64().unwrap()), (2, 2, 2));
    assert_eq!(found["differences"][0]["changes"][0]["before"], "skipped: no");
    let found = host.ok(Method::POST, &path, json!({"version": "2.0.0"})).await;
    assert_eq!((found["different"].as_u64(), found["failed_after"].as_u64()), (Some(60), Some(0)));
    assert_eq!(found["differences"].as_array().unwrap().len(), 50);
    let found = host.ok(Method::POST, &path, json!({"config": "skip:other words"})).await;
    assert_eq!((found["same"].as_u64(), found["skipped_after"].as_u64()), (Some(60), Some(60)));
}

#[tokio::test]
async fn a_secret_is_compared_by_its_name_and_never_shown() {
    let (host, _) = start(3, json!({})).await;
    host.upload(ROGUE).await;
    let plugin =
        json!({"plugin": {"name": "rogue", "config": "secret:key"}, "sealed_secrets": {"key": "sup3r-s3cret"}});
    let made = host.subscribe("https://other.example/", plugin).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}/compare", made["id"].as_str().unwrap());
    let found = host.ok(Method::POST, &path, json!({"config": "secret:key"})).await;
    assert_eq!((found["same"].as_u64(), found["different"].as_u64()), (Some(3), Some(0)));
    let found = host.ok(Method::POST, &path, json!({"config": "header:x-secret=open"})).await;
    let change = json!({"part": "header", "at": "x-secret", "before": "{{secret:key}}", "after": "open"});
    assert_eq!(found["differences"][0]["changes"], json!([change]));
}

#[tokio::test]
async fn a_comparison_needs_something_to_compare_with() {
    let (host, path) = start(1, json!({})).await;
    let path = format!("{path}/compare");
    for (body, code, field) in [
        (json!({}), "field_missing", ""),
        (json!({"config": {"jsn": ""}}), "field_invalid", "/config"),
        (json!({"version": "9.0.0"}), "field_invalid", "/version"),
        (json!({"version": "1.0.0", "last": 1_001}), "field_invalid", "/last"),
    ] {
        let (status, problem) = host.call(Method::POST, &path, body).await;
        assert_eq!((status.as_u16(), &problem["code"], &problem["field"]), (422, &json!(code), &json!(field)));
    }
    let bare = host.subscribe("https://bare.example/", json!({})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}/compare", bare["id"].as_str().unwrap());
    let (status, problem) = host.call(Method::POST, &path, json!({"version": "1.0.0"})).await;
    assert_eq!((status.as_u16(), &problem["field"]), (422, &json!("/version")));
}

#[tokio::test]
async fn when_its_time_is_over_it_ends_with_what_it_has() {
    let (host, path) = start(5, json!({})).await;
    let id = path.rsplit('/').next().unwrap().parse().unwrap();
    let live = host.host.registry.get(id).unwrap();
    let after = CompiledSubscription::new(Subscription { plugin: None, ..live.subscription.clone() });
    let none = compare(&host.host, &live, &after, 100, Duration::ZERO).await.unwrap();
    assert_eq!((none.events, none.timed_out), (0, true));
    let all = compare(&host.host, &live, &after, 100, Duration::from_secs(60)).await.unwrap();
    assert_eq!((all.events, all.different, all.timed_out), (5, 5, false));
}

#[tokio::test]
async fn one_comparison_runs_at_a_time_in_a_space() {
    let (host, path) = start(1, json!({})).await;
    let asked = json!({"config": {"json": "1"}});
    let space = hookmill_model::SpaceId::parse("acme").unwrap();
    let begun = host.host.comparisons.begin(&space).unwrap();
    let (status, problem) = host.call(Method::POST, &format!("{path}/compare"), asked.clone()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (503, &json!("unavailable")));
    drop(begun);
    host.ok(Method::POST, &format!("{path}/compare"), asked).await;
}
