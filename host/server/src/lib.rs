//! Hookmill: a WebAssembly plugin host for webhook payloads. This page is its architecture.
//!
//! An **event** posted to a **space** is matched against its **subscriptions**; each match is a **delivery**, which waits
//! out its delay, is reshaped by the subscription's **plugin**, signed, sent, and recorded as an **attempt**; a failed
//! attempt schedules the next one.
//!
//! ```text
//! accept → match → delay → transform → sign → send → record
//! ```
//!
//! # Crates
//!
//! | crate | what it is | the wall |
//! |---|---|---|
//! | [`hookmill_model`] | values that parse: spaces, events, subscriptions, deliveries, attempts, plugins | no I/O |
//! | [`hookmill_turns`] | places that each space has a share of, and threads that yield to others | knows no work |
//! | [`hookmill_engine`] | a component and its limits → a draft, a skip or a fault | wasmtime is here only; no HTTP, no store |
//! | [`hookmill_store`] | all SQL, behind one trait; migrations | SQL is here only |
//! | [`hookmill_schema`] | whether a value conforms to a JSON Schema that a caller wrote | jsonschema is here only |
//! | `hookmill_server` | this crate: stages and loops | knows no HTTP but what it sends |
//! | `hookmill_api` | the HTTP API: `http`, whatever the resource, and one file for each resource | axum is here, and in the demo |
//! | `hookmill` | the program: arguments → configuration, signals → `hookmill_api::run` | the command line is here only |
//!
//! # Rooms of this crate, from the ground up
//!
//! A room imports only rooms above it in this table, so there is no circle; `tests/architecture.rs` checks it.
//!
//! | room | what it is |
//! |---|---|
//! | [`clock`], [`config`], [`error`], [`task`] | the only reader of time, every setting, why a caller is not served, work that must not be interrupted, turns that are fair between spaces |
//! | [`json`], [`number`], [`texts`], [`keys`] | reading and checking what callers write; API keys |
//! | [`stages`] | one module each: [`matching`](stages::matching), [`delay`](stages::delay), [`select`](stages::select), [`shape`](stages::shape), [`request`](stages::request), [`seal`](stages::seal), [`sign`](stages::sign), [`send`](stages::send), [`record`](stages::record); no stage knows another, but for [`record`](stages::record), which asks [`delay`](stages::delay) when a retry is due |
//! | [`mail`] | the client of the mail server |
//! | [`registry`] | the subscriptions in memory, compiled; its guard is the only thing that can save one |
//! | [`queues`] | what one loop hands another: the inbox, alarms, shadow jobs, turns |
//! | [`metrics`], [`recent`], [`quotas`], [`values`], [`host`] | what is counted; what happened lately; what each space may use; what it searches by; what all of the following share |
//! | [`dispatch`] | one attempt without recording it: transform, sign, send, judge |
//! | [`ingest`] | matches events and commits them with their deliveries |
//! | [`deliver`] | the loop that knows the order transform → sign → send → record |
//! | [`plugins`] | the one door for components ([`plugins::admit`]), versions and who follows them, the folder, registries |
//! | [`subscriptions`] | what is right in a subscription, conflicts, profiles, import |
//! | [`dry_run`] | previews, comparisons, shadows, diagnoses, which subscriptions match an event and why others do not |
//! | [`find`] | what a text may mean in a space |
//! | [`notify`], [`replay`], [`retention`], [`erasure`] | reports failures to a space; sends what it received again; deletes what has expired; deletes what a caller wants erased |
//!
//! # Three walks
//!
//! **An event**, `POST /v1/spaces/acme/events`:
//! 1. `access` of the API lets the key in; `resources/events` parses the body into an event and checks its limits.
//! 2. [`ingest`] asks [`registry`] who wants it ([`stages::matching`]: type, trigger, condition), computes each due time
//!    ([`stages::delay`]) and reserves a place in [`queues::Inbox`] for what is due now.
//! 3. [`hookmill_store::Store::accept`] commits the event with its deliveries, those with a place already leased; after
//!    the commit is on disk the caller gets 202, and the inbox the deliveries.
//! 4. [`deliver`] takes them from the inbox, or leases due rows, lets each subscription wait in a lane of its own, and starts
//!    an attempt when it is the space's and the lane's turn.
//! 5. [`dispatch`] selects fields ([`stages::select`]), runs the plugin ([`hookmill_engine`]) or makes a default shape
//!    ([`stages::shape`]), assembles the request ([`stages::request`]), puts secrets in their places ([`stages::seal`]), signs
//!    ([`stages::sign`]), sends ([`stages::send`]) and judges the response.
//! 6. [`stages::record`] decides what follows: delivered, failed, skipped, or pending with a new due time;
//!    [`hookmill_store::Store::record`] writes attempts together; [`deliver`] wakes who waits for it (notices, shadows, itself).
//!
//! **An upload**, `POST /v1/spaces/acme/plugins`:
//! 1. `resources/plugins` of the API reads the body within its limit and hands a candidate to [`plugins::admit`], as do pulls, the
//!    folder and `hookmill plugin inspect`.
//! 2. The signature is checked, then [`hookmill_engine`] scans the component, compiles it in a child process with limits of
//!    its own, and asks it to describe itself; the schema of its configuration is checked.
//! 3. The store keeps it under its name and version, which never change.
//! 4. [`plugins::follow`] moves the subscriptions that follow a range of its versions, each saved under the registry's guard.
//!
//! **A change**, `PATCH /v1/spaces/acme/subscriptions/{id}`:
//! 1. `resources/subscriptions` of the API parses the patch alone, so that an unknown member is named.
//! 2. [`subscriptions`] merges it (RFC 7396) into the definition as it is stored, fills in the profile's defaults, parses and
//!    checks the whole; if the URL moves and there is a handshake, the new endpoint is asked. None of this holds up others.
//! 3. Under the guard of [`registry::Registry::changing`]: if the subscription is still as it was, conflicts are checked and
//!    it is saved, to its row first and to memory after. Else it starts again.
//! 4. The loops that may have work now are woken; the caller gets the subscription as it is.
//!
//! # What always holds
//!
//! - **Two loops joined by rows.** Accepting turns an event into delivery rows, in the transaction that commits the
//!   event; delivering turns a due row into an attempt. Rows are the truth. What goes from one to the other through
//!   memory ([`queues::Inbox`]) only saves reading it back.
//! - **202 means committed**, flushed to the disk. An event that was answered with 202 reaches its receiver at least once,
//!   whatever ends the process. Any other answer means nothing: an event that was answered with 503 because the disk
//!   failed may be there after a restart, and posting it again under its id is always right.
//! - **Fault is a type.** What a plugin or a receiver does wrong is data: a [`hookmill_model::Outcome`] that is recorded and
//!   perhaps retried. An internal fault is an `Err`: logged once, nothing recorded, no retry used up; the delivery's lease
//!   expires and it is attempted again.
//! - **What is signed is what is sent**, byte for byte, and what is kept.
//! - **A delivery finishes as it began**: each retry has the plugin's code and configuration of the first attempt, and so
//!   its bytes, whatever its subscription uses by then.
//! - **Numbers stay as they were written**: an event's data is text to every stage but a plugin.
//! - **A plugin sees its delivery and nothing else**, in an instance that lives for one call.
//! - **One subscription's trouble is its own, and one space's**: places in flight, room in memory, commits and the
//!   engine's turns go round spaces first and then a space's subscriptions, and no space gets all of them.
//! - **Time is an argument.** Only [`clock`] reads it, so a test steps through a day without waiting.
#![forbid(unsafe_code)]

