//! Hookmill: a WebAssembly plugin host for webhook payloads.
//!
//! An **event** posted to a **space** is matched against its **subscriptions**; each match is a **delivery**, which
//! waits out its delay, is reshaped by the subscription's **plugin**, signed, sent, and recorded as an **attempt**; a
//! failed attempt schedules the next one.
//!
//! ```text
//! accept → match → delay → transform → sign → send → record
//! ```
//!
//! Who knows that sentence knows where every line lives:
//!
//! | stage     | module        | what it is                                                                 |
//! |-----------|---------------|----------------------------------------------------------------------------|
//! | accept    | [`accept`]    | the HTTP API; [`accept::intake`] commits events with their deliveries        |
//! | match     | [`matching`]  | pure: which subscriptions want this event                                  |
//! | delay     | [`delay`]     | pure: when is an attempt due                                               |
//! | transform | [`transform`] | field selection, the plugin in its sandbox or a default shape, the request |
//! | sign      | [`sign`]      | pure: exact bytes → headers                                                |
//! | send      | [`send`]      | the one HTTP client: address policy, timeouts, caps                        |
//! | record    | [`record`]    | pure: outcome → what happens next                                          |
//!
//! Around them: [`model`] (who is who), [`store`] (all SQL, behind one trait), [`registry`] (the subscriptions in
//! memory), [`deliver`] (the loop that knows the order of the last four stages), [`retention`] (forgets what is old),
//! [`profile`] (what each CRM's webhooks are like: data), [`import`] (other systems' definitions → subscriptions),
//! [`notify`] (tells a space of its failures), [`diagnose`] (why a webhook does not come), [`preview`] (what would be
//! sent), [`compare`] (what another version would have made of past events), [`shadow`] (what it makes of live ones),
//! [`oci`] and [`folder`] (where plugins come from beside uploads), [`signature`] (who answers for one), [`golden`]
//! (plugins' test cases), [`config`] (every knob), [`clock`] (the only reader of time), [`cli`].
//!
//! Dependencies point one way: `model ← stages ← deliver, accept, notify ← lib ← cli ← main`. A stage knows no other
//! stage. Preview, compare and shadow use the stages as deliver does, and send nothing.
//!
//! # What always holds
//!
//! - **Two loops joined by rows.** Accepting turns an event into delivery rows, in the transaction that commits the
//!   event; delivering turns a due row into an attempt. Rows are the truth. What goes from one to the other through
//!   memory ([`deliver::Inbox`]) only saves reading it back.
//! - **202 means committed**, with the disk's word for it. What was answered with 202 reaches its receiver at least
//!   once, whatever ends the process meanwhile. Any other answer means nothing: an event that was answered with 500
//!   because the disk failed may be there after a restart, and posting it again under its id is always right.
//! - **Fault is a type.** What a plugin or a receiver does wrong is data: a [`model::Outcome`] that is recorded, and
//!   perhaps tried again. What we do wrong is an `Err`: logged once, nothing recorded, no retry used up; the delivery's
//!   claim lapses and it is taken up again.
//! - **What is signed is what is sent**, byte for byte, and what is kept.
//! - **A delivery finishes as it began**: each retry has the plugin's code and configuration of the first attempt, and so
//!   its bytes, whatever its subscription uses by then.
//! - **Numbers stay as they were written**: an event's data is text to every stage but a plugin.
//! - **A plugin sees its delivery and nothing else**, in an instance that lives for one call.
//! - **One subscription's trouble is its own**: it fills its own lane in memory, its own share of what is in flight.
//! - **Time is an argument.** Only [`clock`] reads it, so a test steps through a day without waiting.
// One exception, with its reason: the engine maps machine code that this host compiled itself.
#![deny(unsafe_code)]

pub mod api;
pub mod clock;
pub mod config;
pub mod deliver;
pub mod dispatch;
pub mod dry_run;
pub mod error;
pub mod host;
pub mod ingest;
pub mod keys;
pub mod mail;
pub mod metrics;
pub mod notify;
pub mod plugins;
pub mod queues;
pub mod registry;
pub mod retention;
pub mod stages;
pub mod subscriptions;
pub mod task;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clock::Clock;
use config::Config;
use deliver::Deliver;
use hookmill_engine::Engine;
use hookmill_store::{Sqlite, Store};
use host::Host;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Opens the data directory and builds a host on it. On the first start, it also returns an admin key, which is stored
/// nowhere. `program` compiles plugins: run with the argument `compile`, it is `hookmill compile`.
///
/// # Errors
/// If the directory cannot be used, or another host uses it.
pub async fn open(config: Config, clock: Clock, program: PathBuf) -> anyhow::Result<(Arc<Host>, Option<String>)> {
    let dir = config.data_dir.clone();
    let store = tokio::task::spawn_blocking(move || Sqlite::open(&dir)).await??;
    let store: Arc<dyn Store> = Arc::new(store);
    let compiled = config.compiled_dir.clone().unwrap_or_else(|| config.data_dir.join("compiled"));
    let engine = Engine::new(&config.plugin, &compiled, program)?;
    let host = Host::new(config, clock, store, engine).await?;
    plugins::bundled::install(&host).await?;
    plugins::folder::install(&host).await?;
    // Only now: a file of the folder may replace a bundled plugin.
    plugins::follow::at_start(&host).await;
    let first_key = keys::first_admin_key(&*host.store, host.clock.now()).await?;
    Ok((host, first_key))
}

/// Serves the API and delivers until `shutdown`; then stops accepting, finishes what is in flight and hands the rest
/// back to its rows.
///
/// # Errors
/// If the listener fails, or a loop ends.
pub async fn run(host: Arc<Host>, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    let grace = Duration::from_secs(host.config.deliver.grace_s);
    let router = api::router(host.clone()).await?;
    let deliver_until = CancellationToken::new();
    let retention = {
        let (host, shutdown) = (host.clone(), shutdown.clone());
        tokio::spawn(async move { retention::run(&host, &shutdown).await })
    };
    let prepare = {
        let (host, shutdown) = (host.clone(), shutdown.clone());
        tokio::spawn(async move { plugins::prepare::run(&host, &shutdown).await })
    };
    let mut notify = tokio::spawn(notify::run(host.clone(), deliver_until.clone()));
    let mut shadow = tokio::spawn(dry_run::shadow::run(host.clone(), deliver_until.clone()));
    let mut deliver = tokio::spawn(Deliver::new(host).run(deliver_until.clone()));
    let serve = axum::serve(listener, router).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let served = tokio::select! {
        served = serve.into_future() => served.context("serving the API"),
        // A caller that does not finish its request must not prevent the shutdown.
        () = async { shutdown.cancelled().await; tokio::time::sleep(grace).await } => Ok(()),
        ended = &mut deliver => anyhow::bail!("the deliver loop ended: {ended:?}"),
        ended = &mut notify => anyhow::bail!("the notify loop ended: {ended:?}"),
        ended = &mut shadow => anyhow::bail!("the shadow loop ended: {ended:?}"),
    };
    deliver_until.cancel();
    deliver.await.context("the deliver loop panicked")?;
    // Only now: it may be in the middle of a transaction.
    retention.abort();
    prepare.abort();
    notify.await.context("the notify loop panicked")?;
    shadow.await.context("the shadow loop panicked")?;
    served
}
