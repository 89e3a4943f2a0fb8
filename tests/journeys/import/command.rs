//! The command `hookmill import`.

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::{breakcold, leadsquared};
use crate::support::host::{BINARY, TestHost};

/// Runs `hookmill import` on this export.
pub fn run(system: &str, export: &Value, args: &[&str]) -> (Output, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("export.json");
    fs::write(&file, export.to_string()).unwrap();
    let mut command = Command::new(BINARY);
    command.args(["import", system]).arg(&file).args(["--space", "acme"]).args(args).env_remove("HOOKMILL_KEY");
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    (output, stdout)
}

#[test]
fn a_dry_run_shows_what_would_be_created_without_its_secrets() {
    let headers = json!([{"Key": "x-api-key", "Value": "j5Ft"}]);
    let export = leadsquared(json!({"Description": "New leads", "CustomHeaders": headers, "Extra": 1}));
    let (output, stdout) = run("leadsquared", &export, &["--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    let line = stdout.lines().next().unwrap();
    let body = line.strip_prefix(r#"definition 1 "New leads": would be created: "#).expect(line);
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["headers"][0]["value"], "***");
    assert!(!stdout.contains("j5Ft"));
    assert!(stdout.contains("`Extra`"), "{stdout}");
}

#[test]
fn an_export_with_a_definition_that_cannot_be_carried_over_ends_with_1() {
    let (output, stdout) = run("breakcold", &json!([breakcold(json!({})), {"url": "nowhere"}]), &["--dry-run"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout.contains("definition 1: would be created"), "{stdout}");
    assert!(stdout.contains("definition 2: not imported: "), "{stdout}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 of 2 definitions"));
}

#[test]
fn without_a_key_only_a_dry_run_is_possible() {
    let (output, _) = run("breakcold", &breakcold(json!({})), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_ends_the_import_at_once() {
    let host = TestHost::start().await;
    let export = json!([breakcold(json!({})), breakcold(json!({}))]);
    let (output, stdout) = run("breakcold", &export, &["--url", &host.base, "--key", "hmk_wrong"]);
    assert_eq!((output.status.code(), stdout.as_str()), (Some(1), ""));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("definition 1: the host responded with 401"), "{stderr}");
}
