//! `hookmill demo --keep`: a host with its pages, filled with a day of made-up traffic, until Ctrl-C.
//!
//! The day passes on a simulated clock, through the same pipeline as any other; then the host is opened again with the
//! system's clock, and an event comes in every other second.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use hookmill_server::clock::{self, Clock};
use hookmill_server::config::Config;
use http::{Method, StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Api, LOOPBACK};

/// The day's steps: at each, the events of five minutes come in.
const STEP: Duration = Duration::from_secs(300);
const STEPS: u32 = 288;

/// The most waits of 5 ms for a step's deliveries: a plugin that is compiled takes longest.
const WAITS_MAX: u32 = 4_000;

/// The time between two events once the day is over.
const LIVE: Duration = Duration::from_secs(2);

const STAGES: [&str; 5] = ["new", "qualified", "proposal", "won", "lost"];
const NAMES: [&str; 8] = [
    "Anna Kowalska",
    "Jürgen Weiß",
    "李小龍",
    "Zoë O’Brien",
    "محمد علي",
    "Priya Natarajan",
    "José Álvarez",
    "Ola Nordmann",
];

/// Fills a host and runs it until Ctrl-C.
#[expect(clippy::print_stdout, reason = "the output of the command")]
pub(super) async fn run(dir: &Path) -> anyhow::Result<()> {
    let start = clock::whole_microseconds(Timestamp::now()) - SignedDuration::try_from(STEP * STEPS)?;
    let clock = Clock::manual(start);
    let receiver = receiver(clock.clone()).await?;
    let mut config = Config { data_dir: dir.to_owned(), ..Config::default() };
    config.send.allow_networks.push("127.0.0.0/8".parse()?);
    let listen = config.listen;
    let api = Api::start(config.clone(), clock.clone(), LOOPBACK).await?;
    prepare(&api, receiver).await?;
    println!("Filling a host with a day of made-up traffic …");
    for step in 0..STEPS {
        post(&api, step, events_at(step)).await?;
        settled(&api).await?;
        clock.advance(STEP);
    }
    settled(&api).await?;
    let key = api.stop().await?;

    // The port may be taken, perhaps by a host.
    let listen = if TcpListener::bind(listen).await.is_ok() { listen } else { LOOPBACK };
    let api = Api::open(config, Clock::system(), listen, Some(key)).await?;
    println!("\nOpen {} in a browser and sign in with this key:\n\n  {}\n", api.base, api.key);
    println!("An event comes in every 2 seconds. Ctrl-C ends the demo and deletes its data, in {}.", dir.display());
    let mut step = STEPS;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            () = tokio::time::sleep(LIVE) => {}
        }
        post(&api, step, 1).await?;
        step += 1;
    }
    api.stop().await?;
    Ok(())
}

/// How many events come in during a step: more at noon than at night.
fn events_at(step: u32) -> u32 {
    let from_noon = step.abs_diff(STEPS / 2);
    1 + (STEPS / 2 - from_noon.min(STEPS / 2)) / 16 + step % 3
}

/// Posts the events of a step.
async fn post(api: &Api, step: u32, count: u32) -> anyhow::Result<()> {
    for index in 0..count {
        let number = step * 31 + index;
        let name = NAMES[number as usize % NAMES.len()];
        let (kind, data) = match number % 4 {
            0 => ("lead.created", json!({"id": number, "name": name, "email": format!("lead{number}@example.com")})),
            1 => ("activity.created", json!({"id": number, "kind": "call", "minutes": number % 45, "by": name})),
            _ => {
                let value: Value = serde_json::from_str(&format!("{}.50", 100 + number % 9_000))?;
                let stage = STAGES[(number / 3) as usize % STAGES.len()];
                let deal = json!({"id": number, "title": format!("Order of {name}"), "status": stage, "value": value,
                    "owner": {"name": name}});
                ("deal.changed", deal)
            }
        };
        api.post("/v1/spaces/demo/events", json!({"type": kind, "data": data})).await?;
    }
    Ok(())
}

