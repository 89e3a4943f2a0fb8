//! The floor: the least that a durable host can do.
//!
//! An event comes in over HTTP and is appended to a file; 202 goes out after `fdatasync`, one for all that came
//! meanwhile; the body is signed and sent; what came of it is appended too. No rules, no plugins, no retries, no API.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::bare::{self, Connection};
use super::child::Served;
use super::load::signature;
use hookmill_model::Secret;

/// Connections to the receiver, as many as the host uses for one subscription.
const SENDERS: usize = 64;

/// Entries of one group at most, as the host's.
const GROUP_MAX: usize = 512;

/// What a floor is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    /// To begin: whom to send to, and the folder to write in.
    Begin(SocketAddr, PathBuf),
    /// How often it has flushed.
    Flushes,
}

/// An entry of the file, and whom to tell when it is on disk.
type Entry = (Bytes, Option<oneshot::Sender<()>>);

/// Runs until its parent has no more to ask.
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
            let (told, on_disk) = oneshot::channel();
            log.send((body.clone(), Some(told)))?;
            on_disk.await?;
            senders[turn.fetch_add(1, Ordering::Relaxed) % SENDERS].send(body)?;
            Ok((StatusCode::ACCEPTED, Bytes::new()))
        }
    };
    bare::serve(listener, handle).await
}

/// A thread that appends in groups and flushes once for each.
fn log(folder: &Path, flushes: Arc<AtomicU64>) -> anyhow::Result<mpsc::UnboundedSender<Entry>> {
    let (sender, mut entries) = mpsc::unbounded_channel::<Entry>();
    let mut file: File = tempfile::tempfile_in(folder).context("making the file that the floor writes")?;
    std::thread::Builder::new().name("floor-writer".to_owned()).spawn(move || {
        let (mut group, mut text) = (Vec::new(), Vec::new());
        while entries.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            text.clear();
            group.iter().for_each(|(entry, _)| text.extend_from_slice(entry));
            if file.write_all(&text).and_then(|()| file.sync_data()).is_err() {
                // Nobody is told, so everybody's request ends in an error.
                return;
            }
            flushes.fetch_add(1, Ordering::Relaxed);
            for told in group.drain(..).filter_map(|(_, told)| told) {
                let _ = told.send(());
            }
        }
    })?;
    Ok(sender)
}

/// Tasks that each send what they are given over a connection of their own.
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
