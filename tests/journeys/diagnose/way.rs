//! Diagnose: the URL, the way to the endpoint, and what it answers.

use hookmill_model::{Answer, Handshake, HandshakeKind, HandshakeReport, SuccessCodes};
use hookmill_server::dispatch::handshake::ProbeResult;
use hookmill_server::dry_run::diagnose::{self, Check, Finding, Grade};
use hookmill_server::stages::send::address::AddressPolicy;
use ipnet::IpNet;
use serde_json::json;

use super::{assert_found, diagnosed, of, tls};
use crate::support::fixtures;
use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

#[test]
fn http_is_a_warning_and_a_problem_where_https_is_required() {
    let mut subscription = fixtures::subscription("http://example.com/");
    assert_eq!(diagnose::scheme(&subscription).grade, Grade::Warning);
    subscription.require_https = true;
    let finding = diagnose::scheme(&subscription);
    assert_eq!(finding.grade, Grade::Problem);
    assert!(finding.finding.contains("require_https"), "{}", finding.finding);
    subscription.url = "https://example.com/".parse().unwrap();
    assert_eq!(diagnose::scheme(&subscription).grade, Grade::Ok);
}

/// The grades of a URL's spelling, and all that is said of it.
fn spelled(url: &str, allow_networks: &[IpNet]) -> (Vec<Grade>, String) {
    let policy = AddressPolicy { allow_networks: allow_networks.to_vec(), ..AddressPolicy::default() };
    let found = diagnose::spelling(&url.parse().unwrap(), &policy);
    let told = |found: &Finding| {
        assert_eq!(found.check, Check::UrlSpelling);
        format!("{} → {}", found.finding, found.what_to_do.as_deref().unwrap_or_default())
    };
    (found.iter().map(|found| found.grade).collect(), found.iter().map(told).collect::<Vec<_>>().join("; "))
}

#[test]
fn the_urls_that_receivers_give_out_and_those_of_nobody_known_are_ok() {
    for url in [
        "https://hooks.zapier.com/hooks/catch/123456/abcdef/",
        "https://hooks.zapier.com/hooks/catch/123456/abcdef",
        "https://hooks.zapier.com/hooks/standard/123456/abcdef/",
        "https://hook.eu1.make.com/w4b1ikph6x2v",
        "https://hook.us2.make.com/w4b1ikph6x2v?a=b",
        "https://acme.app.n8n.cloud/webhook/5f2c",
        "https://n8n.acme.example/webhook/5f2c",
        "https://api.acme.example/workflow/5?q=a%20b",
        "https://make.acme.example/",
        "https://8.8.8.8/hook",
    ] {
        let (grades, told) = spelled(url, &[]);
        assert_eq!(grades, [Grade::Ok], "{url}: {told}");
    }
}

