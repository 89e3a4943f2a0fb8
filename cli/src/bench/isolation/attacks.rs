//! The attacks, each of a kind that once stopped or slowed a host for all spaces.

use std::fmt::Write as _;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::hostile;
use super::loud::Loud;

/// An attack: runs until it is aborted.
pub(super) struct Attack {
    pub(super) number: &'static str,
    pub(super) name: &'static str,
    pub(super) run: fn(Arc<Loud>) -> Running,
}

type Running = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

macro_rules! attacks {
    ($($number:literal $name:literal $function:ident,)*) => {
        /// All attacks. Numbers may be missing: those cannot be made without changing the machine, such as its DNS server.
        pub(super) static ATTACKS: &[Attack] =
            &[$(Attack { number: $number, name: $name, run: |loud| Box::pin($function(loud)) },)*];
    };
}

attacks! {
    "1" "conditions that nest 1,600 deep" deep_conditions,
    "2" "conditions that compare everything with everything, 690 KB events" dear_conditions,
    "3" "50 selections with filters, 1 MB events" dear_selections,
    "4" "schemas whose `allOf` doubles 30 times" doubling_schemas,
    "5a" "200 receivers that hang, 10 events each" hanging_receivers,
    "5b" "8 receivers that hang, 2,000 events each" hanging_backlog,
    "5c" "a burst of 20,000 events to 5 subscriptions" burst,
    "6" "8 subscriptions whose JavaScript loops" looping_plugins,
    "7" "64 listings with a rare type over a backlog, 64 readers of /metrics" listings,
    "9" "one NDJSON request of 5,000 events to 200 subscriptions" fan_out,
    "10" "1,500 idle or half-open connections, and an event to 1,300 receivers" descriptors,
    "11" "16 listings of 200 large events at once" large_listings,
    "12" "12 uploads of components to be compiled" uploads,
    "13" "receivers that send interim responses without end" interim,
    "14" "a backlog of 2,000 events for a slow plugin" slow_backlog,
}

