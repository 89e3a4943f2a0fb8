//! Who learns of failures: subscribers of operational events, and administrators by mail; in groups.

mod groups;
mod mail;
mod restart;
mod test_mail;

use std::time::Duration;

use hookmill_server::config::{Config, MailConfig};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};
use crate::support::smtp::SmtpServer;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn through(url: String) -> Option<MailConfig> {
    Some(MailConfig { smtp_url: url, from: "Hookmill <hookmill@mill.example>".to_owned() })
}

/// A host that mails through this server, with two administrators.
async fn host_with(smtp: &SmtpServer) -> TestHost {
    let url = smtp.url();
    host_configured(move |config| config.mail = through(url)).await
}

async fn host_configured(change: impl FnOnce(&mut Config)) -> TestHost {
    let host = TestHost::start_with(change).await;
    let both = json!({"administrators": ["ada@acme.example", "bob@acme.example"]});
    host.ok(Method::PATCH, "/v1/spaces/acme", both).await;
    host
}

/// A subscription that is tried once for each event of `lead.create`, and of which administrators are told.
async fn lead_subscription(host: &TestHost, url: &str) -> Value {
    lead_subscription_with(host, url, json!({})).await
}

async fn lead_subscription_with(host: &TestHost, url: &str, more: Value) -> Value {
    let mut members = json!({"event_types": ["lead.create"], "retry": {"schedule_s": []}, "notify_on_failure": true, "name": "Leads"});
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    host.subscribe(url, members).await
}

async fn post_leads(host: &TestHost, count: usize) {
    for _ in 0..count {
        host.post("lead.create", "{}").await;
    }
}

async fn fail(host: &mut TestHost, count: usize) {
    post_leads(host, count).await;
    host.settle().await;
}

/// The operational events, oldest first, with their data.
async fn told(host: &TestHost) -> Vec<Value> {
    let list = host.ok(Method::GET, "/v1/spaces/acme/events?limit=200", Value::Null).await;
    let mut found = Vec::new();
    for event in list["data"].as_array().unwrap().iter().rev().filter(|event| event["type"] != "lead.create") {
        let path = format!("/v1/spaces/acme/events/{}", event["id"].as_str().unwrap());
        found.push(host.ok(Method::GET, &path, Value::Null).await);
    }
    found
}

async fn told_types(host: &TestHost) -> Vec<String> {
    told(host).await.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_dead_receiver_of_a_thousand_events_is_one_event_and_one_mail_to_all_administrators() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let mut host = host_with(&smtp).await;
    let subscription = lead_subscription(&host, &receiver.url("/in?token=abc")).await;
    let id = subscription["id"].as_str().unwrap();
    let first_failed_at = host.clock.now();
    let lines = vec![r#"{"type":"lead.create","data":{}}"#; 999].join("\n");
    fail(&mut host, 1).await;
    host.advance(30 * SECOND).await;
    host.post_lines(&lines).await;
    host.settle().await;
    host.advance(29 * SECOND).await;
    assert_eq!((told(&host).await.len(), smtp.mails().len()), (0, 0));
    host.advance(SECOND).await;

    let event = told(&host).await.remove(0);
    assert_eq!(event["type"], "delivery.failed");
    let data = &event["data"];
    assert_eq!(data["subscription"], json!({"id": id, "name": "Leads", "url": receiver.url("/in")}));
    assert_eq!((&data["count"], &data["reason"]), (&json!(1_000), &json!("the receiver answered 500")));
    assert_eq!(data["first_failed_at"], first_failed_at.to_string());
    assert_eq!(data["last_failed_at"], (first_failed_at + 30 * SECOND).to_string());
    let last = data["delivery_id"].as_str().unwrap();
    assert_eq!(host.delivery_of(last).await["state"], "failed");

    let mail = smtp.mails().remove(0);
    assert_eq!(
        (mail.from.as_str(), &mail.to[..]),
        ("hookmill@mill.example", &["ada@acme.example", "bob@acme.example"].map(str::to_owned)[..])
    );
    assert_eq!(mail.header("Subject"), "Webhook “Leads” is failing");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert_eq!(mail.header("Message-ID"), format!("<{}@mill.example>", event["id"].as_str().unwrap()));
    let text = mail.text();
    for part in [
        &format!("Leads ({id})"),
        &receiver.url("/in"),
        &format!("1000 deliveries since {first_failed_at}, the last at {}", first_failed_at + 30 * SECOND),
        "the receiver answered 500",
        &format!("GET /v1/spaces/acme/deliveries?state=failed&subscription={id}"),
        &format!("POST /v1/spaces/acme/deliveries/{last}/resend"),
        "after 24 hours",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("token"), "{text}");

    fail(&mut host, 5).await;
    host.advance(24 * HOUR - SECOND).await;
    assert_eq!((told(&host).await.len(), smtp.mails().len()), (1, 1));
    host.advance(SECOND).await;
    assert_eq!((told(&host).await.len(), smtp.mails().len()), (2, 2));
    assert_eq!(told(&host).await[1]["data"]["count"], 1_005);
    host.advance(48 * HOUR).await;
    assert_eq!((told(&host).await.len(), smtp.mails().len()), (2, 2));
}

#[tokio::test]
async fn a_pause_is_told_at_once_with_the_failures_until_then_and_nothing_after_it() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    let mut host = host_with(&smtp).await;
    let subscription = lead_subscription(&host, &receiver.url("/")).await;
    let id = subscription["id"].as_str().unwrap();
    receiver.script("/", [Reply::status(500), Reply::status(500)]);
    receiver.otherwise(Reply::status(410));
    fail(&mut host, 1).await;
    fail(&mut host, 1).await;
    // In flight together: each is answered 410.
    let lines = vec![r#"{"type":"lead.create","data":{}}"#; 40].join("\n");
    host.post_lines(&lines).await;
    host.settle().await;

    let event = told(&host).await.remove(0);
    assert_eq!(event["type"], "subscription.paused");
    let data = &event["data"];
    assert_eq!((&data["reason"], &data["detail"]), (&json!("gone"), &json!("the receiver answered 410 Gone")));
    assert_eq!((&data["count"], &data["paused_at"]), (&json!(3), &json!(host.clock.now().to_string())));
    assert_eq!(data["subscription"]["id"], id);
    let mail = smtp.mails().remove(0);
    assert_eq!((mail.header("Subject").as_str(), mail.to.len()), ("Webhook “Leads” was paused", 2));
    let text = mail.text();
    for part in ["3 deliveries since", "410 Gone", &format!("POST /v1/spaces/acme/subscriptions/{id}/activate")] {
        assert!(text.contains(part), "{part}: {text}");
    }

    host.advance(MINUTE).await;
    host.advance(48 * HOUR).await;
    assert_eq!((told(&host).await.len(), smtp.mails().len()), (1, 1));
}

#[tokio::test]
async fn a_dead_receiver_that_is_paused_later_is_two_messages() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    let mut host = host_with(&smtp).await;
    lead_subscription(&host, &receiver.url("/")).await;
    receiver.otherwise(Reply::status(500));
    fail(&mut host, 20).await;
    host.advance(MINUTE).await;
    receiver.otherwise(Reply::status(410));
    fail(&mut host, 20).await;
    host.advance(48 * HOUR).await;
    assert_eq!(told_types(&host).await, ["delivery.failed", "subscription.paused"]);
    assert_eq!(smtp.mails().len(), 2);
}

