//! The load generator: posts events as fast as they are delivered, or at a given rate.
//!
//! As fast as they are delivered means that at most [`IN_FLIGHT_MAX`] deliveries are in flight: without that bound, a host that
//! accepts faster than it delivers would be measured while it builds up a backlog.
//!
//! At a rate, an event's time is the time at which it should have been posted: an event that waits here because of a late
//! response to an earlier one includes its waiting time, which is what a producer observes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use hookmill_model::{DeliveryId, Secret, Signing};
use hookmill_server::stages::sign;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinSet;

use super::bare::Connection;
use super::child::Served;
use super::event::{Event, now_ns};

/// Maximum deliveries in flight.
const IN_FLIGHT_MAX: u64 = 1_000;

/// Interval at which the receiver is asked for its count.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// What to post, and where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) path: String,
    /// The API key; none if none is required.
    pub(super) key: Option<String>,
    /// Whether each body is signed like a delivery.
    pub(super) signed: bool,
    pub(super) connections: usize,
    /// The receiver of the deliveries, and the deliveries per event.
    pub(super) receiver: SocketAddr,
    pub(super) fan_out: u64,
    pub(super) seconds: f64,
    /// Requests per second; if none, as fast as they are delivered.
    pub(super) rate: Option<f64>,
    /// Events per request, as lines; 0 for one event as JSON.
    pub(super) lines: usize,
}

/// The result of a load.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LoadResult {
    /// Accepted events.
    pub(super) events: u64,
    /// The times of the first post and of the last response.
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
}

/// Runs until its parent exits.
pub(super) async fn run() -> anyhow::Result<()> {
    // It does not listen, but its parent expects an address.
    let mut parent = Served::ready(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    while let Some(load) = parent.next::<Load>().await? {
        parent.answer(&post(load).await?)?;
    }
    Ok(())
}

async fn post(load: Load) -> anyhow::Result<LoadResult> {
    let mut headers = HeaderMap::new();
    let content_type = if load.lines > 0 { "application/x-ndjson" } else { "application/json" };
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(key) = &load.key {
        headers.insert(http::header::AUTHORIZATION, format!("Bearer {key}").parse()?);
    }
    let event = Arc::new(Event::new(load.lines));
    let first_ns = now_ns();
    let until_ns = first_ns + (load.seconds * 1e9) as u64;
    let in_flight = Arc::new(InFlight::new(&load));
    let asking = load.rate.is_none().then(|| tokio::spawn(Arc::clone(&in_flight).ask(load.receiver)));
    let ticks = load.rate.map(|rate| Arc::new(Mutex::new(ticks(first_ns, until_ns, rate))));
    let mut posters = JoinSet::new();
    for _ in 0..load.connections {
        let connection = Connection::open(load.address, &load.path, headers.clone()).await?;
        let secret = load.signed.then(Secret::generate);
        let poster = Poster { connection, event: event.clone(), secret, events: 0, in_flight: in_flight.clone() };
        posters.spawn(poster.run(ticks.clone(), until_ns));
    }
    let mut requests = 0;
    while let Some(ended) = posters.join_next().await {
        requests += ended??;
    }
    if let Some(asking) = asking {
        asking.abort();
    }
    Ok(LoadResult { events: requests * load.lines.max(1) as u64, first_ns, last_ns: now_ns() })
}

struct Poster {
    connection: Connection,
    event: Arc<Event>,
    secret: Option<Secret>,
    events: u64,
    in_flight: Arc<InFlight>,
}

/// The deliveries in flight.
struct InFlight {
    /// Deliveries per request.
    each: u64,
    posted: AtomicU64,
    arrived: AtomicU64,
    more_arrived: Notify,
}

impl InFlight {
    fn new(load: &Load) -> Self {
        let each = load.fan_out * load.lines.max(1) as u64;
        Self { each, posted: AtomicU64::new(0), arrived: AtomicU64::new(0), more_arrived: Notify::new() }
    }

    /// Waits until the deliveries of one more request fit; returns false if they do not until then.
    async fn room(&self, until_ns: u64) -> bool {
        while now_ns() < until_ns {
            let changed = self.more_arrived.notified();
            let posted = self.posted.load(Ordering::Relaxed);
            if posted <= self.arrived.load(Ordering::Relaxed) + IN_FLIGHT_MAX.saturating_sub(self.each) {
                self.posted.fetch_add(self.each, Ordering::Relaxed);
                return true;
            }
            changed.await;
        }
        false
    }

    /// Asks the receiver for its count, in a loop.
    async fn ask(self: Arc<Self>, receiver: SocketAddr) -> anyhow::Result<()> {
        let mut connection = Connection::open(receiver, "/", HeaderMap::new()).await?;
        loop {
            let (_, count) = connection.post(HeaderMap::new(), Bytes::new()).await?;
            self.arrived.store(std::str::from_utf8(&count)?.parse()?, Ordering::Relaxed);
            self.more_arrived.notify_waiters();
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

impl Poster {
    async fn run(
        mut self,
        ticks: Option<Arc<Mutex<mpsc::UnboundedReceiver<u64>>>>,
        until_ns: u64,
    ) -> anyhow::Result<u64> {
        if let Some(ticks) = ticks {
            while let Some(at_ns) = next(&ticks).await {
                self.post(at_ns).await?;
            }
            return Ok(self.events);
        }
        while self.in_flight.room(until_ns).await {
            self.post(now_ns()).await?;
        }
        Ok(self.events)
    }

    async fn post(&mut self, at_ns: u64) -> anyhow::Result<()> {
        let body = self.event.at(at_ns);
        let headers = self.secret.as_ref().map(|secret| signature(secret, &body)).unwrap_or_default();
        let (status, _) = self.connection.post(headers, body).await?;
        ensure!(matches!(status, StatusCode::OK | StatusCode::ACCEPTED), "the response to an event was {status}");
        self.events += 1;
        Ok(())
    }
}

async fn next(ticks: &Mutex<mpsc::UnboundedReceiver<u64>>) -> Option<u64> {
    ticks.lock().await.recv().await
}

/// Sends the times at which to post when they are due, from a thread, since the runtime's timer has a resolution of 1 ms.
fn ticks(first_ns: u64, until_ns: u64, rate: f64) -> mpsc::UnboundedReceiver<u64> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let times = (0_u64..).map(|number| first_ns + (number as f64 * 1e9 / rate) as u64);
        for at_ns in times.take_while(|at_ns| *at_ns < until_ns) {
            let wait = at_ns.saturating_sub(now_ns());
            // A shorter sleep is not exact, and its effect is below what is measured.
            if wait > 50_000 {
                std::thread::sleep(Duration::from_nanos(wait));
            }
            if sender.send(at_ns).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Returns the headers of a signature, as the host makes them for a new delivery.
pub(super) fn signature(secret: &Secret, body: &[u8]) -> HeaderMap {
    let now = jiff::Timestamp::now();
    let signed = sign::SignedContent { id: DeliveryId::new(now), timestamp_s: now.as_second(), url: "", body };
    sign::sign(&Signing::default(), std::slice::from_ref(secret), &signed)
}
