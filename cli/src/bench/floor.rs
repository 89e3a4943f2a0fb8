//! The floor: the least that a durable host can do.
//!
//! An event arrives over HTTP and is appended to a file; 202 follows after an `fdatasync`, which covers all events that have
//! arrived meanwhile; the body is signed and sent, and the result appended too. No rules, no plugins, no retries, no API.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::Context as _;
use bytes::Bytes;
use hookmill_model::Secret;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::bare::{self, Connection};
use super::child::Served;
use super::load::signature;

/// Connections to the receiver, the same number as the host's for one subscription.
const SENDERS: usize = 64;

/// Maximum entries of a group, the same as the host's.
const GROUP_MAX: usize = 512;

/// A question to the floor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    /// Begin: the receiver's address, and the folder to write to.
    Begin(SocketAddr, PathBuf),
    /// The number of flushes so far.
    Flushes,
}

/// An entry of the file, and the sender to notify when it is on disk.
type Entry = (Bytes, Option<oneshot::Sender<()>>);

/// Runs until its parent exits.
pub(super) async fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut parent = Served::ready(listener.local_addr()?)?;
    let mut listener = Some(listener);
    let flushes = Arc::new(AtomicU64::new(0));
    while let Some(ask) = parent.next().await? {
        if let (Ask::Begin(receiver, folder), Some(listener)) = (ask, listener.take()) {
            let log = log(&folder, Arc::clone(&flushes))?;
            let senders = senders(receiver, &log).await?;
            tokio::spawn(accept(listener, log, senders));
        }
        parent.answer(&flushes.load(Ordering::Relaxed))?;
    }
    Ok(())
}

async fn accept(
    listener: TcpListener,
    log: mpsc::UnboundedSender<Entry>,
    senders: Vec<mpsc::UnboundedSender<Bytes>>,
) -> anyhow::Result<()> {
    let (senders, turn) = (Arc::new(senders), Arc::new(AtomicUsize::new(0)));
    let handle = move |body: Bytes| {
        let (log, senders, turn) = (log.clone(), Arc::clone(&senders), Arc::clone(&turn));
        async move {
            let (notify, on_disk) = oneshot::channel();
            log.send((body.clone(), Some(notify)))?;
            on_disk.await?;
            senders[turn.fetch_add(1, Ordering::Relaxed) % SENDERS].send(body)?;
            Ok((StatusCode::ACCEPTED, Bytes::new()))
        }
    };
    bare::serve(listener, handle).await
}

/// Starts a thread that appends entries in groups, with one flush per group.
fn log(folder: &Path, flushes: Arc<AtomicU64>) -> anyhow::Result<mpsc::UnboundedSender<Entry>> {
    let (sender, mut entries) = mpsc::unbounded_channel::<Entry>();
    let mut file: File = tempfile::tempfile_in(folder).context("creating the floor's file")?;
    std::thread::Builder::new().name("floor-writer".to_owned()).spawn(move || {
        let (mut group, mut text) = (Vec::new(), Vec::new());
        while entries.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            text.clear();
            group.iter().for_each(|(entry, _)| text.extend_from_slice(entry));
            if file.write_all(&text).and_then(|()| file.sync_data()).is_err() {
                // No sender is notified, so each of the requests fails.
                return;
            }
            flushes.fetch_add(1, Ordering::Relaxed);
            for notify in group.drain(..).filter_map(|(_, notify)| notify) {
                let _ = notify.send(());
            }
        }
    })?;
    Ok(sender)
}

/// Starts tasks that send bodies, each over its own connection.
async fn senders(
    receiver: SocketAddr,
    log: &mpsc::UnboundedSender<Entry>,
) -> anyhow::Result<Vec<mpsc::UnboundedSender<Bytes>>> {
    let mut senders = Vec::new();
    for _ in 0..SENDERS {
        let mut connection = Connection::open(receiver, "/", HeaderMap::new()).await?;
        let (sender, mut bodies) = mpsc::unbounded_channel::<Bytes>();
        let (secret, log) = (Secret::generate(), log.clone());
        tokio::spawn(async move {
            while let Some(body) = bodies.recv().await {
                let outcome = match connection.post(signature(&secret, &body), body).await {
                    Ok((status, _)) => status.to_string(),
                    Err(err) => err.to_string(),
                };
                log.send((outcome.into(), None))?;
            }
            anyhow::Ok(())
        });
        senders.push(sender);
    }
    Ok(senders)
}