#[tokio::test]
async fn activation_is_told_and_begins_a_new_group() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    let mut host = host_with(&smtp).await;
    let subscription = lead_subscription(&host, &receiver.url("/")).await;
    receiver.otherwise(Reply::status(410));
    fail(&mut host, 1).await;
    receiver.otherwise(Reply::status(500));
    let path = format!("/v1/spaces/acme/subscriptions/{}/activate", subscription["id"].as_str().unwrap());
    host.ok(Method::POST, &path, Value::Null).await;
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;

    assert_eq!(told_types(&host).await, ["subscription.paused", "subscription.activated", "delivery.failed"]);
    assert_eq!(told(&host).await[1]["data"]["subscription"]["id"], subscription["id"]);
    assert_eq!(told(&host).await[2]["data"]["count"], 1);
    let subjects: Vec<_> = smtp.mails().iter().map(|mail| mail.header("Subject")).collect();
    assert_eq!(subjects, ["Webhook “Leads” was paused", "Webhook “Leads” is failing"]);
    // Active already.
    host.ok(Method::POST, &path, Value::Null).await;
    host.settle().await;
    assert_eq!(told(&host).await.len(), 3);
}

#[tokio::test]
async fn without_notify_on_failure_administrators_or_a_mail_server_nobody_is_mailed() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let mut host = host_with(&smtp).await;
    lead_subscription_with(&host, &receiver.url("/"), json!({"notify_on_failure": false})).await;
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    assert_eq!((told(&host).await.len(), smtp.mails().len()), (1, 0));

    host.ok(Method::PATCH, "/v1/spaces/acme", json!({"administrators": null})).await;
    lead_subscription(&host, &receiver.url("/again")).await;
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    assert_eq!((told(&host).await.len(), smtp.mails().len()), (2, 0));

    let mut host = host_configured(|_| {}).await;
    lead_subscription(&host, &receiver.url("/")).await;
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    assert_eq!(told(&host).await.len(), 1);
}

