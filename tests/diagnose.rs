//! Diagnose: what each check says of what is right and of what is wrong.

use std::time::Duration;

use hookmill::deliver::Asked;
use hookmill::diagnose::{self, Check, Finding, Grade};
use hookmill::model::{Answer, Handshake, HandshakeKind, HandshakeReport, SuccessCodes};
use hookmill_guests::ROGUE;
use ipnet::IpNet;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::TestApi;
use crate::support::fixtures;
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
    assert_found(&diagnosis, "endpoint", "ok", &["a HEAD", "answered 204", "of 15000 allowed"]);
    assert_found(&diagnosis, "events", "ok", &["of the last 1 events of this space, 1 match"]);
    assert_found(&diagnosis, "plugin", "ok", &["the plugin zapier", "a POST"]);
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
    let since = format!("paused since {}", host.clock.now());
    assert_found(&diagnosed(&host, &paused).await, "state", "problem", &[&since, "a caller asked", "/activate"]);
}

#[tokio::test]
async fn of_one_that_waits_for_its_handshake_the_last_words_are_told() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::body(500, "no such table: deals"));
    let handshake = json!({"kind": "empty_post", "success_codes": "200,204", "timeout_ms": 3_000});
    let subscription = host.subscribe(&receiver.url("/"), json!({"handshake": handshake})).await;
    assert_eq!(subscription["state"], "verifying");
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "state", "problem", &["handshake", "answered 500", "/activate"]);
    let words = ["an empty POST", "answered 500, and must answer 200,204", "no such table: deals", "log"];
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
    let words =
        ["of the last 2: 2 failed", "the receiver answered 503", "failed deliveries in a row: 2, of 2", "/retry"];
    assert_found(&diagnosis, "deliveries", "problem", &words);
}

#[tokio::test]
async fn a_delivery_that_is_tried_again_is_a_warning_and_the_oldest_that_waits_is_named() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.script("/", [Reply::status(500)]);
    let subscription = host.subscribe(&receiver.url("/"), json!({})).await;
    let none = diagnosed(&host, &subscription).await;
    assert_found(&none, "deliveries", "skipped", &["nothing was delivered yet", "/test"]);
    receiver.script("/", [Reply::status(500)]);
    host.post("deal.created", "{}").await;
    host.settle().await;
    let id = host.delivery().await["id"].as_str().unwrap().to_owned();
    let waits = format!("the oldest that waits is {id}");
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "deliveries", "warning", &["1 pending", "the receiver answered 500", &waits]);
    host.advance(Duration::from_secs(60)).await;
    assert_found(&diagnosed(&host, &subscription).await, "deliveries", "ok", &["1 delivered"]);
}

#[test]
fn http_is_a_warning_and_a_problem_where_https_is_required() {
    let mut subscription = fixtures::subscription("http://example.com/");
    assert_eq!(diagnose::scheme(&subscription).grade, Grade::Warning);
    subscription.require_https = true;
    let finding = diagnose::scheme(&subscription);
    assert_eq!(finding.grade, Grade::Problem);
    assert!(finding.finding.contains("require_https"), "{}", finding.finding);
    subscription.url = "https://example.com/".parse().unwrap();
    assert_eq!(diagnose::scheme(&subscription).grade, Grade::Ok);
}

/// The grades of a URL's spelling, and all that is said of it.
fn spelled(url: &str, allow_networks: &[IpNet]) -> (Vec<Grade>, String) {
    let found = diagnose::spelling(&url.parse().unwrap(), allow_networks);
    let told = |found: &Finding| {
        assert_eq!(found.check, Check::UrlSpelling);
        format!("{} → {}", found.finding, found.what_to_do.as_deref().unwrap_or_default())
    };
    (found.iter().map(|found| found.grade).collect(), found.iter().map(told).collect::<Vec<_>>().join("; "))
}

#[test]
fn the_urls_that_receivers_give_out_and_those_of_nobody_known_are_ok() {
    for url in [
        "https://hooks.zapier.com/hooks/catch/123456/abcdef/",
        "https://hooks.zapier.com/hooks/catch/123456/abcdef",
        "https://hooks.zapier.com/hooks/standard/123456/abcdef/",
        "https://hook.eu1.make.com/w4b1ikph6x2v",
        "https://hook.us2.make.com/w4b1ikph6x2v?a=b",
        "https://acme.app.n8n.cloud/webhook/5f2c",
        "https://n8n.acme.example/webhook/5f2c",
        "https://api.acme.example/workflow/5?q=a%20b",
        "https://make.acme.example/",
        "https://8.8.8.8/hook",
    ] {
        let (grades, told) = spelled(url, &[]);
        assert_eq!(grades, [Grade::Ok], "{url}: {told}");
    }
}

