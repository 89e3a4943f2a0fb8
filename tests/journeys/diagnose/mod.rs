//! Diagnose: what each check says of what is right and of what is wrong.

mod events;
mod way;

use std::time::Duration;

use hookmill_guests::ROGUE;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::TestApi;
use crate::support::host::{BINARY, TestHost};
use crate::support::receiver::{Receiver, Reply};

const CHECKS: [&str; 11] = [
    "state",
    "url_scheme",
    "url_spelling",
    "dns",
    "address_policy",
    "tls",
    "endpoint",
    "events",
    "identical",
    "plugin",
    "deliveries",
];

fn path(subscription: &Value, below: &str) -> String {
    format!("/v1/spaces/acme/subscriptions/{}{below}", subscription["id"].as_str().unwrap())
}

/// What is found of a subscription.
async fn diagnosed(host: &TestHost, subscription: &Value) -> Value {
    host.ok(Method::POST, &path(subscription, "/diagnose"), Value::Null).await
}

/// The findings of one check, each as `result: finding → what to do`.
fn of(diagnosis: &Value, check: &str) -> Vec<String> {
    let findings = diagnosis["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    let told = |finding: &Value| {
        let text = |member: &str| finding[member].as_str().unwrap_or_default().to_owned();
        format!("{}: {} → {}", text("result"), text("finding"), text("what_to_do"))
    };
    findings.map(told).collect()
}

/// The only finding of one check, which begins and goes on as expected.
#[track_caller]
fn assert_found(diagnosis: &Value, check: &str, result: &str, words: &[&str]) {
    let [found] = &of(diagnosis, check)[..] else { panic!("not one finding of {check}: {diagnosis:#}") };
    assert!(found.starts_with(&format!("{result}: ")), "{check} is not {result}: {found}");
    words.iter().for_each(|word| assert!(found.contains(word), "`{word}` is not in: {found}"));
}

/// A receiver that speaks TLS, and a host that trusts it.
async fn tls() -> (TestHost, Receiver) {
    let receiver = Receiver::start_tls().await;
    let trusted = receiver.certificate();
    (TestHost::start_with(|config| config.send.trusted_certificates = Some(trusted)).await, receiver)
}

async fn put_event_type(host: &TestHost, name: &str, example: Value) {
    let path = format!("/v1/spaces/acme/event-types/{name}");
    host.ok(Method::PUT, &path, json!({"description": "", "example": example})).await;
}