/// Waits until all that is due has been attempted.
async fn settled(api: &Api) -> anyhow::Result<()> {
    for _ in 0..WAITS_MAX {
        let now = api.call(Method::GET, "/v1/spaces/demo/overview", String::new()).await?;
        if now["waiting"] == 0 && now["in_flight"] == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    anyhow::bail!("the made-up deliveries did not end")
}

/// Creates the space with its subscriptions, and the catalog.
async fn prepare(api: &Api, receiver: SocketAddr) -> anyhow::Result<()> {
    let space = json!({"id": "demo", "name": "Demo", "indexed_paths": ["id", "status"]});
    api.post("/v1/spaces", space).await?;
    let code = "function transform(input) { const e = input.events[0]; return { body: { json: { text: `${e.type}: ${e.data.title}` } } }; }";
    let flat = json!({"name": "zapier"});
    let subscriptions = [
        (
            "Won deals to Zapier",
            "zapier",
            json!({"event_types": ["deal.*"], "plugin": flat, "condition": "event.data.status == 'won'"}),
        ),
        ("All deals to the warehouse", "warehouse", json!({"event_types": ["deal.*"]})),
        (
            "Leads to Make",
            "make",
            json!({"event_types": ["lead.*"], "plugin": {"name": "make"}, "content_type": "application/x-www-form-urlencoded"}),
        ),
        ("Everything to n8n", "n8n", json!({"event_types": ["*"], "plugin": {"name": "n8n"}})),
        (
            "Large deals to chat",
            "chat",
            json!({"event_types": ["deal.*"], "condition": "event.data.value > 5000.0",
            "plugin": {"name": "javascript", "config": {"code": code}}}),
        ),
        (
            "Billing (answers 503 now and then)",
            "flaky",
            json!({"event_types": ["deal.*"], "retry": {"schedule_s": [30, 600]}}),
        ),
        (
            "Old CRM sync (down for two hours)",
            "down",
            json!({"event_types": ["lead.*"], "retry": {"schedule_s": [60]}, "pause_after_failures": 0}),
        ),
        ("Partner portal, not ready yet", "draft", json!({"event_types": ["deal.*"], "state": "draft"})),
    ];
    for (name, path, mut subscription) in subscriptions {
        subscription["name"] = name.into();
        subscription["url"] = format!("http://{receiver}/{path}").into();
        api.post("/v1/spaces/demo/subscriptions", subscription).await.context(name)?;
    }
    for (name, example) in [
        ("lead.created", json!({"id": 7, "name": "Anna", "email": "anna@example.com"})),
        ("deal.changed", json!({"id": 7, "title": "Order", "status": "won", "value": 1250, "owner": {"name": "Anna"}})),
    ] {
        let entry = json!({"description": "Of the demo", "example": example}).to_string();
        api.call(Method::PUT, &format!("/v1/spaces/demo/event-types/{name}"), entry).await?;
    }
    Ok(())
}

/// Starts a receiver whose paths behave as the subscriptions' names say.
async fn receiver(clock: Clock) -> anyhow::Result<SocketAddr> {
    let began = clock.now();
    let app = Router::new().fallback(respond).with_state((clock, began));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn respond(State((clock, began)): State<(Clock, Timestamp)>, uri: Uri) -> (StatusCode, &'static str) {
    let minutes = clock.now().duration_since(began).as_secs() / 60;
    match uri.path() {
        "/flaky" if (minutes / 5) % 7 == 3 => (StatusCode::SERVICE_UNAVAILABLE, "the database is being backed up"),
        "/down" if (540..660).contains(&minutes) => (StatusCode::BAD_GATEWAY, "<h1>502 Bad Gateway</h1>"),
        _ => (StatusCode::OK, "{\"ok\":true}"),
    }
}