#[test]
fn what_nearly_is_a_receivers_url_is_told_with_what_was_probably_meant() {
    let (warning, problem) = (Grade::Warning, Grade::Problem);
    for (url, grade, words) in [
        ("https://hook.zapier.com/hooks/catch/1/a/", problem, "probably meant: hooks.zapier.com"),
        ("https://hooks.zaiper.com/hooks/catch/1/a/", problem, "probably meant: hooks.zapier.com"),
        ("https://hooks.zapier.co/hooks/catch/1/a/", problem, "probably meant: hooks.zapier.com"),
        ("https://hooks.eu1.make.com/w4b1", problem, "probably meant: hook.eu1.make.com"),
        ("https://hook.eu7.meke.com/w4b1", problem, "probably meant: hook.eu7.make.com"),
        ("https://acme.app.n8n.clod/webhook/5f2c", problem, "probably meant: acme.app.n8n.cloud"),
        ("https://hooks.zapier.com/hooks/catch/123456", problem, "not all of a Catch Hook"),
        ("https://zapier.com/app/editor/123/nodes/1", problem, "Catch Hook"),
        ("https://eu1.make.com/5/scenarios/77/edit", problem, "Custom webhook"),
        ("https://hook.eu1.make.com/", problem, "its id behind the host"),
        ("https://acme.app.n8n.cloud/workflow/5f2c", problem, "Production URL"),
        ("https://acme.app.n8n.cloud/webhook-test/5f2c", warning, "120 seconds"),
        ("https://api.acme.example/n8n/webhook-test/5f2c", warning, "Production URL"),
        ("https://api.acme.example/in%20", problem, "probably meant: https://api.acme.example/in"),
        ("https://api.acme.example/in?a=b%22,", problem, "probably meant: https://api.acme.example/in?a=b"),
        ("https://https//api.acme.example/in", problem, "probably meant: https://api.acme.example/in"),
        ("http://localhost:5678/webhook/5f2c", warning, "a tunnel"),
        ("http://192.168.1.4/in", warning, "not public"),
        ("http://[::1]/in", warning, "the machine that this host runs on"),
        ("http://crm/in", warning, "one network only"),
        ("http://crm.acme.local/in", warning, "one network only"),
    ] {
        let (grades, told) = spelled(url, &[]);
        assert_eq!(grades[0], grade, "{url}: {told}");
        assert!(told.contains(words), "{url}: {told}");
    }
    let inside = ["10.0.0.0/8".parse().unwrap()];
    for url in ["http://10.0.0.4/in", "http://crm.acme.local/in"] {
        assert_eq!(spelled(url, &inside).0, [Grade::Ok], "{url}");
    }
}

#[tokio::test]
async fn a_test_url_of_n8n_is_a_warning_beside_whatever_it_answers() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(404));
    let subscription = host.subscribe(&receiver.url("/webhook-test/5f2c"), json!({})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "url_spelling", "warning", &["test URL of n8n", "120 seconds", "Production URL"]);
    assert_found(&diagnosis, "url_scheme", "warning", &["http://"]);
    assert_found(&diagnosis, "tls", "skipped", &["no https"]);
    // A HEAD may be answered otherwise than a delivery.
    assert_found(&diagnosis, "endpoint", "warning", &["a HEAD", "answered 404", "send a test", "published"]);
    assert_eq!(diagnosis["ok"], true);
}

#[tokio::test]
async fn a_refused_address_names_the_setting_and_nobody_is_asked() {
    let host = TestHost::start().await;
    let subscription = host.subscribe("http://169.254.169.254/latest/meta-data", json!({})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_eq!(diagnosis["ok"], false);
    assert_found(&diagnosis, "dns", "skipped", &["an address in the place of a name"]);
    assert_found(&diagnosis, "address_policy", "problem", &["169.254.169.254", "send.allow_networks"]);
    assert_found(&diagnosis, "endpoint", "skipped", &["not asked"]);
}

#[tokio::test]
async fn a_name_that_leads_to_a_refused_address_is_told_with_the_address() {
    let host = TestHost::start_with(|config| config.send.allow_networks.clear()).await;
    let subscription = host.subscribe("https://localhost/hook", json!({})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "dns", "ok", &["127.0.0.1"]);
    assert_found(&diagnosis, "address_policy", "problem", &["127.0.0.1", "send.allow_networks"]);
    assert_found(&diagnosis, "tls", "skipped", &["not asked"]);
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_a_problem_of_dns() {
    let host = TestHost::start().await;
    let subscription = host.subscribe("https://receiver.invalid/hook", json!({})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "dns", "problem", &["`receiver.invalid` does not resolve", "typing error"]);
    assert_found(&diagnosis, "address_policy", "skipped", &[]);
    assert_found(&diagnosis, "endpoint", "skipped", &["not asked"]);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_and_one_for_another_name_are_told_apart() {
    let (host, receiver) = (TestHost::start().await, Receiver::start_tls().await);
    let subscription = host.subscribe(&receiver.url("/"), json!({})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "tls", "problem", &["certificate", "send.trusted_certificates"]);
    assert_found(&diagnosis, "endpoint", "skipped", &["TLS"]);

    let (host, receiver) = tls().await;
    let subscription = host.subscribe(&format!("https://{}/", receiver.address()), json!({})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "tls", "problem", &["give the receiver a certificate for `127.0.0.1`"]);
}

#[tokio::test]
async fn a_receiver_that_speaks_no_tls_is_a_problem_of_tls() {
    let host = TestHost::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    });
    let subscription = host.subscribe(&url, json!({})).await;
    assert_found(&diagnosed(&host, &subscription).await, "tls", "problem", &["speaks no TLS"]);
    drop(plain.await);
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_asked_no_longer_than_its_limit() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::Hang);
    let subscription = host.subscribe(&receiver.url("/"), json!({"timeout_ms": 1_000})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "endpoint", "problem", &["no answer within 1 s", "timeout_ms"]);
}

