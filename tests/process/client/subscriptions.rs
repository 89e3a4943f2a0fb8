//! `hookmill subscriptions`.

use reqwest::Method;
use serde_json::{Value, json};

use super::start;
use crate::support::client::Shell;
use crate::support::host::TestHost;
use crate::support::script;

async fn created(shell: &Shell, more: &[&str]) -> Value {
    let args = ["subscriptions", "create", "--name", "Won deals", "--to", "http://127.0.0.1:9/hook", "--json"];
    let ran = shell.run(&[&args[..], more].concat()).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()
}

async fn stored(host: &TestHost, id: &str) -> Value {
    host.ok(Method::GET, &format!("/v1/spaces/acme/subscriptions/{id}"), Value::Null).await
}

/// An editor that runs this sed command on the file.
fn editor(shell: &Shell, sed: &str) -> String {
    let path = shell.config().join("editor");
    script(&path, &format!("sed -i -e '{sed}' \"$1\" && cp \"$1\" \"{}\"", shell.config().join("edited").display()));
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_created_from_flags_listed_paused_activated_and_deleted() {
    let (_host, shell) = start().await;
    let condition = r#"event.data.status == "won""#;
    let flags = ["--event-type", "deal.*", "--condition", condition, "--plugin", "zapier@^1", "--delay-s", "5"];
    let made = created(&shell, &flags).await;
    let id = made["id"].as_str().unwrap();
    assert_eq!((&made["state"], &made["delay_s"]), (&json!("active"), &json!(5)));
    assert_eq!((&made["plugin"]["follows"], &made["condition"]), (&json!("^1"), &json!(condition)));

    let list = shell.ok(&["subscriptions", "list"]).await;
    let line = list.lines().nth(1).unwrap();
    assert!(line.starts_with(&format!("{id}  active  Won deals  ")) && line.contains("never"), "{list}");
    assert!(line.ends_with("deal.*  http://127.0.0.1:9/hook"), "{list}");
    let shown = shell.ok(&["subscriptions", "show", id]).await;
    assert!(shown.contains("zapier 1.") && shown.contains("delay               5 s\n"), "{shown}");
    assert!(shell.ok(&["subscriptions", "secret", id]).await.starts_with("whsec_"));

    assert_eq!(shell.ok(&["subscriptions", "pause", id]).await, format!("{id} is paused\n"));
    assert!(shell.ok(&["subscriptions", "list"]).await.contains("paused"));
    assert_eq!(shell.ok(&["subscriptions", "activate", id]).await, format!("{id} is active\n"));
    shell.ok(&["subscriptions", "delete", id, "--yes"]).await;
    let empty = shell.ok(&["subscriptions", "list"]).await;
    assert_eq!(empty, "no subscriptions; next: hookmill subscriptions create --help\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_override_the_file_of_a_new_subscription() {
    let (_host, shell) = start().await;
    let file = shell.config().join("subscription.json");
    let plugin = r#""plugin": {"name": "jq", "config": {"program": ".", "n": 12.50}}"#;
    std::fs::write(&file, format!(r#"{{"name": "a", "event_types": ["*"], {plugin}}}"#)).unwrap();
    let ran =
        shell.run(&["subscriptions", "create", "--file", file.to_str().unwrap(), "--to", "http://127.0.0.1:9/"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("422") && ran.stderr.contains("/plugin/config: Additional"), "{}", ran.stderr);
    std::fs::write(&file, r#"{"name": "a", "event_types": ["*"], "retry": {"schedule_s": [1]}}"#).unwrap();
    let made = created(&shell, &["--file", file.to_str().unwrap(), "--draft"]).await;
    assert_eq!((&made["name"], &made["state"]), (&json!("Won deals"), &json!("draft")));
    assert_eq!(made["retry"]["schedule_s"], json!([1]));
    let without = shell.run(&["subscriptions", "create", "--name", "a", "--to", "http://127.0.0.1:9/"]).await;
    assert_eq!((without.code, without.stderr.contains("--event-type")), (2, true), "{}", without.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_changed_in_the_editor_is_sent() {
    let (host, shell) = start().await;
    let made = created(&shell, &["--event-type", "deal.*", "--plugin", "zapier@^1"]).await;
    let id = made["id"].as_str().unwrap();
    let edit = editor(&shell, r#"s/Won deals/Lost deals/; s/"delay_s": 0/"delay_s": 7/"#);
    let shell = shell.with("EDITOR", edit);
    let said = shell.ok(&["subscriptions", "edit", id]).await;
    assert_eq!(said, format!("{id} changed: name, delay_s\n"));
    let edited: Value = serde_json::from_slice(&std::fs::read(shell.config().join("edited")).unwrap()).unwrap();
    // Nothing that a change cannot have, and the range rather than the version that it stands for.
    assert!(edited.get("id").is_none() && edited.get("state").is_none() && edited["plugin"].get("digest").is_none());
    assert_eq!(edited["plugin"]["version"], "^1");
    let mut expected = made.clone();
    (expected["name"], expected["delay_s"]) = ("Lost deals".into(), 7.into());
    let mut now = stored(&host, id).await;
    now["updated_at"] = expected["updated_at"].clone();
    assert_eq!(now, expected);
    assert_eq!(shell.ok(&["subscriptions", "edit", id]).await, "no change\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_refused_is_not_lost() {
    let (host, shell) = start().await;
    let made = created(&shell, &["--event-type", "deal.*"]).await;
    let id = made["id"].as_str().unwrap();
    let edit = editor(&shell, r#"s/"timeout_ms": 15000/"timeout_ms": 0/"#);
    let shell = shell.with("VISUAL", edit).with("EDITOR", "false");
    let ran = shell.run(&["subscriptions", "edit", id]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("nothing was changed") && ran.stderr.contains("/timeout_ms"), "{}", ran.stderr);
    assert_eq!(stored(&host, id).await, made);
    let kept = ran.stderr.split("--file ").nth(1).unwrap().split('`').next().unwrap();
    let text = std::fs::read_to_string(kept).unwrap().replace("\"timeout_ms\": 0", "\"timeout_ms\": 2000");
    std::fs::remove_file(kept).unwrap();
    let ran = shell.run_with(&["subscriptions", "edit", id, "--file", "-"], &text).await;
    assert_eq!((ran.code, ran.stdout), (0, format!("{id} changed: timeout_ms\n")), "{}", ran.stderr);
    let shown = shell.ok(&["subscriptions", "show", id, "--json"]).await;
    let ran = shell.run_with(&["subscriptions", "edit", id, "--file", "-"], &shown).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "no change\n"), "{}", ran.stderr);
    let ran = shell.run_with(&["subscriptions", "edit", id, "--file", "-"], r#"{"timeout": 1}"#).await;
    assert!(ran.code == 1 && ran.stderr.contains("timeout"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_takes_the_terminals_width_and_no_name_controls_it() {
    let (host, shell) = start().await;
    let name = format!("\u{202e}日本語 {}", "long ".repeat(30));
    host.subscribe("http://127.0.0.1:9/", json!({"name": name.trim()})).await;
    host.subscribe("http://127.0.0.1:9/b", json!({})).await;
    for columns in ["80", "120"] {
        let shell = Shell::at(&host.base, &host.key).with("COLUMNS", columns);
        let list = shell.ok(&["subscriptions", "list"]).await;
        let width = columns.parse().unwrap();
        assert!(list.lines().all(|line| line.chars().count() <= width), "{list}");
        assert!(list.contains("…") && !list.contains('\u{202e}') && !list.contains('\u{1b}'), "{list}");
    }
    assert!(shell.ok(&["subscriptions", "list"]).await.contains("long long long long long long long"));
    let first = shell.run(&["subscriptions", "list", "--limit", "1"]).await;
    assert_eq!((first.stdout.lines().count(), first.stderr.contains("--limit N")), (2, true), "{first:?}");
}
