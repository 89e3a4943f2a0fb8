//! Where a group of failures ends, and how long it is quiet.

use reqwest::Method;
use serde_json::Value;

use super::{MINUTE, SECOND, fail, host_with, lead_subscription, told};
use crate::support::receiver::{Receiver, Reply};
use crate::support::smtp::SmtpServer;

#[tokio::test]
async fn a_success_in_between_begins_a_new_group() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    let mut host = host_with(&smtp).await;
    lead_subscription(&host, &receiver.url("/")).await;
    receiver.otherwise(Reply::status(500));
    fail(&mut host, 2).await;
    host.advance(MINUTE).await;
    receiver.otherwise(Reply::status(204));
    fail(&mut host, 1).await;
    receiver.otherwise(Reply::status(500));
    fail(&mut host, 1).await;
    // An hour after the last failure that was told, which was a minute ago.
    host.advance(59 * MINUTE - SECOND).await;
    assert_eq!(smtp.mails().len(), 1);
    host.advance(SECOND).await;
    assert_eq!(smtp.mails().len(), 2);
    assert_eq!(told(&host).await[1]["data"]["count"], 1);
}

#[tokio::test]
async fn a_success_before_anybody_was_told_does_not_hide_what_failed() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    let mut host = host_with(&smtp).await;
    lead_subscription(&host, &receiver.url("/")).await;
    receiver.script("/", [Reply::status(500), Reply::status(204)]);
    fail(&mut host, 1).await;
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    assert_eq!(told(&host).await[0]["data"]["count"], 1);
    // That group has ended: the next failure waits an hour, not a day.
    receiver.script("/", [Reply::status(500)]);
    fail(&mut host, 1).await;
    host.advance(59 * MINUTE).await;
    assert_eq!((told(&host).await.len(), smtp.mails().len()), (1, 1));
    host.advance(MINUTE).await;
    assert_eq!((told(&host).await.len(), smtp.mails().len()), (2, 2));
}

#[tokio::test]
async fn what_failed_in_the_quiet_time_is_told_although_a_delivery_succeeded_since() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    let mut host = host_with(&smtp).await;
    lead_subscription(&host, &receiver.url("/")).await;
    receiver.script("/", [500, 500, 500, 204].map(Reply::status));
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    fail(&mut host, 2).await;
    fail(&mut host, 1).await;
    host.advance(60 * MINUTE).await;
    assert_eq!(smtp.mails().len(), 2);
    assert_eq!(told(&host).await[1]["data"]["count"], 3);
}

#[tokio::test]
async fn a_receiver_that_fails_now_and_then_is_one_mail_an_hour() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    let mut host = host_with(&smtp).await;
    lead_subscription(&host, &receiver.url("/")).await;
    for _ in 0..3 * 60 {
        receiver.script("/", [Reply::status(500), Reply::status(204)]);
        fail(&mut host, 1).await;
        fail(&mut host, 1).await;
        host.advance(MINUTE).await;
    }
    assert_eq!(smtp.mails().len(), 3);
}

#[tokio::test]
async fn what_failed_of_a_deleted_subscription_is_told_to_nobody() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let mut host = host_with(&smtp).await;
    let subscription = lead_subscription(&host, &receiver.url("/")).await;
    fail(&mut host, 1).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    host.ok(Method::DELETE, &path, Value::Null).await;
    host.advance(MINUTE).await;
    assert_eq!((told(&host).await.len(), smtp.mails().len()), (0, 0));
}