#[tokio::test]
async fn what_an_endpoint_does_wrong_is_told_with_what_to_do() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = host.subscribe(&receiver.url("/"), json!({"success_codes": "200"})).await;
    for (reply, result, words) in [
        (Reply::status(200), "ok", "answered 200"),
        (Reply::status(204), "warning", "must answer 200"),
        (Reply::status(405), "warning", "send a test"),
        (Reply::header(301, "location", "https://new.example/in"), "problem", "leads to: https://new.example/in"),
        (Reply::status(401), "problem", "signing secret"),
        (Reply::status(410), "problem", "copy the URL anew"),
        (Reply::status(429), "problem", "try again later"),
        (Reply::status(500), "problem", "its program fails"),
        (Reply::Close, "problem", "an HTTP server"),
    ] {
        receiver.script("/", [reply.clone()]);
        let diagnosis = diagnosed(&host, &subscription).await;
        let [found] = &of(&diagnosis, "endpoint")[..] else { panic!("{diagnosis:#}") };
        assert!(found.starts_with(result) && found.contains(words), "{reply:?}: {found}");
    }
    assert!(receiver.requests().iter().all(|request| request.method == "HEAD"));
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_a_problem() {
    let host = TestHost::start().await;
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let subscription = host.subscribe(&format!("http://{address}/"), json!({})).await;
    assert_found(
        &diagnosed(&host, &subscription).await,
        "endpoint",
        "problem",
        &["no connection", "the receiver runs"],
    );
}

#[test]
fn an_answer_that_takes_more_than_half_of_its_time_is_a_warning() {
    let subscription = fixtures::subscription("https://example.com/");
    let question = Handshake { kind: HandshakeKind::Head, success_codes: SuccessCodes::Any2xx, timeout_ms: 3_000 };
    let graded = |took_ms| {
        let answer = Answer { status: 200, headers: Vec::new(), body: "ok".into(), truncated: false };
        let (at, answered) = (fixtures::start(), "ok".to_owned());
        let report =
            HandshakeReport { at, passed: true, reason: String::new(), status: Some(200), took_ms, answer: answered };
        diagnose::endpoint(&subscription, &question, &Asked { report, result: Some(Ok(answer)) })
    };
    assert_eq!(graded(1_500).grade, Grade::Ok);
    let slow = graded(1_501);
    assert_eq!(slow.grade, Grade::Warning);
    assert!(slow.finding.ends_with("answered 200 in 1501 ms of 3000 allowed: ok"), "{}", slow.finding);
    assert!(slow.what_to_do.unwrap().contains("timeout_ms"));
}