#[expect(clippy::disallowed_methods, reason = "the room that reads the wall clock")]
pub mod clock;
pub mod config;
pub mod deliver;
pub mod dispatch;
pub mod dry_run;
pub mod erasure;
pub mod error;
pub mod find;
pub mod host;
pub mod ingest;
pub mod json;
pub mod keys;
pub mod mail;
pub mod metrics;
pub mod notify;
pub mod number;
pub mod plugins;
pub mod queues;
pub mod quotas;
pub mod recent;
pub mod registry;
pub mod replay;
pub mod retention;
pub mod stages;
pub mod subscriptions;
pub mod task;
pub mod texts;
pub mod values;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clock::Clock;
use config::Config;
use deliver::Deliver;
use hookmill_engine::Engine;
use hookmill_store::{OpenError, Sqlite, Store};
use host::Host;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Opens the data directory and builds a host on it. On the first start, it also returns an admin key, which is stored
/// nowhere. `program` compiles plugins: run with the argument `compile`, it is `hookmill compile`.
///
/// # Errors
/// If the directory cannot be used, or another host still uses it after 5 seconds.
pub async fn open(config: Config, clock: Clock, program: PathBuf) -> anyhow::Result<(Arc<Host>, Option<String>)> {
    let store: Arc<dyn Store> = Arc::new(open_store(&config.data_dir).await?);
    let compiled = config.compiled_dir.clone().unwrap_or_else(|| config.data_dir.join("compiled"));
    let engine = Engine::new(&config.plugin, &compiled, program)?;
    let host = Host::new(config, clock, store, engine).await?;
    plugins::bundled::install(&host).await?;
    plugins::folder::install(&host).await?;
    // A directory that hosts share also has the plugins of the others.
    let keep = match host.config.compiled_dir {
        Some(_) => None,
        None => Some(host.store.component_digests().await?),
    };
    host.engine.clean(keep).await;
    // Only now: a file of the folder may replace a bundled plugin.
    plugins::follow::at_start(&host).await;
    let first_key = keys::first_admin_key(&*host.store, host.clock.now()).await?;
    Ok((host, first_key))
}

