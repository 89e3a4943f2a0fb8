//! The test of a space's mails.

use reqwest::Method;
use serde_json::{Value, json};

use super::{MINUTE, SECOND, host_configured, host_with, through};
use crate::support::host::TestHost;
use crate::support::smtp::SmtpServer;

const PATH: &str = "/v1/spaces/acme/test-notification";

async fn refused(host: &TestHost) -> (u16, String) {
    let (status, problem) = host.call(Method::POST, PATH, "").await;
    (status.as_u16(), problem["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_test_mail_goes_to_all_administrators_once_a_minute_in_a_space() {
    let smtp = SmtpServer::start().await;
    let host = host_with(&smtp).await;
    host.ok(Method::PATCH, "/v1/spaces/acme", json!({"name": "Acmé\u{a0}GmbH"})).await;
    let sent = host.ok(Method::POST, PATH, Value::Null).await;
    assert_eq!(sent, json!({"sent_to": ["ada@acme.example", "bob@acme.example"]}));
    let mail = smtp.mails().remove(0);
    assert_eq!(mail.to, ["ada@acme.example", "bob@acme.example"]);
    assert!(mail.header("Subject").contains("Acmé\u{a0}GmbH"), "{}", mail.header("Subject"));
    assert!(mail.text().contains("This mail is a test") && mail.text().contains("(acme)"), "{}", mail.text());

    assert_eq!(refused(&host).await, (429, "quota_exceeded".to_owned()));
    // Another space has its own minute.
    let other = json!({"id": "other", "administrators": ["eve@other.example"]});
    host.ok(Method::POST, "/v1/spaces", other).await;
    host.ok(Method::POST, "/v1/spaces/other/test-notification", Value::Null).await;
    host.clock.advance(MINUTE - SECOND);
    assert_eq!(refused(&host).await, (429, "quota_exceeded".to_owned()));
    host.clock.advance(SECOND);
    host.ok(Method::POST, PATH, Value::Null).await;
    assert_eq!(smtp.mails().len(), 3);
}

#[tokio::test]
async fn a_test_says_what_is_missing_and_what_the_mail_server_answers() {
    let host = host_configured(|_| {}).await;
    assert_eq!(refused(&host).await, (409, "mail_unavailable".to_owned()));
    let smtp = SmtpServer::start().await;
    let url = smtp.url();
    let host = host_configured(move |config| config.mail = through(url)).await;
    host.ok(Method::PATCH, "/v1/spaces/acme", json!({"administrators": null})).await;
    assert_eq!(refused(&host).await, (409, "mail_unavailable".to_owned()));
    host.ok(Method::PATCH, "/v1/spaces/acme", json!({"administrators": ["ada@acme.example"]})).await;
    smtp.answer(Some(451));
    let (status, problem) = host.call(Method::POST, PATH, "").await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("mail_failed")));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("the mail server did not accept the mail: ") && detail.contains("451"), "{detail}");
    host.clock.advance(MINUTE);
    drop(smtp);
    assert_eq!(refused(&host).await, (422, "mail_failed".to_owned()));
}