#[tokio::test]
async fn operational_events_reach_who_names_them_and_never_a_star() {
    let receiver = Receiver::start().await;
    receiver.script("/dead", [Reply::status(500), Reply::status(410)]);
    let mut host = TestHost::start().await;
    lead_subscription(&host, &receiver.url("/dead")).await;
    for (path, types) in [
        ("/exactly", json!(["delivery.failed"])),
        ("/below", json!(["delivery.*", "subscription.*"])),
        ("/all", json!(["*"])),
        ("/both", json!(["*", "subscription.paused"])),
    ] {
        host.subscribe(&receiver.url(path), json!({"event_types": types})).await;
    }
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    fail(&mut host, 1).await;
    host.advance(48 * HOUR).await;

    let got = |path: &str| {
        let requests = receiver.requests().into_iter().filter(|request| request.target == path);
        let mut types: Vec<_> = requests
            .map(|request| {
                let event: Value = serde_json::from_str(request.text()).unwrap();
                event["type"].as_str().unwrap().to_owned()
            })
            .filter(|kind| kind != "lead.create")
            .collect();
        types.sort();
        types
    };
    assert_eq!(got("/exactly"), ["delivery.failed"]);
    assert_eq!(got("/below"), ["delivery.failed", "subscription.paused"]);
    assert_eq!(got("/all"), [""; 0]);
    assert_eq!(got("/both"), ["subscription.paused"]);
}

#[tokio::test]
async fn failing_to_tell_an_operational_event_makes_no_other() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let mut host = host_with(&smtp).await;
    lead_subscription(&host, &receiver.url("/leads")).await;
    let operational = json!({"event_types": ["delivery.failed", "subscription.*"], "name": "Ops"});
    lead_subscription_with(&host, &receiver.url("/failed"), operational.clone()).await;
    receiver.script("/gone", [Reply::status(410)]);
    lead_subscription_with(&host, &receiver.url("/gone"), operational).await;
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    host.advance(MINUTE).await;
    host.advance(48 * HOUR).await;

    assert_eq!(told_types(&host).await, ["delivery.failed"]);
    let paths: Vec<_> = receiver.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
    // That it was paused is told by mail, which makes no end of anything.
    let mut subjects: Vec<_> = smtp.mails().iter().map(|mail| mail.header("Subject")).collect();
    subjects.sort();
    assert_eq!(subjects, ["Webhook “Leads” is failing", "Webhook “Ops” was paused"]);
}

#[tokio::test]
async fn producers_cannot_post_operational_events() {
    let host = TestHost::start().await;
    for kind in ["delivery.failed", "subscription.paused", "subscription.activated"] {
        let event = json!({"type": kind, "data": {}});
        let (status, answer) = host.call(Method::POST, "/v1/spaces/acme/events", event).await;
        assert_eq!((status.as_u16(), &answer["field"]), (422, &json!("/type")), "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains("reserved for the host's own events"), "{answer}");
    }
    host.post("subscription.created", "{}").await;
}

#[tokio::test]
async fn the_loops_wake_when_something_is_due_and_at_once_for_a_pause() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    let mut host = host_with(&smtp).await;
    lead_subscription(&host, &receiver.url("/")).await;
    let shutdown = CancellationToken::new();
    let loops = tokio::spawn(hookmill_server::notify::run(host.host.clone(), shutdown.clone()));
    receiver.script("/", [Reply::status(500), Reply::status(410)]);
    post_leads(&host, 1).await;
    host.deliver().await;
    host.clock.advance(MINUTE);
    assert_eq!(smtp.wait_for(1).await[0].header("Subject"), "Webhook “Leads” is failing");
    post_leads(&host, 1).await;
    host.deliver().await;
    assert_eq!(smtp.wait_for(2).await[1].header("Subject"), "Webhook “Leads” was paused");
    shutdown.cancel();
    loops.await.unwrap();
}

#[tokio::test]
async fn the_mail_of_a_pause_that_makes_no_event_is_sent_at_once_too() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    let mut host = host_with(&smtp).await;
    lead_subscription(&host, &receiver.url("/leads")).await;
    let operational = json!({"event_types": ["delivery.failed"], "name": "Ops", "delay_s": 1});
    lead_subscription_with(&host, &receiver.url("/ops"), operational).await;
    receiver.script("/leads", [Reply::status(500)]);
    receiver.script("/ops", [Reply::status(410)]);
    let shutdown = CancellationToken::new();
    let loops = tokio::spawn(hookmill_server::notify::run(host.host.clone(), shutdown.clone()));
    post_leads(&host, 1).await;
    host.deliver().await;
    host.clock.advance(MINUTE);
    smtp.wait_for(1).await;
    // While these are committed, the loop of mails goes back to sleep.
    for _ in 0..10 {
        host.post("other.event", "{}").await;
    }
    host.clock.advance(SECOND);
    host.deliver().await;
    assert_eq!(smtp.wait_for(2).await[1].header("Subject"), "Webhook “Ops” was paused");
    shutdown.cancel();
    loops.await.unwrap();
}

#[tokio::test]
async fn a_running_host_tells_by_itself() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let url = smtp.url();
    let host = host_configured(move |config| {
        config.mail = through(url);
        config.notify.window_s = 0;
    })
    .await;
    lead_subscription(&host, &receiver.url("/")).await;
    let (listener, shutdown) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), CancellationToken::new());
    let router = hookmill_api::router(host.host.clone()).await.unwrap();
    let running = tokio::spawn(hookmill_api::run(host.host.clone(), router, listener, shutdown.clone()));
    post_leads(&host, 1).await;
    assert!(smtp.wait_for(1).await[0].text().contains("1 delivery, at"));
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