#[test]
fn what_nearly_is_a_receivers_url_is_told_with_what_was_probably_meant() {
    let (warning, problem) = (Grade::Warning, Grade::Problem);
    for (url, grade, words) in [
        ("https://hook.zapier.com/hooks/catch/1/a/", problem, "probably intended: hooks.zapier.com"),
        ("https://hooks.zaiper.com/hooks/catch/1/a/", problem, "probably intended: hooks.zapier.com"),
        ("https://hooks.zapier.co/hooks/catch/1/a/", problem, "probably intended: hooks.zapier.com"),
        ("https://hooks.eu1.make.com/w4b1", problem, "probably intended: hook.eu1.make.com"),
        ("https://hook.eu7.meke.com/w4b1", problem, "probably intended: hook.eu7.make.com"),
        ("https://acme.app.n8n.clod/webhook/5f2c", problem, "probably intended: acme.app.n8n.cloud"),
        ("https://hooks.zapier.com/hooks/catch/123456", problem, "not a complete Zapier Catch Hook"),
        ("https://zapier.com/app/editor/123/nodes/1", problem, "Catch Hook"),
        ("https://eu1.make.com/5/scenarios/77/edit", problem, "Custom webhook"),
        ("https://hook.eu1.make.com/", problem, "id follows the host"),
        ("https://acme.app.n8n.cloud/workflow/5f2c", problem, "Production URL"),
        ("https://acme.app.n8n.cloud/webhook-test/5f2c", warning, "120 seconds"),
        ("https://api.acme.example/n8n/webhook-test/5f2c", warning, "Production URL"),
        ("https://api.acme.example/in%20", problem, "probably intended: https://api.acme.example/in"),
        ("https://api.acme.example/in?a=b%22,", problem, "probably intended: https://api.acme.example/in?a=b"),
        ("https://https//api.acme.example/in", problem, "probably intended: https://api.acme.example/in"),
        ("http://localhost:5678/webhook/5f2c", warning, "a tunnel"),
        ("http://192.168.1.4/in", warning, "not public"),
        ("http://[::1]/in", warning, "the machine that this host runs on"),
        ("http://crm/in", warning, "only within one network"),
        ("http://crm.acme.local/in", warning, "only within one network"),
    ] {
        let (grades, told) = spelled(url, &[]);
        assert_eq!(grades[0], grade, "{url}: {told}");
        assert!(told.contains(words), "{url}: {told}");
    }
    let inside = ["10.0.0.0/8".parse().unwrap()];
    for url in ["http://10.0.0.4/in", "http://crm.acme.local/in"] {
        assert_eq!(spelled(url, &inside).0, [Grade::Ok], "{url}");
    }
}

#[tokio::test]
async fn a_test_url_of_n8n_is_a_warning_beside_whatever_it_answers() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(404));
    let subscription = host.subscribe(&receiver.url("/webhook-test/5f2c"), json!({})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "url_spelling", "warning", &["n8n test URL", "120 seconds", "Production URL"]);
    assert_found(&diagnosis, "url_scheme", "warning", &["http://"]);
    assert_found(&diagnosis, "tls", "skipped", &["does not use https"]);
    // A HEAD may be answered otherwise than a delivery.
    assert_found(&diagnosis, "endpoint", "warning", &["a HEAD", "responded 404", "send a test", "published"]);
    assert_eq!(diagnosis["ok"], true);
}

