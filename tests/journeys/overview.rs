//! The overview of a space, and the use of its plugins: what operators look at.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

const OVERVIEW: &str = "/v1/spaces/acme/overview";

async fn overview(host: &TestHost) -> Value {
    host.ok(Method::GET, OVERVIEW, Value::Null).await
}

/// These members of an overview, in this order.
fn members<const N: usize>(overview: &Value, names: [&str; N]) -> [Value; N] {
    names.map(|name| overview[name].clone())
}

const QUEUE: [&str; 4] = ["waiting", "retrying", "held", "in_flight"];

#[tokio::test]
async fn an_overview_of_a_new_space_is_empty() {
    let host = TestHost::start().await;
    let expected = json!({
        "now": host.clock.now(), "waiting": 0, "retrying": 0, "held": 0, "in_flight": 0, "oldest_due_at": null,
        "sending_ms": null, "transform_ms": null, "slowest": [], "failing": [],
    });
    assert_eq!(overview(&host).await, expected);
}

#[tokio::test]
async fn an_overview_has_what_waits_what_is_retried_and_what_is_held() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.script("/broken", [Reply::status(500), Reply::status(500)]);
    let retry = json!({"schedule_s": [60], "jitter_percent": 0});
    host.subscribe(&receiver.url("/broken"), json!({"name": "broken", "retry": retry})).await;
    let late = host.subscribe(&receiver.url("/late"), json!({"name": "late", "delay_s": 30})).await;
    let began = host.clock.now();
    host.post("deal.won", "1").await;
    host.post("deal.won", "2").await;
    let now = overview(&host).await;
    assert_eq!(members(&now, QUEUE), [json!(4), json!(0), json!(0), json!(0)]);
    assert_eq!(now["oldest_due_at"], json!(began));
    host.settle().await;
    let now = overview(&host).await;
    assert_eq!(members(&now, QUEUE), [json!(2), json!(2), json!(0), json!(0)]);
    assert_eq!(now["oldest_due_at"], json!(began + Duration::from_secs(30)));
    let path = format!("/v1/spaces/acme/subscriptions/{}/pause", late["id"].as_str().unwrap());
    host.ok(Method::POST, &path, json!({})).await;
    host.advance(Duration::from_secs(30)).await;
    let now = overview(&host).await;
    assert_eq!(members(&now, QUEUE), [json!(0), json!(2), json!(2), json!(0)]);
    assert_eq!(now["oldest_due_at"], json!(began + Duration::from_secs(60)));
    host.advance(Duration::from_secs(30)).await;
    let now = overview(&host).await;
    assert_eq!(members(&now, QUEUE), [json!(0), json!(0), json!(2), json!(0)]);
    assert_eq!(now["oldest_due_at"], Value::Null);
}

#[tokio::test]
async fn what_is_being_sent_is_in_flight_and_does_not_wait() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::Hang);
    host.subscribe(&receiver.url("/"), json!({"in_flight_max": 2, "timeout_ms": 60_000})).await;
    for _ in 0..3 {
        host.post("deal.won", "1").await;
    }
    let url = format!("{}{OVERVIEW}", host.base);
    let request = Client::builder().no_proxy().build().unwrap().get(url).bearer_auth(&host.key);
    let seen = async {
        receiver.take(2).await;
        let text = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let now = tokio::select! {
        () = host.deliver() => panic!("the receiver hangs"),
        now = seen => now,
    };
    assert_eq!(members(&now, QUEUE), [json!(1), json!(0), json!(0), json!(2)]);
}

