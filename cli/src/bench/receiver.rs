//! The receiver: counts what comes and how long it was on its way, and answers 200. Who posts nothing is told the count.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::bare;
use super::child::Served;
use super::event::{now_ns, percentiles, posted_ns};

/// What is known of what came since the last taking.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Received {
    /// Requests.
    pub(super) count: u64,
    /// When the last came.
    pub(super) last_ns: u64,
    /// From posting to here: the middle and the 99th percentile.
    pub(super) p50_us: u32,
    pub(super) p99_us: u32,
}

/// What a receiver is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    /// How many came; nothing else is filled in.
    Count,
    /// All of it, and to begin anew.
    Take,
}

#[derive(Default)]
struct Arrivals {
    last_ns: u64,
    taken_us: Vec<u32>,
}

/// Runs until its parent has no more to ask.
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
            Ask::Count => Received { count, ..Received::default() },
            Ask::Take => {
                let Arrivals { last_ns, taken_us } = std::mem::take(&mut *lock(&seen));
                let (p50_us, p99_us) = percentiles(taken_us);
                Received { count, last_ns, p50_us, p99_us }
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