#[tokio::test]
async fn of_a_healthy_subscription_every_check_is_ok_and_nothing_is_written() {
    let (mut host, receiver) = tls().await;
    put_event_type(&host, "deal.created", json!({"id": 1})).await;
    let more = json!({"event_types": ["deal.created"], "plugin": {"name": "zapier"}});
    let subscription = host.subscribe(&receiver.url("/hook"), more).await;
    host.post("deal.created", r#"{"id": 1}"#).await;
    host.settle().await;
    let lists = ["/v1/spaces/acme/events", "/v1/spaces/acme/deliveries", "/v1/spaces/acme/subscriptions"];
    let mut before = Vec::new();
    for list in lists {
        before.push(host.ok(Method::GET, list, Value::Null).await);
    }

    let diagnosis = diagnosed(&host, &subscription).await;
    assert_eq!(diagnosis["ok"], true);
    let findings = diagnosis["findings"].as_array().unwrap();
    let seen: Vec<_> = findings.iter().map(|finding| (&finding["check"], &finding["result"])).collect();
    assert_eq!(json!(seen), json!(CHECKS.map(|check| (check, "ok"))), "{diagnosis:#}");
    assert!(findings.iter().all(|finding| finding["what_to_do"].is_null()), "{diagnosis:#}");
    assert_found(&diagnosis, "dns", "ok", &["`localhost` resolves to", "127.0.0.1"]);
    assert_found(&diagnosis, "endpoint", "ok", &["a HEAD", "responded 204", "(15000 ms allowed)"]);
    assert_found(&diagnosis, "events", "ok", &["of the last 1 events in this space, 1 match"]);
    assert_found(&diagnosis, "plugin", "ok", &["the plugin zapier", "a POST request"]);
    assert_found(&diagnosis, "deliveries", "ok", &["1 delivered"]);
    host.settle().await;
    for (list, before) in lists.into_iter().zip(before) {
        assert_eq!(host.ok(Method::GET, list, Value::Null).await, before);
    }
}

#[tokio::test]
async fn the_answer_is_as_the_document_says_and_needs_a_key_that_manages() {
    let api = TestApi::start().await;
    let subscription = api.subscribe(json!({"url": "http://nowhere.invalid/"})).await;
    let path = format!("/v1/spaces/crm/subscriptions/{}/diagnose", subscription["id"].as_str().unwrap());
    let diagnosis = api.with_role("manage").await.post(&path, Value::Null).await.expect(200);
    assert_eq!(diagnosis["ok"], false);
    assert_eq!(api.with_role("read").await.post(&path, Value::Null).await.status, 403);
    let unknown = "/v1/spaces/crm/subscriptions/sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E/diagnose";
    assert_eq!(api.admin.post(unknown, Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_draft_and_a_paused_subscription_are_problems_and_how_to_go_on_is_told() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    let draft = host.subscribe(&receiver.url("/draft"), json!({"state": "draft"})).await;
    let diagnosis = diagnosed(&host, &draft).await;
    assert_eq!(diagnosis["ok"], false);
    assert_found(&diagnosis, "state", "problem", &["draft", &path(&draft, "/activate")]);

    let paused = host.subscribe(&receiver.url("/paused"), json!({})).await;
    host.ok(Method::POST, &path(&paused, "/pause"), Value::Null).await;
    assert_found(
        &diagnosed(&host, &paused).await,
        "state",
        "problem",
        &["paused because a user paused it", "/activate"],
    );
}

#[tokio::test]
async fn of_one_that_waits_for_its_handshake_the_last_words_are_told() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::body(500, "no such table: deals"));
    let handshake = json!({"kind": "empty_post", "success_codes": "200,204", "timeout_ms": 3_000});
    let subscription = host.subscribe(&receiver.url("/"), json!({"handshake": handshake})).await;
    assert_eq!(subscription["state"], "verifying");
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "state", "problem", &["handshake", "responded 500", "/activate"]);
    let words = ["an empty POST", "responded 500, expected 200,204", "no such table: deals", "log"];
    assert_found(&diagnosis, "endpoint", "problem", &words);
    let asked: Vec<_> =
        receiver.requests().iter().map(|request| (request.method.clone(), request.body.len())).collect();
    assert_eq!(asked, vec![("POST".to_owned(), 0); 2]);
}

#[tokio::test]
async fn too_many_failures_are_told_as_the_reason_of_a_pause() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(503));
    let more = json!({"pause_after_failures": 2, "retry": {"schedule_s": []}});
    let subscription = host.subscribe(&receiver.url("/"), more).await;
    for _ in 0..3 {
        host.post("deal.created", "{}").await;
        host.settle().await;
    }
    let diagnosis = diagnosed(&host, &subscription).await;
    let since = format!("paused since {}", host.clock.now());
    assert_found(&diagnosis, "state", "problem", &[&since, "too many deliveries in a row failed"]);
    let words = [
        "of the last 2: 2 failed",
        "the receiver answered 503",
        "consecutive failed deliveries: 2; the subscription is paused at 2",
        "/resend",
    ];
    assert_found(&diagnosis, "deliveries", "problem", &words);
}

#[tokio::test]
async fn a_delivery_that_is_tried_again_is_a_warning_and_the_oldest_that_waits_is_named() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.script("/", [Reply::status(500)]);
    let subscription = host.subscribe(&receiver.url("/"), json!({})).await;
    let none = diagnosed(&host, &subscription).await;
    assert_found(&none, "deliveries", "skipped", &["there are no deliveries yet", "/test"]);
    receiver.script("/", [Reply::status(500)]);
    host.post("deal.created", "{}").await;
    host.settle().await;
    let id = host.delivery().await["id"].as_str().unwrap().to_owned();
    let waits = format!("the oldest waiting delivery is {id}");
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "deliveries", "warning", &["1 pending", "the receiver answered 500", &waits]);
    host.advance(Duration::from_secs(60)).await;
    assert_found(&diagnosed(&host, &subscription).await, "deliveries", "ok", &["1 delivered"]);
}