#[tokio::test]
async fn an_overview_names_the_failing_and_the_slow_of_the_last_hour() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let retry = json!({"schedule_s": [60], "jitter_percent": 0});
    for number in 0..7 {
        let failures = (0..number).map(|_| Reply::status(500));
        receiver.script(&format!("/{number}"), failures);
        let more = json!({"name": format!("{number}"), "retry": retry, "event_types": [format!("to.{number}")]});
        host.subscribe(&receiver.url(&format!("/{number}")), more).await;
    }
    for number in 0..7 {
        for _ in 0..3 {
            host.post(&format!("to.{number}"), "1").await;
        }
    }
    host.settle().await;
    host.advance(Duration::from_secs(61)).await;
    let now = overview(&host).await;
    let row = |entry: &Value| members(entry, ["name", "delivered", "failed", "retried"]);
    let failing: Vec<_> = now["failing"].as_array().unwrap().iter().map(row).collect();
    let expected = [("6", 0, 3, 3), ("5", 1, 2, 3), ("4", 2, 1, 3), ("3", 3, 0, 3), ("2", 3, 0, 2)];
    let expected = expected
        .map(|(name, delivered, failed, retried)| [json!(name), json!(delivered), json!(failed), json!(retried)]);
    assert_eq!(failing, expected);
    let slowest = now["slowest"].as_array().unwrap();
    assert_eq!(slowest.len(), 5);
    let times: Vec<_> = slowest.iter().map(|entry| entry["p95_ms"].as_f64().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    assert!(slowest.iter().all(|entry| (3..=6).contains(&entry["attempts"].as_u64().unwrap())), "{slowest:?}");
    let [p50, p95] = ["p50", "p95"].map(|name| now["sending_ms"][name].as_f64().unwrap());
    assert!(0.0 < p50 && p50 <= p95 && p95 <= times[0] * 1.07, "{now}");
    assert_eq!(now["transform_ms"], Value::Null);

    // A deleted subscription is not named, the past is forgotten, and tests do not count.
    let list = host.ok(Method::GET, "/v1/spaces/acme/subscriptions?q=%2F6", Value::Null).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", list["data"][0]["id"].as_str().unwrap());
    host.ok(Method::DELETE, &path, Value::Null).await;
    assert_eq!(overview(&host).await["failing"][0]["name"], "5");
    host.advance(Duration::from_secs(20 * 60)).await;
    let now = overview(&host).await;
    assert_eq!((&now["sending_ms"], now["failing"][0]["name"].as_str()), (&Value::Null, Some("5")));
    host.advance(Duration::from_secs(60 * 60)).await;
    let list = host.ok(Method::GET, "/v1/spaces/acme/subscriptions?q=%2F5", Value::Null).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}/test", list["data"][0]["id"].as_str().unwrap());
    host.ok(Method::POST, &path, json!({"data": 1})).await;
    host.settle().await;
    let now = overview(&host).await;
    assert_eq!((&now["failing"], &now["slowest"], &now["sending_ms"]), (&json!([]), &json!([]), &Value::Null));
}

#[tokio::test]
async fn a_plugin_shows_its_users_its_failures_and_its_cost() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let plugins = "/v1/spaces/acme/plugins";
    let usage = async |host: &TestHost| {
        let list = host.ok(Method::GET, plugins, Value::Null).await;
        let jq = list["data"].as_array().unwrap().iter().find(|plugin| plugin["name"] == "jq").unwrap().clone();
        let path = format!("{plugins}/jq/{}", jq["version"].as_str().unwrap());
        assert_eq!(host.ok(Method::GET, &path, Value::Null).await, jq);
        assert_eq!(host.ok(Method::GET, &format!("{plugins}/jq"), Value::Null).await["data"][0], jq);
        jq["usage"].clone()
    };
    let fuel = host.host.config.plugin.fuel_base;
    let unused = json!({
        "subscriptions": 0, "transforms": 0, "failures": 0, "p95_ms": null, "p95_fuel": null, "fuel_limit": fuel,
    });
    assert_eq!(usage(&host).await, unused);
    let program = "if .data.bad then error(\"bad\") else . end";
    for name in ["one", "two"] {
        let plugin = json!({"name": "jq", "config": {"program": program}});
        host.subscribe(&receiver.url(&format!("/{name}")), json!({"name": name, "plugin": plugin})).await;
    }
    host.post("deal.won", r#"{"bad": true}"#).await;
    host.post("deal.won", r#"{"bad": false}"#).await;
    host.settle().await;
    let used = usage(&host).await;
    let counts = members(&used, ["subscriptions", "transforms", "failures"]);
    assert_eq!(counts, [json!(2), json!(4), json!(2)]);
    let (p95, limit) = (used["p95_fuel"].as_u64().unwrap(), used["fuel_limit"].as_u64().unwrap());
    assert!(0 < p95 && p95 < limit && limit >= fuel, "{used}");
    assert!(used["p95_ms"].as_f64().unwrap() > 0.0);
    assert!(overview(&host).await["transform_ms"]["p95"].as_f64().unwrap() > 0.0);
    // What ran is of the last minutes; who uses it is as it is.
    host.clock.advance(Duration::from_secs(20 * 60));
    let mut later = unused;
    later["subscriptions"] = json!(2);
    assert_eq!(usage(&host).await, later);
}