async fn deep_conditions(loud: Arc<Loud>) -> anyhow::Result<()> {
    let deep = format!("{} > 0", vec!["1"; loud.vary(1_600)].join("+"));
    let nested = format!("{}true{}", "(".repeat(1_500), ")".repeat(1_500));
    loop {
        for condition in [&deep, &nested] {
            loud.subscribe(1, loud.responds, &json!({"condition": condition})).await;
        }
        loud.event("{}").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An array of numbers as a member of an object, of about this many bytes.
fn list(bytes: usize) -> String {
    let mut text = String::from(r#"{"l":["#);
    let mut number = 100_000;
    while text.len() < bytes {
        let _ = write!(text, "{number},");
        number += 1;
    }
    text.push_str("0]}");
    text
}

async fn dear_conditions(loud: Arc<Loud>) -> anyhow::Result<()> {
    for condition in [
        "event.data.l.all(x, x in event.data.l)",
        "event.data.l.all(x, !string(x).matches('(1|2|3|4|5)*[a-z]{200}'))",
        "size(event.data.l.map(x, event.data.l + event.data.l)) > 0",
    ] {
        loud.subscribe(1, loud.responds, &json!({"condition": condition})).await;
    }
    let data = list(loud.vary(690 << 10));
    Loud::repeat(2, || {
        let (loud, data) = (Arc::clone(&loud), data.clone());
        async move { loud.event(&data).await }
    })
    .await;
    Ok(())
}

async fn dear_selections(loud: Arc<Loud>) -> anyhow::Result<()> {
    let paths: Vec<_> = (0..50).map(|at| format!("$..[?@ > {at} && @ != 7]")).collect();
    loud.subscribe(4, loud.responds, &json!({"fields": {"include": paths}})).await;
    let data = list(loud.vary(800 << 10));
    Loud::repeat(2, || {
        let (loud, data) = (Arc::clone(&loud), data.clone());
        async move { loud.event(&data).await }
    })
    .await;
    Ok(())
}

async fn doubling_schemas(loud: Arc<Loud>) -> anyhow::Result<()> {
    let mut definitions = serde_json::Map::new();
    for level in 0..30 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        definitions.insert(format!("d{level}"), json!({"allOf": [next, next]}));
    }
    definitions.insert("d30".to_owned(), json!({"type": "object"}));
    let schema = json!({"$defs": definitions, "$ref": "#/$defs/d0"});
    let body = json!({"description": "", "schema": schema, "example": {"a": 1}});
    Loud::repeat(8, || {
        let (loud, body) = (Arc::clone(&loud), body.clone());
        async move { drop(loud.json(Method::PUT, "/event-types/loud.event", &body).await) }
    })
    .await;
    Ok(())
}

async fn hanging_receivers(loud: Arc<Loud>) -> anyhow::Result<()> {
    loud.subscribe(200, loud.hangs, &json!({})).await;
    loud.lines(10, "{}").await;
    pending().await
}

async fn hanging_backlog(loud: Arc<Loud>) -> anyhow::Result<()> {
    loud.subscribe(8, loud.hangs, &json!({})).await;
    loud.lines(2_000, "{}").await;
    pending().await
}

async fn burst(loud: Arc<Loud>) -> anyhow::Result<()> {
    loud.subscribe(5, loud.responds, &json!({})).await;
    for _ in 0..4 {
        loud.lines(5_000, super::super::event::DATA).await;
    }
    pending().await
}

async fn looping_plugins(loud: Arc<Loud>) -> anyhow::Result<()> {
    let code = "function transform() { for (;;) {} }";
    let plugin = json!({"name": "javascript", "config": {"code": code}, "pause_after": 1_000});
    loud.subscribe(8, loud.responds, &json!({"plugin": plugin})).await;
    loop {
        loud.lines(20, "{}").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn listings(loud: Arc<Loud>) -> anyhow::Result<()> {
    loud.subscribe(1, loud.hangs, &json!({"delay_s": 3_600})).await;
    for _ in 0..4 {
        loud.lines(10_000, r#"{"a":1}"#).await;
    }
    Loud::repeat(128, || {
        let loud = Arc::clone(&loud);
        async move {
            loud.call(Method::GET, "/deliveries?state=failed&limit=200", "application/json", "").await;
            loud.get("/metrics").await;
        }
    })
    .await;
    Ok(())
}

async fn fan_out(loud: Arc<Loud>) -> anyhow::Result<()> {
    loud.subscribe(200, loud.responds, &json!({"delay_s": 3_600})).await;
    loud.lines(5_000, "{}").await;
    pending().await
}

async fn descriptors(loud: Arc<Loud>) -> anyhow::Result<()> {
    // Below the default limit of 1,024 descriptors of this process for the receivers' side.
    let open = hostile::half_open(loud.address, 1_500).await;
    loud.subscribe(1_300, loud.hangs, &json!({})).await;
    loud.event("{}").await;
    pending::<()>().await;
    drop(open);
    Ok(())
}

async fn large_listings(loud: Arc<Loud>) -> anyhow::Result<()> {
    let data = list(500 << 10);
    for _ in 0..100 {
        loud.event(&data).await;
    }
    Loud::repeat(16, || {
        let loud = Arc::clone(&loud);
        async move { drop(loud.call(Method::GET, "/events?limit=200", "application/json", "").await) }
    })
    .await;
    Ok(())
}

async fn uploads(loud: Arc<Loud>) -> anyhow::Result<()> {
    let largest = hookmill_bundled::PLUGINS.iter().max_by_key(|plugin| plugin.component_bytes);
    let component = largest.map(hookmill_bundled::Bundled::component).unwrap_or_default();
    let number = Arc::new(std::sync::atomic::AtomicU32::new(0));
    Loud::repeat(12, || {
        let (loud, number, mut own) = (Arc::clone(&loud), Arc::clone(&number), component.clone());
        async move {
            // A custom section makes each a different component, which has to be compiled.
            let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            own.extend([0, 9, 4]);
            own.extend(b"loud");
            own.extend(number.to_le_bytes());
            loud.call(Method::POST, "/plugins", "application/wasm", own).await;
        }
    })
    .await;
    Ok(())
}

async fn interim(loud: Arc<Loud>) -> anyhow::Result<()> {
    loud.subscribe(4, loud.interim, &json!({})).await;
    loud.lines(4, "{}").await;
    pending().await
}

async fn slow_backlog(loud: Arc<Loud>) -> anyhow::Result<()> {
    let code = "function transform() { let n = 0; for (let i = 0; i < 300000; i++) n += i; return {body: {json: n}}; }";
    let plugin = json!({"name": "javascript", "config": {"code": code}});
    loud.subscribe(4, loud.responds, &json!({"plugin": plugin})).await;
    loud.lines(2_000, "{}").await;
    pending().await
}
