//! `hookmill deliveries`.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::start;
use crate::support::receiver::{Receiver, Reply};

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_is_found_explained_and_sent_again() {
    let ((mut host, shell), receiver) = (start().await, Receiver::start().await);
    receiver.otherwise(Reply::body(503, r#"{"error":"down","n":1.50}"#));
    host.subscribe(&receiver.url("/hook"), json!({"retry": {"schedule_s": [60]}})).await;
    host.post("deal.won", r#"{"value":12.50}"#).await;
    host.settle().await;
    let list = shell.ok(&["deliveries", "list"]).await;
    assert!(list.contains("  retrying  ") && list.contains("  deal.won  "), "{list}");
    host.advance(Duration::from_secs(70)).await;

    let failed = shell.run(&["deliveries", "list", "--state", "failed", "--status", "5xx", "--json"]).await.json();
    let id = failed["data"][0]["id"].as_str().unwrap();
    let shown = shell.ok(&["deliveries", "show", id]).await;
    for part in
        ["failed", "attempt 2  rejected", "→ POST http://", "← 503", "\"n\": 1.50", "12.50", "hookmill diagnose sub_"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(shell.ok(&["deliveries", "show", id, "--json"]).await.contains(r#"\"n\":1.50"#));

    receiver.otherwise(Reply::status(200));
    receiver.take(2).await;
    let said = shell.ok(&["deliveries", "resend", id]).await;
    assert_eq!(said, format!("{id} is retrying\n"));
    host.settle().await;
    assert!(receiver.take(1).await[0].text().contains("12.50"));
    assert!(shell.ok(&["deliveries", "list", "--since", "2h"]).await.contains("  delivered  "));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_deliveries_one_that_is_refused_does_not_stop_the_others() {
    let (host, shell) = start().await;
    host.subscribe("http://127.0.0.1:9/", json!({"delay_s": 60})).await;
    host.post("a", "1").await;
    let list = shell.run(&["deliveries", "list", "--json"]).await.json();
    let id = list["data"][0]["id"].as_str().unwrap();
    let ran = shell.run(&["deliveries", "cancel", "dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E", id]).await;
    assert_eq!((ran.code, ran.stdout), (1, format!("{id} is cancelled\n")));
    assert!(ran.stderr.contains("404") && ran.stderr.contains("1 of 2 were refused"), "{}", ran.stderr);
    let wrong = shell.run(&["deliveries", "list", "--since", "yesterday"]).await;
    assert_eq!((wrong.code, wrong.stderr.contains("15m")), (2, true), "{}", wrong.stderr);
    let none = shell.ok(&["deliveries", "list", "--state", "held"]).await;
    assert!(none.starts_with("no such deliveries"), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_followed_as_they_are_made_and_change() {
    let ((mut host, shell), receiver) = (start().await, Receiver::start().await);
    host.subscribe(&receiver.url("/"), json!({})).await;
    host.post("before", "1").await;
    host.settle().await;
    let mut tail = shell.command(&["deliveries", "tail", "--event-type", "deal.*"]);
    let mut child = tail.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(notes.next_line().await.unwrap().unwrap().contains("Ctrl-C"));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    host.post("other", "1").await;
    host.post("deal.won", "1").await;
    let line = lines.next_line().await.unwrap().unwrap();
    assert!(line.contains("  pending    deal.won"), "{line}");
    host.settle().await;
    let line = lines.next_line().await.unwrap().unwrap();
    assert!(line.contains("  delivered  deal.won"), "{line}");
}
