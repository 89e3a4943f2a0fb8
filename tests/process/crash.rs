//! An event that was answered with 202 reaches its receiver, whatever ends the process.
//!
//! The suite runs short versions. The long ones:
//! `HOOKMILL_KILL_ROUNDS=100 cargo test --test tests crash:: -- --nocapture` and
//! `HOOKMILL_LONG_DELAY_S=30 cargo test --test tests crash:: -- --nocapture`.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;

use crate::support::process::Process;
use crate::support::sink::Sink;

const EVENTS: &str = "/v1/spaces/acme/events";

/// Concurrent posts.
const POSTERS: usize = 8;

fn from_env(name: &str, short: u64) -> u64 {
    std::env::var(name).map_or(short, |value| value.parse().expect(name))
}

/// Starts a host on a new data directory, with the space `acme`; returns it with the admin key.
async fn first_start(dir: &std::path::Path) -> (Process, String) {
    let host = Process::start(dir).await;
    let key = host.key.clone().unwrap();
    let (status, answer) =
        host.call(&key, Method::POST, "/v1/spaces", json!({"id": "acme", "name": "Acme"}).to_string()).await.unwrap();
    assert!(status.is_success(), "{answer}");
    (host, key)
}

async fn subscribe(host: &Process, key: &str, url: &str, delay_s: u64) {
    let subscription = json!({"name": "test", "url": url, "event_types": ["*"], "delay_s": delay_s});
    let (status, answer) =
        host.call(key, Method::POST, "/v1/spaces/acme/subscriptions", subscription.to_string()).await.unwrap();
    assert!(status.is_success(), "{answer}");
}

