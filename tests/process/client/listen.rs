//! `hookmill listen`.

use std::process::Stdio;

use hookmill_model::Secret;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use super::start;
use crate::support::client::Shell;
use crate::support::host::TestHost;
use crate::support::signature::hex_sha256;

/// The command, once it listens.
struct Listening {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Listening {
    async fn start(shell: &Shell, args: &[&str]) -> Self {
        let mut command = shell.command(&[&["listen", "--port", "0"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("it listens");
        let address = line.strip_prefix("listening on ").unwrap().split(';').next().unwrap().to_owned();
        Self { child, lines, address }
    }

    /// Lines up to one that contains this text.
    async fn until(&mut self, text: &str) -> String {
        let mut all = String::new();
        while !all.contains(text) {
            all += &self.lines.next_line().await.unwrap().expect(&all);
            all.push('\n');
        }
        all
    }

    /// Ctrl-C; returns what was said on standard error.
    async fn interrupt(self) -> String {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let output = self.child.wait_with_output().await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        stderr
    }
}

async fn subscriptions(host: &TestHost) -> usize {
    let list = host.ok(Method::GET, "/v1/spaces/acme/subscriptions", Value::Null).await;
    list["data"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_subscription_is_received_verified_and_deleted_at_the_end() {
    let (mut host, shell) = start().await;
    let mut listening = Listening::start(&shell, &["--subscribe", "deal.*", "lead.created", "--status", "503"]).await;
    assert_eq!(subscriptions(&host).await, 1);
    host.post("deal.won", r#"{"id":7,"value":12.50}"#).await;
    host.post("other", "1").await;
    host.settle().await;
    let shown = listening.until("12.50").await;
    assert!(shown.contains("POST /  signature valid  → 503"), "{shown}");
    assert!(shown.contains("  webhook-id: dlv_") && !shown.contains("content-length"), "{shown}");
    assert_eq!(host.delivery().await["attempts"][0]["answer"]["status"], 503);
    let said = listening.interrupt().await;
    assert!(said.contains("requests: 1, with an invalid signature: 0"), "{said}");
    assert!(!said.contains("does not reach") && said.contains("was deleted"), "{said}");
    assert_eq!(subscriptions(&host).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_may_not_send_here_is_reported() {
    let host = TestHost::start_with(|config| config.send.allow_networks.clear()).await;
    let shell = Shell::at(&host.base, &host.key);
    let listening = Listening::start(&shell, &["--subscribe", "*"]).await;
    let said = listening.interrupt().await;
    assert!(said.contains("the host does not reach this receiver: "), "{said}");
    assert_eq!(subscriptions(&host).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_answers_as_told() {
    let (mut host, shell) = start().await;
    let secret = Secret::generate().reveal().to_owned();
    let args = ["--secret", &secret, "--status", "503", "--body", r#"{"error":"down"}"#, "--delay-ms", "5"];
    let mut listening = Listening::start(&shell, &args).await;
    let more =
        json!({"secret": secret, "retry": {"schedule_s": []}, "content_type": "application/x-www-form-urlencoded"});
    host.subscribe(&format!("{}hook?a=b", listening.address), more).await;
    host.post("deal.won", r#"{"name":"Müller GmbH"}"#).await;
    host.settle().await;
    let shown = listening.until("Müller GmbH").await;
    assert!(shown.contains("POST /hook?a=b  signature valid  → 503"), "{shown}");
    let delivery = host.delivery().await;
    let answer = &delivery["attempts"][0]["answer"];
    assert_eq!((&answer["status"], &answer["body"]), (&json!(503), &json!(r#"{"error":"down"}"#)));
    listening.interrupt().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_signature_is_told_from_a_right_one() {
    let shell = Shell::empty();
    let mut listening = Listening::start(&shell, &["--secret", "s3cret", "--hmac-header", "x-hub-signature-256"]).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let send = async |signature: String| {
        let request = client.put(&listening.address).header("x-hub-signature-256", signature).body("\u{1b}[2Jtext");
        assert_eq!(request.send().await.unwrap().status(), 204);
    };
    send(format!("sha256={}", hex_sha256("s3cret", &["\u{1b}[2Jtext".as_bytes()]))).await;
    send(format!("sha256={}", hex_sha256("other", &["\u{1b}[2Jtext".as_bytes()]))).await;
    let shown = listening.until("signature invalid").await;
    assert!(shown.contains("PUT /  signature valid  → 204"), "{shown}");
    let body = listening.until("[2Jtext").await;
    assert!(!shown.contains('\u{1b}') && !body.contains('\u{1b}'), "{shown}{body}");
    let said = listening.interrupt().await;
    assert!(said.contains("requests: 2, with an invalid signature: 1"), "{said}");
    let wrong = shell.run(&["listen", "--port", "0", "--secret", "s3cret"]).await;
    assert_eq!((wrong.code, wrong.stderr.contains("--hmac-header")), (2, true), "{}", wrong.stderr);
}
