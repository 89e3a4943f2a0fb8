//! JSON Schemas of strangers: what is refused when it is saved, and what is ended when it runs.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::host::TestHost;

/// A schema of so many parts, each of which refers twice to the next: the last is checked 2 to this power times.
fn doubling(parts: usize, what: &str) -> Value {
    let next = |number: usize| json!({"$ref": format!("#/$defs/p{}", number + 1)});
    let part = |number| (format!("p{number}"), json!({"allOf": [next(number), next(number)]}));
    let mut defs: serde_json::Map<_, _> = (0..parts).map(part).collect();
    defs.insert(format!("p{parts}"), json!({"type": "integer"}));
    json!({"$defs": defs, what: {"$ref": "#/$defs/p0"}})
}

async fn put(host: &TestHost, space: &str, schema: &Value, example: &Value) -> (StatusCode, Value) {
    let body = json!({"schema": schema, "example": example});
    host.call(Method::PUT, &format!("/v1/spaces/{space}/event-types/deal.won"), body).await
}

#[tokio::test]
async fn a_schema_that_is_too_much_is_refused_when_it_is_saved() {
    let host = TestHost::start().await;
    let deep = (0..100).fold(json!({}), |schema, _| json!({"not": schema}));
    let large = json!({"enum": ["x".repeat(300_000)]});
    for (schema, why) in [
        (doubling(16, "not"), "too much work: it has more than 20000 parts"),
        (deep, "too deep: "),
        (large, "too large: "),
        (json!({"type": "no such"}), "not a JSON Schema"),
        (json!({"pattern": "(a{1000}){1000}"}), "not a JSON Schema"),
    ] {
        let (status, answer) = put(&host, "acme", &schema, &json!({})).await;
        assert_eq!(status, 422, "{answer}");
        let text = answer.to_string();
        assert!(text.contains(why) && text.contains("/schema"), "{why}: {text}");
    }
}

#[tokio::test]
async fn a_check_in_a_process_of_its_own_is_never_short_of_memory() {
    let host = TestHost::start().await;
    // Some MiB, up to the limit of a pattern.
    let schema = json!({"pattern": "(a{1000}){1000}"});
    for _ in 0..30 {
        let (status, answer) = put(&host, "acme", &schema, &json!({})).await;
        assert!(status == 422 && answer.to_string().contains("not a JSON Schema"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_does_not_end_is_ended_and_takes_the_turn_of_its_space_alone() {
    let host = TestHost::start().await;
    host.ok(Method::POST, "/v1/spaces", json!({"id": "quiet", "name": "Quiet"})).await;
    // Within the limits of what is saved, and some hundred million checks of an integer.
    let (schema, value) = (doubling(10, "items"), json!(vec![1; 200_000]));
    // A pattern, so that the check needs a process of its own.
    let simple = json!({"properties": {"a": {"type": "string", "pattern": "^a+$"}}});
    let hostile = async {
        let started = Instant::now();
        let checks = (0..3).map(|_| put(&host, "acme", &schema, &value));
        let mut ended = 0;
        for (status, answer) in futures::future::join_all(checks).await {
            // One that waited for the others may be told to come again, if the machine is busy.
            let (right, text) =
                if status == 503 { (503, "try again later") } else { (422, "too long or too much memory") };
            assert!(status == right && answer.to_string().contains(text), "{status}: {answer}");
            ended += u32::from(status == 422);
        }
        assert!(ended > 0, "none is refused for what it is");
        started.elapsed()
    };
    let quiet = async {
        let mut slowest = Duration::ZERO;
        for (a, right) in [(json!("aaa"), 200), (json!("b"), 422), (json!("aaa"), 200), (json!("aaa"), 200)] {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let asked = Instant::now();
            let (status, answer) = put(&host, "quiet", &simple, &json!({"a": a})).await;
            assert_eq!(status, right, "{answer}");
            slowest = slowest.max(asked.elapsed());
        }
        slowest
    };
    let (all, slowest) = tokio::join!(hostile, quiet);
    // The three take turns: one that waited for one of them would take nearly a third.
    assert!(slowest < all / 4, "the quiet space's slowest check took {slowest:?}, the other space's {all:?}");
    // The children are gone, and with them the turns.
    let (status, _) = put(&host, "acme", &simple, &json!({"a": "a"})).await;
    assert_eq!(status, 200);
}
