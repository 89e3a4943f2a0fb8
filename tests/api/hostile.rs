//! Bodies, cursors and times that nobody writes: whatever is posted, the answer comes soon, and is no fault of the host.
//!
//! The suite runs a short version, the same each time. The long one:
//! `HOOKMILL_FUZZ_ROUNDS=200000 cargo test --test tests api::hostile -- --nocapture`.

use std::time::{Duration, Instant};

use http::Method;
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use super::{TestApi, subscription};

/// Much longer than any of them takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(10);

const LINES: [&[u8]; 8] = [
    br#"{"type":"lead.created","data":{"n":12.50,"nested":[{"a":[1,2,3]}]},"id":"e-1"}"#,
    br#"{"type":"lead.created","data":1,"occurred_at":"0000-01-01T00:00:00+01:00","changed_fields":["a.b"]}"#,
    br#"{"type":"lead.created","data":"\ud800","previous":{"a":1e400}}"#,
    br#"{"type":"hookmill.delivery","data":null,"data":null}"#,
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{\"type\":\"lead.created\",\"data\":{\"\xff\":\"\0\"}}",
    b"\r\n\r\n \t",
    b"{}",
];

const TEXTS: [&str; 10] = [
    "dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E",
    "sub_7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
    "key_01K9ZQ4S1N8M0V6T3X5B7C2D4E",
    "e-1",
    "lead.*",
    "2026-04-29T11:13:55.021Z",
    "0000-01-01T00:00:00+25:00",
    "9999-12-31T23:59:59.999999999-23:59",
    "-9223372036854775808",
    "\u{10ffff}\u{0}\u{202e}",
];

fn rounds() -> usize {
    std::env::var("HOOKMILL_FUZZ_ROUNDS").map_or(300, |rounds| rounds.parse().expect("a number"))
}

fn mutated(rng: &mut StdRng, of: &[u8]) -> Vec<u8> {
    let mut bytes = of.to_vec();
    let place = rng.random_range(0..=bytes.len());
    match rng.random_range(0..5) {
        0 => bytes.truncate(place),
        1 => bytes.insert(place, rng.random_range(0..=255)),
        2 => drop(bytes.splice(place..place, of[..place].to_vec())),
        3 => {
            let repeated = vec![rng.random_range(0..=255); rng.random_range(0..3_000)];
            drop(bytes.splice(place..place, repeated));
        }
        _ => rng.fill_bytes(&mut bytes[place..]),
    }
    bytes
}

#[tokio::test]
async fn lines_of_events_are_answered_soon_whatever_they_hold() {
    let api = TestApi::start().await;
    api.subscribe(serde_json::json!({"delay_s": 60})).await;
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..rounds() {
        let mut rng = StdRng::seed_from_u64(round as u64);
        let mut body = Vec::new();
        for _ in 0..rng.random_range(0..12) {
            let line = LINES[rng.random_range(0..LINES.len())];
            match rng.random() {
                true => body.extend_from_slice(line),
                false => body.extend(mutated(&mut rng, line)),
            }
            body.push(b'\n');
        }
        let start = Instant::now();
        let answer =
            api.admin.send_unchecked(Method::POST, "/v1/spaces/crm/events", Some("application/x-ndjson"), body);
        let answer = answer.await;
        assert!(start.elapsed() < SOON, "round {round} took {:?}", start.elapsed());
        match answer.status {
            202 | 207 => {
                for result in answer.json()["results"].as_array().unwrap() {
                    assert!(result["status"].as_u64().unwrap() < 500, "round {round}: {result}");
                    accepted += usize::from(result["status"] == 202);
                }
            }
            400..500 => refused += 1,
            _ => panic!("round {round}: {} {}", answer.status, answer.text),
        }
    }
    assert!(accepted > 0 && refused > 0, "{accepted} events accepted, {refused} bodies refused");
    // Each of what was accepted can be read.
    let mut cursor = String::new();
    loop {
        let page = api.admin.get(&format!("/v1/spaces/crm/events?limit=200{cursor}")).await.expect(200);
        for event in page["data"].as_array().unwrap() {
            let path = format!("/v1/spaces/crm/events/{}", event["id"].as_str().unwrap());
            assert_eq!(api.admin.send_unchecked(Method::GET, &path, None, Vec::new()).await.status, 200, "{event}");
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn cursors_times_and_filters_are_answered_soon_whatever_they_hold() {
    let api = TestApi::start().await;
    api.admin.post("/v1/spaces/crm/subscriptions", subscription(serde_json::json!({}))).await.expect(201);
    let names = ["cursor", "since", "until", "event", "event_type", "subscription", "state", "limit"];
    let lists = ["/v1/spaces", "/v1/keys", "/v1/spaces/crm/events", "/v1/spaces/crm/deliveries"];
    for round in 0..rounds() {
        let mut rng = StdRng::seed_from_u64(round as u64);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for _ in 0..rng.random_range(1..4) {
            let text = TEXTS[rng.random_range(0..TEXTS.len())];
            let text = match rng.random() {
                true => text.to_owned(),
                false => String::from_utf8_lossy(&mutated(&mut rng, text.as_bytes())).into_owned(),
            };
            query.append_pair(names[rng.random_range(0..names.len())], &text);
        }
        let path = format!("{}?{}", lists[rng.random_range(0..lists.len())], query.finish());
        let start = Instant::now();
        let answer = api.admin.send_unchecked(Method::GET, &path, None, Vec::new()).await;
        assert!(start.elapsed() < SOON, "{path} took {:?}", start.elapsed());
        assert!(answer.status < 500, "{path}: {} {}", answer.status, answer.text);
    }
}
