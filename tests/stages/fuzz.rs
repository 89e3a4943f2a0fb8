//! URLs and header values that nobody means: what is accepted can be sent, what cannot be is refused, and both soon.
//!
//! The suite runs a short version, the same each time. The long one:
//! `HOOKMILL_FUZZ_ROUNDS=1000000 cargo test --test tests stages::fuzz -- --nocapture`.

use std::time::Duration;

use hookmill_model::{CustomHeader, SendFaultCode};
use hookmill_server::config::SendConfig;
use hookmill_server::dry_run::diagnose;
use hookmill_server::stages::request::{check_header_name, check_header_value, check_url, without_body};
use hookmill_server::stages::send::Client;
use hookmill_server::stages::send::address::AddressPolicy;
use hookmill_server::stages::send::resolve::Resolver;
use http::{HeaderMap, Method};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::support::cpu::cpu_time;
use crate::support::fixtures::subscription;
use crate::support::receiver::Receiver;

/// CPU time: a hundred times what the slowest takes.
const SOON: Duration = Duration::from_secs(2);

/// Longer than anything takes by the clock.
const LONG: Duration = Duration::from_secs(60);

/// What URLs are made of, and what breaks them.
const PARTS: [&str; 64] = [
    "http://",
    "https://",
    "HTTP://",
    "ftp://",
    "//",
    ":",
    "/",
    "\\",
    "?",
    "#",
    "@",
    "[",
    "]",
    "::1",
    "[::1]",
    "[::ffff:1.2.3.4]",
    "[fe80::1%25eth0]",
    "127.0.0.1",
    "0x7f.1",
    "0177.1",
    "2130706433",
    "256.1.1.1",
    "1.1.1.1",
    "0",
    "localhost",
    "example.com",
    "EXAMPLE",
    "xn--",
    "xn--a",
    "xn--nxasmq6b",
    "ü.de",
    "１２７.0.0.1",
    "a..b",
    ".",
    "..",
    "%2e",
    "%",
    "%00",
    "%zz",
    "%20",
    " ",
    "\t",
    "\r\n",
    "\0",
    "\u{7f}",
    "\u{202e}",
    "🦀",
    "é",
    "\u{ad}",
    "-",
    "_",
    "~",
    ":0",
    ":80",
    ":65535",
    ":65536",
    ":-1",
    "user:pass@",
    "{",
    "}",
    "|",
    "^",
    "`",
    "\"",
];

fn rounds() -> usize {
    std::env::var("HOOKMILL_FUZZ_ROUNDS").map_or(3_000, |rounds| rounds.parse().expect("a number"))
}

fn text(rng: &mut StdRng) -> String {
    let mut text = String::new();
    for _ in 0..rng.random_range(0..8) {
        match rng.random_range(0..8) {
            0 => text.push(rng.random()),
            1 => text.push_str(&"a".repeat(1 << rng.random_range(0..12))),
            _ => text.push_str(PARTS.choose(rng).expect("there are some")),
        }
    }
    text
}

/// A URL, more or less.
fn url(rng: &mut StdRng) -> String {
    let host =
        ["http://a.example", "https://a.example/b?c=d", "http://1.1.1.1", "http://[2606:4700::1]", ""].choose(rng);
    format!("{}{}", host.expect("there are some"), text(rng))
}

/// Runs `check`, which must end soon.
async fn soon<T>(input: &str, check: impl Future<Output = T>) -> T {
    let start = cpu_time();
    let result = check.await;
    let took = cpu_time() - start;
    assert!(took < SOON, "{input:?} took {took:?}");
    result
}

#[tokio::test]
async fn a_url_is_refused_or_can_be_sent_to_and_nothing_gets_past_the_policy() {
    let rng = &mut StdRng::seed_from_u64(12);
    let config = SendConfig {
        deny_networks: ["0.0.0.0/0", "::/0"].map(|network| network.parse().unwrap()).to_vec(),
        ..SendConfig::default()
    };
    let resolver = Resolver::with_lookup(&config, |_| Ok(vec!["127.0.0.1".parse().unwrap()]));
    let client = Client::with_resolver(&config, Vec::new(), resolver).unwrap();
    let (space, policy) = ("acme".parse().unwrap(), AddressPolicy::of(&config));
    let mut accepted = 0;
    for _ in 0..rounds() {
        let text = url(rng);
        soon(&text, async {
            let Ok(url) = check_url(&text) else { return };
            accepted += 1;
            let mut subscription = subscription("http://a.example/");
            subscription.url = url.clone();
            diagnose::spelling(&url, &policy);
            let request = without_body(&subscription, Method::POST, HeaderMap::new()).unwrap();
            let sent = client.send(&space, &request, &HeaderMap::new(), LONG).await.unwrap();
            let fault = sent.result.unwrap_err();
            assert_eq!(fault.code, SendFaultCode::AddressRefused, "{text:?}: {}", fault.message);
        })
        .await;
    }
    assert!(accepted > rounds() / 20, "{accepted} were URLs");
}

#[tokio::test]
async fn a_header_is_refused_or_arrives_as_it_is() {
    let rng = &mut StdRng::seed_from_u64(12);
    let receiver = Receiver::start().await;
    let config = SendConfig { allow_networks: vec!["127.0.0.0/8".parse().unwrap()], ..SendConfig::default() };
    let (client, space) = (Client::new(&config).unwrap(), "acme".parse().unwrap());
    let mut subscription = subscription(&receiver.url("/"));
    let mut accepted = 0;
    for round in 0..rounds() {
        let value = text(rng);
        let name = if rng.random() { "x-fuzz".to_owned() } else { text(rng) };
        soon(&value, async {
            if check_header_name(&name).is_err() || check_header_value(&value).is_err() {
                return;
            }
            accepted += 1;
            subscription.headers = vec![CustomHeader { name: name.clone(), value: value.clone(), secret: false }];
            let request = without_body(&subscription, Method::POST, HeaderMap::new()).unwrap();
            if round % 10 == 0 {
                let sent = client.send(&space, &request, &HeaderMap::new(), LONG).await.unwrap();
                assert_eq!(sent.result.unwrap().status, 204, "{name:?}: {value:?}");
                let received = receiver.take(1).await.remove(0);
                assert_eq!(received.header(&name.to_ascii_lowercase()), Some(value.trim()), "{name:?}: {value:?}");
            }
        })
        .await;
    }
    assert!(accepted > rounds() / 20, "{accepted} were headers");
}