#[tokio::test]
async fn why_the_last_events_did_not_match_is_told_with_examples() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    let of_deals = |more: Value| {
        let mut all = json!({"event_types": ["deal.created"]});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let plain = host.subscribe(&receiver.url("/plain"), of_deals(json!({}))).await;
    let diagnosis = diagnosed(&host, &plain).await;
    assert_found(&diagnosis, "events", "warning", &["there is no event in this space", "/v1/spaces/acme/events"]);

    host.post("lead.created", "{}").await;
    let diagnosis = diagnosed(&host, &plain).await;
    let words = ["1 events of this space, 0 match", "of another type: 1", "wants `deal.created`", "lead.created"];
    assert_found(&diagnosis, "events", "warning", &words);

    let event = host.post("deal.created", r#"{"value": 5}"#).await;
    assert_found(&diagnosed(&host, &plain).await, "events", "ok", &["2 events of this space, 1 match"]);

    let more = of_deals(json!({"condition": "event.data.value > 10"}));
    let conditional = host.subscribe(&receiver.url("/condition"), more).await;
    let id = event["id"].as_str().unwrap();
    let words = ["condition is false: 1", id, "`event.data.value > 10` against the data"];
    assert_found(&diagnosed(&host, &conditional).await, "events", "warning", &words);

    let more = of_deals(json!({"condition": "event.data.nothing > 10"}));
    let failing = host.subscribe(&receiver.url("/failing"), more).await;
    let words = ["condition cannot be told: 1", "nothing", "has("];
    assert_found(&diagnosed(&host, &failing).await, "events", "warning", &words);

    let more = of_deals(json!({"trigger": {"fields": ["value"]}}));
    let triggered = host.subscribe(&receiver.url("/trigger"), more).await;
    let words = ["without a change that triggers it: 1", "changed_fields"];
    assert_found(&diagnosed(&host, &triggered).await, "events", "warning", &words);
}

#[tokio::test]
async fn a_draft_that_chose_no_events_is_told_to_choose_some() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    let draft = host.subscribe(&receiver.url("/"), json!({"state": "draft", "event_types": []})).await;
    assert_found(&diagnosed(&host, &draft).await, "events", "problem", &["chooses no events", &path(&draft, "")]);
}

#[tokio::test]
async fn the_hosts_own_events_match_whoever_names_them_and_not_who_wants_all() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let all = host.subscribe(&receiver.url("/all"), json!({"retry": {"schedule_s": []}})).await;
    host.post("deal.created", "{}").await;
    for _ in 0..2 {
        host.advance(Duration::from_secs(3_600)).await;
    }
    let words = ["of the last 2 events of this space, 1 match", "(delivery.failed): it is the host's own"];
    assert_found(&diagnosed(&host, &all).await, "events", "ok", &words);
    let failures = json!({"event_types": ["delivery.failed"], "state": "draft"});
    let failures = host.subscribe(&receiver.url("/failures"), failures).await;
    assert_found(&diagnosed(&host, &failures).await, "events", "ok", &["2 events of this space, 1 match"]);
}

#[tokio::test]
async fn of_many_events_twenty_are_judged_and_five_shown_those_first_that_came_closest() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.post("deal.created", r#"{"value": 11}"#).await;
    for _ in 0..19 {
        host.post("lead.created", "{}").await;
    }
    host.advance(Duration::from_secs(1)).await;
    let more = json!({"event_types": ["deal.created"], "condition": "event.data.value < 11"});
    let subscription = host.subscribe(&receiver.url("/"), more).await;
    let [found] = &of(&diagnosed(&host, &subscription).await, "events")[..] else { panic!("not one") };
    assert!(found.contains("of the last 20 events of this space, 0 match; of another type: 19"), "{found}");
    assert_eq!(found.matches("(lead.created): ").count(), 4, "{found}");
    assert_eq!(found.matches("(deal.created): the condition is false").count(), 1, "{found}");

    host.ok(Method::PATCH, &path(&subscription, ""), json!({"condition": null})).await;
    let [found] = &of(&diagnosed(&host, &subscription).await, "events")[..] else { panic!("not one") };
    assert!(found.contains("before the subscription was made, and so not sent: 1"), "{found}");
    host.post("lead.created", "{}").await;
    assert_found(&diagnosed(&host, &subscription).await, "events", "warning", &["last 20", "0 match"]);
}

#[tokio::test]
async fn a_type_that_the_catalog_does_not_know_is_told_with_the_nearest_one() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.post("lead.created", "{}").await;
    let types = json!(["deal.craeted", "daels.*", "lead.*", "lead.created", "something.else", "delivery.failed", "*"]);
    let subscription = host.subscribe(&receiver.url("/"), json!({"event_types": types})).await;
    assert_eq!(of(&diagnosed(&host, &subscription).await, "events").len(), 1, "there is no catalog");
    for kind in ["deal.created", "deal.updated", "deal.status.changed"] {
        put_event_type(&host, kind, json!({})).await;
    }
    let found = of(&diagnosed(&host, &subscription).await, "events");
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[1].starts_with("warning: the subscription wants `deal.craeted`"), "{}", found[1]);
    assert!(found[1].contains("did you mean `deal.created`?"), "{}", found[1]);
    assert!(found[2].contains("did you mean `deal.*`?"), "{}", found[2]);
    assert!(found[3].contains("`something.else`") && !found[3].contains("did you mean"), "{}", found[3]);
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
    assert_found(&diagnosed(&host, &skips).await, "plugin", "warning", &["sends nothing", "a test deal"]);
    let none = host.subscribe(&receiver.url("/none"), json!({})).await;
    assert_found(&diagnosed(&host, &none).await, "plugin", "ok", &["the default shape makes a POST"]);
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
    assert!(stdout.lines().nth(at + 1).unwrap().trim_start().starts_with("→ look into the receiver's log"), "{stdout}");
}
