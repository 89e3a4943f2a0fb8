//! Mails: sent once, to whoever takes them, and later if they cannot be sent now.

use hookmill_server::config::{Config, MailConfig};
use hookmill_server::mail::Mailer;
use reqwest::Method;
use serde_json::json;

use super::{
    HOUR, MINUTE, SECOND, fail, host_configured, host_with, lead_subscription, lead_subscription_with, through, told,
};
use crate::support::receiver::{Receiver, Reply};
use crate::support::smtp::SmtpServer;

#[tokio::test]
async fn a_mail_server_that_is_down_delays_mails_and_loses_none_and_events_do_not_wait_for_it() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let mut host = host_with(&smtp).await;
    lead_subscription(&host, &receiver.url("/")).await;
    let address = smtp.address();
    drop(smtp);
    fail(&mut host, 2).await;
    host.advance(MINUTE).await;
    assert_eq!(told(&host).await.len(), 1);
    // Tried after 1, 2, 4 minutes, and through a restart.
    host.advance(MINUTE).await;
    let mut host = host.restart().await;
    host.advance(2 * MINUTE).await;
    let smtp = SmtpServer::start_at(address).await;
    host.advance(4 * MINUTE - SECOND).await;
    assert_eq!(smtp.mails().len(), 0);
    host.advance(SECOND).await;
    assert_eq!(smtp.mails().len(), 1);
    assert!(smtp.mails()[0].text().contains("2 deliveries since"));
    host.advance(2 * HOUR).await;
    assert_eq!((told(&host).await.len(), smtp.mails().len()), (1, 1));
}

#[tokio::test]
async fn a_mail_that_is_refused_for_the_time_being_is_tried_every_hour_and_given_up_after_five_days() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let mut host = host_with(&smtp).await;
    lead_subscription(&host, &receiver.url("/")).await;
    smtp.answer(Some(451));
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    for _ in 0..4 * 24 {
        host.advance(HOUR).await;
    }
    smtp.answer(None);
    host.advance(HOUR).await;
    assert_eq!(smtp.mails().len(), 1);

    smtp.answer(Some(451));
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    assert_eq!(told(&host).await.len(), 2);
    host.advance(5 * 24 * HOUR).await;
    let logged = host.errors.take();
    assert!(logged.len() == 1 && logged[0].contains("mail abandoned"), "{logged:?}");
    smtp.answer(None);
    host.advance(24 * HOUR).await;
    assert_eq!(smtp.mails().len(), 1);
}

#[tokio::test]
async fn an_address_that_is_refused_does_not_keep_the_mail_from_the_others() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let mut host = host_with(&smtp).await;
    lead_subscription(&host, &receiver.url("/")).await;
    smtp.refuse("ada@acme.example");
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    assert_eq!(smtp.mails()[0].to, ["bob@acme.example"]);
    host.advance(2 * HOUR).await;
    assert_eq!(smtp.mails().len(), 1);
}

#[tokio::test]
async fn names_and_reasons_of_others_stay_where_they_belong_in_a_mail() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let mut host = host_with(&smtp).await;
    let injected = json!({"name": "x\r\nBcc: eve@evil.example", "url": receiver.url("/"), "event_types": ["*"]});
    let (status, _) = host.call(Method::POST, "/v1/spaces/acme/subscriptions", injected).await;
    assert_eq!(status, 422);
    let name = format!("Żółw & Syn 📦 =?utf-8?q?x?= Bcc: eve@evil.example {}", "długo ".repeat(20).trim_end());
    lead_subscription_with(&host, &receiver.url("/"), json!({"name": name})).await;
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;

    let mail = smtp.mails().remove(0);
    assert_eq!(mail.header("Subject"), format!("Webhook “{name}” is failing"));
    assert!(mail.text().contains(&name), "{}", mail.text());
    assert_eq!(mail.to, ["ada@acme.example", "bob@acme.example"]);
    let mut names = mail.header_names();
    names.sort_unstable();
    let expected =
        ["Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "Message-ID", "Subject", "To"];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn the_mail_server_gets_the_configured_user_and_password() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    smtp.want_login("mill", "p@ss/word");
    receiver.otherwise(Reply::status(500));
    let url = format!("smtp://mill:p%40ss%2Fword@{}", smtp.address());
    let mut host = host_configured(move |config| config.mail = through(url)).await;
    lead_subscription(&host, &receiver.url("/")).await;
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    assert_eq!(smtp.mails().len(), 1);
}

#[tokio::test]
async fn nothing_is_mailed_in_clear_where_tls_is_required() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let url = format!("smtp://mill:secret@{}?tls=required", smtp.address());
    let mut host = host_configured(move |config| config.mail = through(url)).await;
    lead_subscription(&host, &receiver.url("/")).await;
    fail(&mut host, 1).await;
    host.advance(MINUTE).await;
    assert_eq!((told(&host).await.len(), smtp.mails().len()), (1, 0));
}

#[test]
fn a_wrong_mail_configuration_is_named_and_the_password_is_not_shown() {
    for (smtp_url, from, part) in [
        ("http://mill:secret@localhost", "hookmill@mill.example", "mail.smtp_url"),
        ("no url with secret", "hookmill@mill.example", "mail.smtp_url"),
        ("smtp://mill:secret@localhost", "nobody", "mail.from"),
    ] {
        let config = MailConfig { smtp_url: smtp_url.to_owned(), from: from.to_owned() };
        let error = anyhow::Error::from(Mailer::new(&config).err().unwrap());
        assert!(error.to_string().contains(part), "{error:#}");
        assert!(!format!("{error:#} {error:?} {config:?}").contains("secret"), "{error:?}");
    }
}

#[test]
fn the_configuration_has_parts_for_mail_and_notices() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hookmill.toml");
    let text = "[mail]\nsmtp_url = \"smtps://u:p@mail.example\"\nfrom = \"a@b.example\"\n[notify]\nquiet_s = 5\n";
    std::fs::write(&file, text).unwrap();
    let config = Config::read(&file).unwrap();
    assert_eq!(config.mail.unwrap().smtp_url, "smtps://u:p@mail.example");
    assert_eq!((config.notify.window_s, config.notify.quiet_s), (60, 5));
    std::fs::write(&file, "[mail]\nsmtp_url = \"smtps://mail.example\"\n").unwrap();
    assert!(format!("{:#}", Config::read(&file).unwrap_err()).contains("from"));
}

#[tokio::test]
async fn a_mail_of_a_pause_for_the_plugins_sake_says_so_and_how_to_go_back() {
    let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
    let mut host = host_with(&smtp).await;
    let plugin = json!({"name": "jq", "config": {"program": "error(\"no owner\")"}, "pause_after": 2});
    let subscription = lead_subscription_with(&host, &receiver.url("/"), json!({"plugin": plugin})).await;
    fail(&mut host, 2).await;
    let text = smtp.mails().remove(0).text();
    for part in [
        "its plugin keeps failing",
        "the plugin failed 2 times in a row; last failure: ",
        "no owner",
        &format!("POST /v1/spaces/acme/subscriptions/{}/rollback", subscription["id"].as_str().unwrap()),
        "once the plugin works",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