#[tokio::test]
async fn a_refused_address_names_the_setting_and_nobody_is_asked() {
    let host = TestHost::start().await;
    let subscription = host.subscribe("http://169.254.169.254/latest/meta-data", json!({})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_eq!(diagnosis["ok"], false);
    assert_found(&diagnosis, "dns", "skipped", &["is an IP address"]);
    assert_found(&diagnosis, "address_policy", "problem", &["169.254.169.254", "send.allow_networks"]);
    assert_found(&diagnosis, "endpoint", "skipped", &["not contacted"]);
}

#[tokio::test]
async fn a_name_that_leads_to_a_refused_address_is_told_without_the_address() {
    let host = TestHost::start_with(|config| config.send.allow_networks.clear()).await;
    let subscription = host.subscribe("https://localhost/hook", json!({})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    // Where a name of the operator's own network leads is not told.
    assert_found(&diagnosis, "dns", "ok", &["`localhost` resolves"]);
    assert_found(&diagnosis, "address_policy", "problem", &["non-public", "send.allow_networks"]);
    assert!(!diagnosis.to_string().contains("127.0.0.1"), "{diagnosis}");
    assert_found(&diagnosis, "tls", "skipped", &["not contacted"]);
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_a_problem_of_dns() {
    let host = TestHost::start().await;
    let subscription = host.subscribe("https://receiver.invalid/hook", json!({})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "dns", "problem", &["`receiver.invalid` does not resolve", "check the spelling"]);
    assert_found(&diagnosis, "address_policy", "skipped", &[]);
    assert_found(&diagnosis, "endpoint", "skipped", &["not contacted"]);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_and_one_for_another_name_are_told_apart() {
    let (host, receiver) = (TestHost::start().await, Receiver::start_tls().await);
    let subscription = host.subscribe(&receiver.url("/"), json!({})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "tls", "problem", &["certificate", "send.trusted_certificates"]);
    assert_found(&diagnosis, "endpoint", "skipped", &["TLS"]);

    let (host, receiver) = tls().await;
    let subscription = host.subscribe(&format!("https://{}/", receiver.address()), json!({})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "tls", "problem", &["install a certificate for `127.0.0.1`"]);
}

#[tokio::test]
async fn a_receiver_that_speaks_no_tls_is_a_problem_of_tls() {
    let host = TestHost::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    });
    let subscription = host.subscribe(&url, json!({})).await;
    assert_found(&diagnosed(&host, &subscription).await, "tls", "problem", &["does not speak TLS"]);
    drop(plain.await);
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_asked_no_longer_than_its_limit() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::Hang);
    let subscription = host.subscribe(&receiver.url("/"), json!({"timeout_ms": 1_000})).await;
    let diagnosis = diagnosed(&host, &subscription).await;
    assert_found(&diagnosis, "endpoint", "problem", &["no response within 1 s", "timeout_ms"]);
}

#[tokio::test]
async fn what_an_endpoint_does_wrong_is_told_with_what_to_do() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = host.subscribe(&receiver.url("/"), json!({"success_codes": "200"})).await;
    for (reply, result, words) in [
        (Reply::status(200), "ok", "responded 200"),
        (Reply::status(204), "warning", "expected 200"),
        (Reply::status(405), "warning", "send a test"),
        (Reply::header(301, "location", "https://new.example/in"), "problem", "target URL: https://new.example/in"),
        (Reply::status(401), "problem", "signing secret"),
        (Reply::status(410), "problem", "copy the URL from the receiver again"),
        (Reply::status(429), "problem", "try again later"),
        (Reply::status(500), "problem", "internal error"),
        (Reply::Close, "problem", "an HTTP server"),
    ] {
        receiver.script("/", [reply.clone()]);
        let diagnosis = diagnosed(&host, &subscription).await;
        let [found] = &of(&diagnosis, "endpoint")[..] else { panic!("{diagnosis:#}") };
        assert!(found.starts_with(result) && found.contains(words), "{reply:?}: {found}");
    }
    assert!(receiver.requests().iter().all(|request| request.method == "HEAD"));
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_a_problem() {
    let host = TestHost::start().await;
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let subscription = host.subscribe(&format!("http://{address}/"), json!({})).await;
    assert_found(
        &diagnosed(&host, &subscription).await,
        "endpoint",
        "problem",
        &["could not connect", "the receiver is running"],
    );
}

#[test]
fn an_answer_that_takes_more_than_half_of_its_time_is_a_warning() {
    let subscription = fixtures::subscription("https://example.com/");
    let question = Handshake { kind: HandshakeKind::Head, success_codes: SuccessCodes::Any2xx, timeout_ms: 3_000 };
    let graded = |took_ms| {
        let answer = Answer { status: 200, headers: Vec::new(), body: "ok".into(), truncated: false };
        let (at, answered) = (fixtures::start(), "ok".to_owned());
        let report =
            HandshakeReport { at, passed: true, reason: String::new(), status: Some(200), took_ms, answer: answered };
        diagnose::endpoint(&subscription, &question, &ProbeResult { report, result: Some(Ok(answer)) })
    };
    assert_eq!(graded(1_500).grade, Grade::Ok);
    let slow = graded(1_501);
    assert_eq!(slow.grade, Grade::Warning);
    assert!(slow.finding.ends_with("responded 200 in 1501 ms (3000 ms allowed): ok"), "{}", slow.finding);
    assert!(slow.what_to_do.unwrap().contains("timeout_ms"));
}
