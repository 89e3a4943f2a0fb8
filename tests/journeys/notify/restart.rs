//! What is to be told lies in rows: a host that ends in the middle loses nothing and tells nothing twice.

use reqwest::Method;
use serde_json::json;

use super::{HOUR, MINUTE, fail, host_with, lead_subscription, post_leads, told, told_types};
use crate::support::receiver::{Receiver, Reply};
use crate::support::smtp::SmtpServer;

#[tokio::test]
async fn what_failed_before_a_restart_is_told_after_it_and_once() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let mut host = host_with(&smtp).await;
    lead_subscription(&host, &receiver.url("/")).await;
    receiver.script("/told", [Reply::status(204)]);
    host.subscribe(&receiver.url("/told"), json!({"event_types": ["delivery.failed"]})).await;
    post_leads(&host, 3).await;
    host.deliver().await;
    let mut host = host.restart().await;
    host.settle().await;
    assert_eq!(smtp.mails().len(), 0);
    host.clock.advance(MINUTE);
    let mut host = host.restart().await;
    host.settle().await;
    let mut host = host.restart().await;
    host.advance(MINUTE).await;

    assert_eq!(told_types(&host).await, ["delivery.failed"]);
    assert_eq!(told(&host).await[0]["data"]["count"], 3);
    assert_eq!(receiver.requests().iter().filter(|request| request.target == "/told").count(), 1);
    assert_eq!(smtp.mails().len(), 1);
    assert!(smtp.mails()[0].text().contains("3 deliveries since"));
}

#[tokio::test]
async fn an_event_that_was_made_before_a_crash_is_not_made_again_though_the_subscription_was_renamed() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let mut host = host_with(&smtp).await;
    let subscription = lead_subscription(&host, &receiver.url("/")).await;
    receiver.script("/told", [Reply::status(204)]);
    host.subscribe(&receiver.url("/told"), json!({"event_types": ["delivery.*"]})).await;
    smtp.answer(Some(451));
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    for change in [json!({}), json!({"name": "Renamed"})] {
        host.ok(Method::PATCH, &path, change).await;
        // As if the process had ended between the event's commit and the next.
        assert_eq!(host.database().execute("UPDATE notices SET stage = 'event', due_at = at", []).unwrap(), 1);
        host = host.restart().await;
        host.settle().await;
    }
    smtp.answer(None);
    host.advance(HOUR).await;

    assert_eq!(told(&host).await.len(), 1);
    assert_eq!(receiver.requests().iter().filter(|request| request.target == "/told").count(), 1);
    assert_eq!(smtp.mails().len(), 1);
}
