//! Transforms alone: the cost of one, and how two threads scale.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use hookmill_engine::{Engine, Limits, Prepared};
use hookmill_model::{
    Delivery, DeliveryId, DeliveryState, Event, EventId, EventType, FieldSelection, Pattern, SpaceId, Subscription,
};
use hookmill_server::dispatch::transform::{self, Plugin, TransformDecision, TransformInput};
use hookmill_server::stages::select::Selector;
use jiff::Timestamp;

use super::child::Used;
use super::event::DATA;
use super::measure::Figures;

/// The measured component.
fn zapier() -> anyhow::Result<Vec<u8>> {
    let zapier = hookmill_bundled::PLUGINS.iter().find(|plugin| plugin.name == "zapier");
    Ok(zapier.context("the plugin zapier is not bundled")?.component())
}

/// The state that threads share.
struct Shared {
    engine: Engine,
    limits: Limits,
    plugin: Arc<Prepared>,
    subscription: Subscription,
    delivery: Delivery,
    selector: Selector,
}

/// Measures for this many seconds with one thread, and then with two.
pub(super) async fn measure(folder: &Path, seconds: f64) -> anyhow::Result<Figures> {
    let shared = Arc::new(Shared::new(folder).await?);
    let duration = Duration::from_secs_f64(seconds);
    on_threads(&shared, 1, duration / 4).await?;
    let one = on_threads(&shared, 1, duration).await?;
    let two = on_threads(&shared, 2, duration).await?;
    let instantiate_us = shared.instantiate_us(duration / 4).await?;
    Ok(vec![
        ("transform_us", 1e6 / one),
        ("instantiate_us", instantiate_us),
        ("transforms_per_s", one),
        ("two_threads", two / one),
    ])
}

impl Shared {
    /// Makes an engine that keeps its compiled plugins in `folder`.
    async fn new(folder: &Path) -> anyhow::Result<Self> {
        let limits = Limits::default();
        let engine = Engine::new(&limits, folder, std::env::current_exe()?)?;
        let component = Bytes::from(zapier()?);
        let digest = engine.inspect(component.clone()).await?.digest;
        let plugin = engine.load(digest, component).await?;
        let now = Timestamp::now();
        let space = SpaceId::parse("bench")?;
        let kind = EventType::parse("deal.won")?;
        let url = "http://127.0.0.1/".parse()?;
        let subscription = Subscription::new(space.clone(), "bench", url, vec![Pattern::All], now);
        let event = Event {
            space,
            id: EventId::new(now),
            kind,
            occurred_at: now,
            accepted_at: now,
            data: serde_json::value::RawValue::from_string(DATA.to_owned())?.into(),
            changed_fields: None,
            previous: None,
        };
        let delivery = Delivery {
            id: DeliveryId::new(now),
            subscription_id: subscription.id,
            event: Arc::new(event),
            batched: 0,
            more: Vec::new(),
            test: false,
            verbatim: false,
            pinned: None,
            state: DeliveryState::Pending,
            attempts: 0,
            due_at: now,
            leased_until: None,
            completed_at: None,
            reason: None,
        };
        let selector = Selector::compile(&FieldSelection::default())?;
        Ok(Self { engine, limits, plugin, subscription, delivery, selector })
    }

    async fn transform(&self) -> anyhow::Result<()> {
        let plugin = Plugin { prepared: &self.plugin, config: "{}" };
        let Self { delivery, subscription, selector, .. } = self;
        let input = TransformInput { delivery, attempt: 1, subscription, selector };
        let made = transform::transform(&self.engine, &self.limits, Some(plugin), input).await?;
        ensure!(
            matches!(made.result, Ok(TransformDecision::Deliver(_))),
            "the plugin made no request: {:?}",
            made.result
        );
        Ok(())
    }

    async fn instantiate_us(&self, duration: Duration) -> anyhow::Result<f64> {
        let (started, mut count) = (Instant::now(), 0);
        while started.elapsed() < duration {
            self.engine.instantiate(&self.plugin).await?;
            count += 1;
        }
        Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(count))
    }
}

/// Returns the transforms per second on this many threads.
async fn on_threads(shared: &Arc<Shared>, threads: usize, duration: Duration) -> anyhow::Result<f64> {
    let work = (0..threads).map(|_| {
        let shared = Arc::clone(shared);
        tokio::task::spawn_blocking(move || -> anyhow::Result<f64> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let (started, mut count) = (Instant::now(), 0);
                while started.elapsed() < duration {
                    shared.transform().await?;
                    count += 1;
                }
                Ok(f64::from(count) / started.elapsed().as_secs_f64())
            })
        })
    });
    let mut per_s = 0.0;
    for ended in work.collect::<Vec<_>>() {
        per_s += ended.await??;
    }
    Ok(per_s)
}

/// Measures one plugin alone and among this many other loaded ones, and the memory of each of those.
pub(super) async fn among_many(folder: &Path, others: usize, seconds: f64) -> anyhow::Result<Figures> {
    let shared = Arc::new(Shared::new(folder).await?);
    let duration = Duration::from_secs_f64(seconds);
    on_threads(&shared, 1, duration / 4).await?;
    let alone = on_threads(&shared, 1, duration).await?;
    let component = zapier()?;
    let variants: Vec<_> = (0..others).map(|number| variant(&component, number)).collect();
    // Compiled first by another engine, so that only loading is measured.
    let compiling = Engine::new(&shared.limits, folder, std::env::current_exe()?)?;
    let mut digests = Vec::new();
    for some in variants.chunks(8) {
        let inspected =
            futures::future::try_join_all(some.iter().map(|component| compiling.inspect(component.clone())));
        digests.extend(inspected.await?.into_iter().map(|inspected| inspected.digest));
    }
    drop(compiling);
    let artefacts: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    let artefact_bytes = artefacts.iter().map(|file| file.metadata().map_or(0, |file| file.len())).sum::<u64>();
    let before = Used::of(std::process::id())?.resident_bytes;
    for digest in digests {
        shared.engine.load_cached(digest).await.context("a compiled plugin is missing in the cache")?;
    }
    let grown = Used::of(std::process::id())?.resident_bytes.saturating_sub(before);
    let among = on_threads(&shared, 1, duration).await?;
    Ok(vec![
        ("alone_per_s", alone),
        ("among_per_s", among),
        ("resident_bytes_each", grown as f64 / others as f64),
        ("artefact_bytes_each", artefact_bytes as f64 / artefacts.len() as f64),
    ])
}

/// Returns the component with another digest: with a custom section, which nothing reads.
fn variant(component: &[u8], number: usize) -> Bytes {
    let mut bytes = component.to_vec();
    // Section 0, its length, the name's length, the name.
    bytes.extend([0, 5, 4]);
    bytes.extend(format!("{number:04}").into_bytes());
    bytes.into()
}