/// How long a start waits for another host on its directory to end: the one that a restart replaces may still be flushing.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// The interval at which the lock is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// Opens the store; waits for another host on the directory that is ending.
async fn open_store(dir: &Path) -> anyhow::Result<Sqlite> {
    let until = Instant::now() + LOCK_PATIENCE;
    let mut said = false;
    loop {
        let path = dir.to_owned();
        match tokio::task::spawn_blocking(move || Sqlite::open(&path)).await? {
            Err(OpenError::InUse(dir)) if Instant::now() < until => {
                if !said {
                    let patience_s = LOCK_PATIENCE.as_secs();
                    tracing::warn!(dir = %dir.display(), patience_s, "data directory in use by another host: waiting until it ends");
                    said = true;
                }
                tokio::time::sleep(LOCK_RETRY).await;
            }
            opened => return Ok(opened?),
        }
    }
}

/// Delivers while the API is served, until `shutdown`; then finishes what is in flight and hands the rest back to its
/// rows. `serve` accepts requests, and ends when `shutdown` is cancelled.
///
/// # Errors
/// If `serve` fails, or a loop ends.
pub async fn run(
    host: Arc<Host>,
    serve: impl Future<Output = io::Result<()>> + Send,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let grace = Duration::from_secs(host.config.deliver.grace_s);
    let deliver_until = CancellationToken::new();
    let retention = {
        let (host, shutdown) = (host.clone(), shutdown.clone());
        tokio::spawn(async move { retention::run(&host, &shutdown).await })
    };
    let erasure = {
        let (host, shutdown) = (host.clone(), shutdown.clone());
        tokio::spawn(async move { erasure::run(&host, &shutdown).await })
    };
    let prepare = {
        let (host, shutdown) = (host.clone(), shutdown.clone());
        tokio::spawn(async move { plugins::prepare::run(&host, &shutdown).await })
    };
    let mut notify = tokio::spawn(notify::run(host.clone(), deliver_until.clone()));
    let mut replay = tokio::spawn(replay::run(host.clone(), deliver_until.clone()));
    let mut shadow = tokio::spawn(dry_run::shadow::run(host.clone(), deliver_until.clone()));
    let mut deliver = tokio::spawn(Deliver::new(host).run(deliver_until.clone()));
    let served = tokio::select! {
        served = serve => served.context("serving the API"),
        // A caller that does not finish its request must not prevent the shutdown.
        () = async { shutdown.cancelled().await; tokio::time::sleep(grace).await } => Ok(()),
        ended = &mut deliver => anyhow::bail!("the deliver loop ended: {ended:?}"),
        ended = &mut notify => anyhow::bail!("the notify loop ended: {ended:?}"),
        ended = &mut replay => anyhow::bail!("the replay loop ended: {ended:?}"),
        ended = &mut shadow => anyhow::bail!("the shadow loop ended: {ended:?}"),
    };
    deliver_until.cancel();
    deliver.await.context("the deliver loop panicked")?;
    // Only now: it may be in the middle of a transaction.
    retention.abort();
    erasure.abort();
    prepare.abort();
    notify.await.context("the notify loop panicked")?;
    replay.await.context("the replay loop panicked")?;
    shadow.await.context("the shadow loop panicked")?;
    served
}
