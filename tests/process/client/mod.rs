//! The commands that do what the pages do: the real binary against a real host.

mod deliveries;
mod hosts;
mod listen;
mod subscriptions;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::Shell;
use crate::support::host::TestHost;

/// A host with the space `acme`, and somebody at a shell with its admin key.
async fn start() -> (TestHost, Shell) {
    let host = TestHost::start().await;
    let shell = Shell::at(&host.base, &host.key);
    (host, shell)
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_are_created_listed_shown_and_deleted() {
    let (_host, shell) = start().await;
    let made =
        shell.ok(&["spaces", "create", "globex", "--name", "Globex", "--administrator", "ann@example.com"]).await;
    assert!(made.starts_with("created globex\n"), "{made}");
    let list = shell.ok(&["spaces", "list"]).await;
    let lines: Vec<_> = list.lines().collect();
    assert_eq!(lines.len(), 3, "{list}");
    assert!(lines[0].starts_with("ID      NAME    CREATED") && lines[2].starts_with("globex  Globex  "), "{list}");
    let shown = shell.ok(&["spaces", "show", "globex"]).await;
    assert!(shown.contains("administrators  ann@example.com\n"), "{shown}");
    assert!(shell.ok(&["spaces", "show", "acme", "--json"]).await.starts_with(r#"{"id":"acme","name":"Acme""#));

    let unasked = shell.run(&["spaces", "delete", "globex"]).await;
    assert_eq!(unasked.code, 2);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    assert_eq!(shell.ok(&["spaces", "delete", "globex", "--yes"]).await, "deleted globex\n");
    assert!(!shell.ok(&["spaces", "list"]).await.contains("globex"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_printed_once_and_works_until_it_is_deleted() {
    let (host, shell) = start().await;
    let made = shell.ok(&["keys", "create", "shop", "--role", "read", "--requests-per-s", "100"]).await;
    let key = made.lines().last().unwrap();
    assert!(key.starts_with("hmk_"), "{made}");
    let reader = Shell::at(&host.base, key);
    reader.ok(&["subscriptions", "list"]).await;
    let refused = reader.run(&["events", "send", "deal.won", "--data", "{}"]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("403 Forbidden") && refused.stderr.contains("keys create"), "{}", refused.stderr);

    let list = shell.ok(&["keys", "list", "--json"]).await;
    assert!(!list.contains(key));
    let list: Value = serde_json::from_str(&list).unwrap();
    let made = list["data"].as_array().unwrap().iter().find(|key| key["name"] == "shop").unwrap();
    assert_eq!((&made["space"], &made["requests_per_s"]), (&json!("acme"), &json!(100)));
    shell.ok(&["keys", "delete", made["id"].as_str().unwrap(), "--yes"]).await;
    let unknown = reader.run(&["subscriptions", "list"]).await;
    assert!(unknown.stderr.contains("401") && unknown.stderr.contains("HOOKMILL_KEY"), "{}", unknown.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn event_types_are_set_with_their_numbers_as_written() {
    let (_host, shell) = start().await;
    let example = shell.config().join("example.json");
    std::fs::write(&example, r#"{"value": 12.50}"#).unwrap();
    let args = ["event-types", "set", "deal.won", "--description", "A deal was won", "--example"];
    shell.ok(&[&args[..], &[example.to_str().unwrap()]].concat()).await;
    let shown = shell.ok(&["event-types", "show", "deal.won"]).await;
    assert!(shown.contains("A deal was won\n") && shown.contains("\"value\": 12.50"), "{shown}");
    assert!(shell.ok(&["event-types", "show", "deal.won", "--json"]).await.contains("12.50"));
    let schema = shell.run_with(&["event-types", "set", "a/b", "--schema", "-"], r#"{"type": "object"}"#).await;
    assert_eq!((schema.code, schema.stdout.as_str()), (0, "saved a/b\n"), "{}", schema.stderr);
    shell.ok(&["event-types", "load", "livespace"]).await;
    let list = shell.ok(&["event-types", "list", "--limit", "3"]).await;
    assert_eq!(list.lines().count(), 4, "{list}");
    shell.ok(&["event-types", "delete", "a/b", "--yes"]).await;
    let gone = shell.run(&["event-types", "show", "a/b"]).await;
    assert_eq!((gone.code, gone.stderr.contains("event-types list")), (2, true), "{}", gone.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_sent_exactly_as_written() {
    let (host, shell) = start().await;
    host.subscribe("http://127.0.0.1:9/", json!({})).await;
    let sent =
        shell.run_with(&["events", "send", "deal.won", "--file", "-", "--id", "d-7"], "{\"value\": 12.50}\n").await;
    assert_eq!(sent.code, 0, "{}", sent.stderr);
    assert!(sent.stdout.starts_with("accepted d-7, deliveries: 1\n"), "{}", sent.stdout);
    let stored = shell.run(&["deliveries", "list", "--event", "d-7", "--json"]).await.json();
    assert_eq!(stored["data"][0]["event_type"], "deal.won");
    let event = host.ok(Method::GET, "/v1/spaces/acme/events/d-7", Value::Null).await;
    assert_eq!(event["data"].to_string(), r#"{"value":12.50}"#);
    let wrong = shell.run(&["events", "send", "deal.won", "--data", "{value: 1}"]).await;
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("the data is not JSON"), "{}", wrong.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_shell_gets_its_completions() {
    let shell = Shell::empty();
    for (name, mark) in
        [("bash", "complete -F _hookmill"), ("zsh", "#compdef hookmill"), ("fish", "complete -c hookmill")]
    {
        let text = shell.ok(&["completions", name]).await;
        assert!(text.contains(mark) && text.contains("deliveries") && text.contains("public-url"), "{name}");
        // The commands that the host starts are nobody's to complete.
        assert!(!text.contains("address space") || name != "fish", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pipe_ends_a_command_in_good_order() {
    let (host, shell) = start().await;
    let lines: String = (0..200).map(|n| format!("{{\"type\":\"a\",\"data\":{n},\"id\":\"e-{n}\"}}\n")).collect();
    host.subscribe("http://127.0.0.1:9/", json!({})).await;
    host.post_lines(&lines).await;
    let program = format!("{} deliveries list --limit 200 --json | head -c 10", crate::support::host::BINARY);
    let script = format!("set -o pipefail; {program}");
    let mut command = tokio::process::Command::new("bash");
    command.args(["-c", &script]).env("HOOKMILL_URL", &host.base).env("HOOKMILL_KEY", &host.key);
    let output = command.env("HOOKMILL_SPACE", "acme").env("XDG_CONFIG_HOME", shell.config()).output().await.unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 10));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