#[tokio::test]
async fn the_plugin_is_tried_on_the_newest_event_that_matches_or_on_an_example() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.upload(ROGUE).await;
    let told = |config: &str| json!({"event_types": ["deal.created"], "plugin": {"name": "rogue", "config": config}});
    let fails = host.subscribe(&receiver.url("/fails"), told("fail:no customer")).await;
    let diagnosis = diagnosed(&host, &fails).await;
    assert_found(&diagnosis, "plugin", "skipped", &["no event matches", "/test"]);

    put_event_type(&host, "deal.created", json!({"id": 7})).await;
    let words = ["the plugin rogue 1.0.0 fails on the example of `deal.created`", "no customer", "told to fail"];
    assert_found(&diagnosed(&host, &fails).await, "plugin", "problem", &words);

    let event = host.post("deal.created", r#"{"id": 8}"#).await;
    let diagnosis = diagnosed(&host, &fails).await;
    assert_eq!(diagnosis["ok"], false);
    assert_found(&diagnosis, "plugin", "problem", &[event["id"].as_str().unwrap(), "no customer"]);
    let skips = host.subscribe(&receiver.url("/skips"), told("skip:a test deal")).await;
    assert_found(&diagnosed(&host, &skips).await, "plugin", "warning", &["skips", "a test deal"]);
    let none = host.subscribe(&receiver.url("/none"), json!({})).await;
    assert_found(&diagnosed(&host, &none).await, "plugin", "ok", &["the default shape turns"]);
    assert!(receiver.requests().iter().all(|request| request.method == "HEAD"));
}

#[tokio::test]
async fn an_identical_subscription_is_a_warning_and_others_to_the_same_url_are_named() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    let first = host.subscribe(&receiver.url("/"), json!({"name": "First"})).await;
    assert_found(&diagnosed(&host, &first).await, "identical", "ok", &["no other subscription"]);
    let other = json!({"name": "Deals", "event_types": ["deal.*"]});
    let other = host.subscribe(&receiver.url("/"), other).await;
    let words = ["`Deals`", other["id"].as_str().unwrap()];
    assert_found(&diagnosed(&host, &first).await, "identical", "ok", &words);

    let body = json!({"name": "Second", "url": receiver.url("/"), "event_types": ["*"]});
    let path = "/v1/spaces/acme/subscriptions?allow_identical=true";
    let second = host.ok(Method::POST, path, body).await;
    let found = of(&diagnosed(&host, &first).await, "identical");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("warning: ") && found[0].contains(second["id"].as_str().unwrap()), "{found:?}");
    assert!(found[1].starts_with("ok: ") && found[1].contains("`Deals`"), "{found:?}");
}

/// Runs `hookmill diagnose`; its exit code and what it wrote.
async fn run(host: &TestHost, subscription: &Value) -> (Option<i32>, String, String) {
    let id = subscription["id"].as_str().unwrap();
    let mut command = tokio::process::Command::new(BINARY);
    command.args(["diagnose", id, "--space", "acme", "--url", &host.base]).env("HOOKMILL_KEY", &host.key);
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn the_command_prints_what_was_found_and_ends_with_1_if_there_is_a_problem() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    let handshake = json!({"kind": "empty_post"});
    let subscription = host.subscribe(&receiver.url("/"), json!({"handshake": handshake})).await;
    let (code, stdout, stderr) = run(&host, &subscription).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    for line in ["✓ state           the subscription is active", "! url_scheme  ", "– tls  ", "✓ endpoint  "] {
        assert!(stdout.lines().any(|printed| printed.starts_with(line)), "no `{line}` in:\n{stdout}");
    }
    receiver.otherwise(Reply::body(500, "broken\n\u{1b}[2Jfor good"));
    let (code, stdout, stderr) = run(&host, &subscription).await;
    assert_eq!(code, Some(1));
    assert_eq!(stderr, "hookmill: problems found: 1\n");
    let at = stdout.lines().position(|line| line.starts_with("✗ endpoint  ")).expect(&stdout);
    assert!(stdout.lines().nth(at).unwrap().ends_with("broken  [2Jfor good"), "{stdout}");
    assert!(stdout.lines().nth(at + 1).unwrap().trim_start().starts_with("→ check the receiver's log"), "{stdout}");
}
