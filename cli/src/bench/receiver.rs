//! The receiver: counts requests, measures the time since their posting, and responds with 200; to an empty request, with the
//! count.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::bare;
use super::child::Served;
use super::event::{now_ns, percentiles, posted_ns};

/// The requests since the last `Take`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Number of requests.
    pub(super) count: u64,
    /// Arrival of the last.
    pub(super) last_ns: u64,
    /// Time from posting to arrival: the median and the 99th percentile.
    pub(super) p50_us: u32,
    pub(super) p99_us: u32,
}

/// A question to the receiver.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    /// The count; no other member is filled in.
    Count,
    /// Everything, and start again from zero.
    Take,
}

#[derive(Default)]
struct Arrivals {
    last_ns: u64,
    taken_us: Vec<u32>,
}

/// Runs until its parent exits.
pub(super) async fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let seen = Arc::new(Mutex::new(Arrivals::default()));
    let shared = Arc::clone(&seen);
    let server = tokio::spawn(bare::serve(listener, move |body| {
        let now = now_ns();
        let mut seen = lock(&shared);
        let Some(posted_ns) = posted_ns(&body) else {
            let count = seen.taken_us.len().to_string();
            return std::future::ready(Ok((StatusCode::OK, count.into())));
        };
        let took_us = now.saturating_sub(posted_ns) / 1_000;
        seen.last_ns = now;
        seen.taken_us.push(u32::try_from(took_us).unwrap_or(u32::MAX));
        std::future::ready(Ok((StatusCode::OK, Bytes::new())))
    }));
    let mut parent = Served::ready(address)?;
    while let Some(ask) = parent.next().await? {
        let count = lock(&seen).taken_us.len() as u64;
        let answer = match ask {
            Ask::Count => Tally { count, ..Tally::default() },
            Ask::Take => {
                let Arrivals { last_ns, taken_us } = std::mem::take(&mut *lock(&seen));
                let (p50_us, p99_us) = percentiles(taken_us);
                Tally { count, last_ns, p50_us, p99_us }
            }
        };
        parent.answer(&answer)?;
    }
    server.abort();
    Ok(())
}

fn lock(seen: &Mutex<Arrivals>) -> std::sync::MutexGuard<'_, Arrivals> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