/// Waits until some posts more than now have been answered, then for a random moment of at most this time.
async fn under_load(next_id: &AtomicU64, most: Duration) {
    let enough = next_id.load(Ordering::Relaxed) + 30 + POSTERS as u64;
    while next_id.load(Ordering::Relaxed) < enough {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(most.mul_f64(rand::rng().random())).await;
}

/// Posts events until the host has exited; returns the ids of those that were answered with 202.
async fn load(host: Arc<Process>, key: String, next_id: Arc<AtomicU64>) -> Vec<String> {
    let accepted = Arc::new(Mutex::new(Vec::new()));
    let posters = (0..POSTERS).map(|_| {
        let (host, key, next_id, accepted) = (host.clone(), key.clone(), next_id.clone(), accepted.clone());
        tokio::spawn(async move {
            loop {
                let id = format!("e{}", next_id.fetch_add(1, Ordering::Relaxed));
                let event = format!(r#"{{"id":"{id}","type":"lead.create","data":{{"id":"{id}","n":12.50}}}}"#);
                match host.call(&key, Method::POST, EVENTS, event).await {
                    Ok((status, _)) if status == 202 => accepted.lock().unwrap().push(id),
                    Ok((status, answer)) => panic!("{status} {answer}"),
                    Err(_) => return,
                }
            }
        })
    });
    for poster in posters.collect::<Vec<_>>() {
        poster.await.unwrap();
    }
    Arc::into_inner(accepted).unwrap().into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accepted_event_survives_kill_nine() {
    let rounds = from_env("HOOKMILL_KILL_ROUNDS", 4);
    let dir = tempfile::tempdir().unwrap();
    let sink = Sink::start().await;
    let (mut host, key) = first_start(dir.path()).await;
    subscribe(&host, &key, &sink.url("/0"), 0).await;
    let next_id = Arc::new(AtomicU64::new(0));
    let mut accepted = HashSet::new();
    for round in 1..=rounds {
        let running = Arc::new(host);
        let load = tokio::spawn(load(running.clone(), key.clone(), next_id.clone()));
        under_load(&next_id, Duration::from_millis(400)).await;
        running.kill_now();
        accepted.extend(load.await.unwrap());
        drop(running);
        host = Process::start(dir.path()).await;
        if round % 10 == 0 {
            println!("round {round}: {} accepted", accepted.len());
        }
    }
    let seen = sink.wait_for_all(&accepted, Duration::from_secs(120)).await;
    host.terminate().await;

    let lost = accepted.iter().filter(|id| !seen.contains_key(*id)).count();
    let delivered: u64 = accepted.iter().filter_map(|id| seen.get(id)).sum();
    let repeated = delivered - (accepted.len() - lost) as u64;
    println!("{rounds} rounds: accepted {}, delivered {delivered}, repeated {repeated}, lost {lost}", accepted.len());
    assert!(accepted.len() as u64 > rounds * 10, "too little load for a result: {}", accepted.len());
    assert_eq!(lost, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_survive_kill_nine_and_no_event_is_in_two_of_them() {
    let rounds = from_env("HOOKMILL_KILL_ROUNDS", 4);
    let dir = tempfile::tempdir().unwrap();
    let sink = Sink::start().await;
    let (mut host, key) = first_start(dir.path()).await;
    let batch = json!({"name": "batches", "url": sink.url("/batches"), "event_types": ["*"],
        "batch": {"window_s": 1, "max": 50}});
    let made = host.call(&key, Method::POST, "/v1/spaces/acme/subscriptions", batch.to_string()).await.unwrap();
    assert!(made.0.is_success(), "{}", made.1);
    let next_id = Arc::new(AtomicU64::new(0));
    let mut accepted = HashSet::new();
    for _ in 0..rounds {
        let running = Arc::new(host);
        let load = tokio::spawn(load(running.clone(), key.clone(), next_id.clone()));
        // By then some batches are full, or one is not.
        under_load(&next_id, Duration::from_millis(400)).await;
        running.kill_now();
        accepted.extend(load.await.unwrap());
        drop(running);
        host = Process::start(dir.path()).await;
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut batches: HashMap<String, Vec<String>> = HashMap::new();
    let (mut seen, mut count) = (HashSet::new(), 0);
    while !accepted.is_subset(&seen) && Instant::now() < deadline {
        let arrivals = sink.wait_for_count(count + 1, deadline).await;
        for arrival in &arrivals[count..] {
            // A batch of one event is not a list.
            let events =
                if arrival.gathered.is_empty() { vec![arrival.event_id.clone()] } else { arrival.gathered.clone() };
            let first = batches.entry(arrival.delivery_id.clone()).or_insert_with(|| events.clone());
            assert_eq!(*first, events, "a repeated batch has other events");
            seen.extend(events);
        }
        count = arrivals.len();
    }
    host.terminate().await;

    let batched: usize = batches.values().map(Vec::len).sum();
    let lost = accepted.difference(&seen).count();
    println!(
        "{rounds} rounds: accepted {}, in {} batches, repeated requests {}, lost {lost}",
        accepted.len(),
        batches.len(),
        count - batches.len()
    );
    assert!(accepted.len() as u64 > rounds * 10 && batches.values().any(|batch| batch.len() > 1));
    assert_eq!((lost, batched - seen.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_survives_kill_nine_and_makes_one_delivery_of_each_event() {
    /// Events for each round: more than a replay sends until it is killed.
    const EACH: u64 = 200;
    let rounds = from_env("HOOKMILL_KILL_ROUNDS", 4);
    let dir = tempfile::tempdir().unwrap();
    let sink = Sink::start().await;
    let (mut host, key) = first_start(dir.path()).await;
    for chunk in 0..rounds * EACH / 100 {
        let event = |number: u64| format!("{{\"id\":\"e{number}\",\"type\":\"lead.create\",\"data\":{number}}}\n");
        let lines: String = (chunk * 100..(chunk + 1) * 100).map(event).collect();
        let (status, answer) = host.post_lines(&key, EVENTS, lines).await;
        assert_eq!(status, 202, "{answer}");
    }
    let posted: HashSet<String> = (0..rounds * EACH).map(|number| format!("e{number}")).collect();
    subscribe(&host, &key, &sink.url("/replayed"), 0).await;
    let list = host.call(&key, Method::GET, "/v1/spaces/acme/subscriptions", String::new()).await.unwrap().1;
    let replays = format!("/v1/spaces/acme/subscriptions/{}/replays", list["data"][0]["id"].as_str().unwrap());
    let all = json!({"since": "2026-01-01T00:00:00Z", "deliveries_per_s": 100}).to_string();
    let (status, made) = host.call(&key, Method::POST, &replays, all).await.unwrap();
    assert_eq!(status, 201, "{made}");
    let replay = format!("{replays}/{}", made["id"].as_str().unwrap());
    let show = async |host: &Process| host.call(&key, Method::GET, &replay, String::new()).await.unwrap().1;
    let (mut in_the_middle, mut before) = (0, 0);
    for _ in 0..rounds {
        // It has taken a step, and may be in the next one.
        let mut shown = show(&host).await;
        while shown["state"] == "running" && shown["deliveries"].as_u64().unwrap() <= before {
            tokio::time::sleep(Duration::from_millis(5)).await;
            shown = show(&host).await;
        }
        tokio::time::sleep(Duration::from_millis(300).mul_f64(rand::rng().random())).await;
        host.kill().await;
        host = Process::start(dir.path()).await;
        let shown = show(&host).await;
        before = shown["deliveries"].as_u64().unwrap();
        in_the_middle += u64::from(shown["state"] == "running");
    }
    let seen = sink.wait_for_all(&posted, Duration::from_secs(120 + rounds)).await;
    let shown = show(&host).await;
    host.terminate().await;

    let lost = posted.iter().filter(|id| !seen.contains_key(*id)).count();
    let sent: u64 = seen.values().sum();
    let db = rusqlite::Connection::open(dir.path().join("hookmill.db")).unwrap();
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let rows = count("SELECT count(*) FROM deliveries");
    let doubled = rows - count("SELECT count(DISTINCT event) FROM deliveries");
    println!(
        "{rounds} rounds, {in_the_middle} in the middle: posted {}, replayed {rows}, repeated requests {}, doubled {doubled}, \
         lost {lost}",
        posted.len(),
        sent - (posted.len() - lost) as u64
    );
    assert_eq!((lost, doubled, rows as usize), (0, 0, posted.len()));
    assert_eq!((&shown["state"], &shown["deliveries"]), (&json!("done"), &json!(posted.len())));
    assert!(in_the_middle * 2 >= rounds, "too few kills in the middle for a result: {in_the_middle}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delays_are_kept_over_a_restart() {
    const EACH: usize = 20;
    let long_s = from_env("HOOKMILL_LONG_DELAY_S", 3);
    let dir = tempfile::tempdir().unwrap();
    let sink = Sink::start().await;
    let (host, key) = first_start(dir.path()).await;
    for delay_s in [0, 1, long_s] {
        subscribe(&host, &key, &sink.url(&format!("/{delay_s}")), delay_s).await;
    }
    let mut due: HashMap<String, Timestamp> = HashMap::new();
    let mut post = async |host: &Process, prefix: &str| {
        for number in 0..EACH {
            let id = format!("{prefix}{number}");
            let event = json!({"id": id, "type": "lead.create", "data": {}}).to_string();
            let (status, answer) = host.call(&key, Method::POST, EVENTS, event).await.unwrap();
            assert_eq!(status, 202, "{answer}");
            due.insert(id, answer["accepted_at"].as_str().unwrap().parse().unwrap());
        }
    };
    post(&host, "before").await;
    // An orderly shutdown, which is the harder case for times that are kept in memory.
    host.terminate().await;
    let host = Process::start(dir.path()).await;
    let up = Timestamp::now();
    post(&host, "after").await;

    let deadline = Instant::now() + Duration::from_secs(long_s + 60);
    let arrivals = sink.wait_for_count(EACH * 2 * 3, deadline).await;
    host.terminate().await;
    let mut usual_ms = None;
    for delay_s in [0, 1, long_s] {
        let mut late_ms = Vec::new();
        for arrival in arrivals.iter().filter(|arrival| arrival.path == format!("/{delay_s}")) {
            let due = due[&arrival.event_id] + SignedDuration::from_secs(delay_s as i64);
            assert!(arrival.at >= due, "{} early", due.duration_since(arrival.at));
            // What came due while no host ran is due at its start.
            let due = if arrival.at > up { due.max(up) } else { due };
            late_ms.push(arrival.at.duration_since(due).as_secs_f64() * 1e3);
        }
        late_ms.sort_by(f64::total_cmp);
        assert_eq!(late_ms.len(), EACH * 2);
        let (median, most) = (late_ms[EACH], late_ms[EACH * 2 - 1]);
        println!("delay {delay_s} s over a restart: late by {median:.1} ms in the median, {most:.1} ms at most");
        // On an idle machine some milliseconds; the tests that run beside it may take both processors while a host starts. One
        // that began to count anew would be late by the delay.
        let usual_ms = *usual_ms.get_or_insert(median);
        assert!(median < 1_500.0 + 5.0 * usual_ms, "late by {median} ms, without a delay by {usual_ms}");
    }
}
