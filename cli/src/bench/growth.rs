//! Growth: the host's speed with many subscriptions, many waiting deliveries and many plugins.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use hookmill_model::{DeliveryId, Event, EventId, EventType, Pattern, SpaceId, Subscription};
use hookmill_store::{Identity, NewDelivery, NewEvent, Sqlite, Store};
use indicatif::ProgressBar;
use jiff::{SignedDuration, Timestamp};

use super::WORKLOADS;
use super::child::Child;
use super::host::{SPACE, Subject, Template, copy};
use super::measure::{Around, Figures};
use super::transforms;

/// The contents of the data directories, in addition to the measured subscription: name, subscriptions, waiting deliveries.
const FILLED: [(&str, usize, usize); 4] = [
    ("10 subscriptions", 9, 0),
    ("1,000 subscriptions", 999, 0),
    ("100,000 subscriptions", 99_999, 0),
    ("1,000,000 waiting", 1, 1_000_000),
];

/// Plugins that are loaded in addition to the measured one.
const PLUGINS: usize = 999;

/// Events per write.
const BATCH: usize = 1_000;

/// Measures each in turn, several times; passes each measurement with its name to `add`.
pub(super) async fn measure(
    template: &Template,
    dir: &Path,
    (repetitions, seconds): (u32, f64),
    progress: &ProgressBar,
    mut add: impl FnMut(&'static str, Figures),
) -> anyhow::Result<()> {
    let mut folders = Vec::new();
    for (name, subscriptions, waiting) in FILLED {
        progress.set_message(format!("filling a data directory with {name}"));
        folders.push((name, fill(template, dir.join(folders.len().to_string()), subscriptions, waiting).await?));
    }
    for repetition in 1..=repetitions {
        for (name, folder) in &folders {
            progress.set_message(format!("{name}, {repetition} of {repetitions}"));
            add(name, peak(template, folder, seconds).await.context(*name)?);
        }
    }
    progress.set_message(format!("compiling {PLUGINS} plugins"));
    add("plugins", transforms::among_many(&folders[2].1.join("compiled"), PLUGINS, seconds).await?);
    // By now the data directory with the most subscriptions contains all those compiled plugins.
    progress.set_message("starting");
    for _ in 0..repetitions {
        add("start", start(template, &folders[2].1).await?);
        let idle = dir.join("idle");
        copy(&template.folder, &idle)?;
        add("idle", start(template, &idle).await?);
    }
    Ok(())
}

/// Copies the template, and adds this many subscriptions to other events and this many deliveries that are due in a week.
async fn fill(template: &Template, folder: PathBuf, subscriptions: usize, waiting: usize) -> anyhow::Result<PathBuf> {
    copy(&template.folder, &folder)?;
    let store = Arc::new(Sqlite::open(&folder)?);
    let (now, space) = (Timestamp::now(), SpaceId::parse(SPACE)?);
    let mut writing = tokio::task::JoinSet::new();
    let mut last = None;
    for number in 0..subscriptions {
        let kind = Pattern::parse(&format!("other.type{number}"))?;
        let url = format!("http://127.0.0.1/{number}").parse()?;
        let subscription = Subscription::new(space.clone(), "other", url, vec![kind], now);
        last = Some(subscription.id);
        let store = Arc::clone(&store);
        writing.spawn(async move { store.put_subscription(&subscription, now).await });
    }
    while let Some(written) = writing.join_next().await {
        written??;
    }
    let subscription_id = last.context("no subscription to give deliveries to")?;
    let due_at = now.checked_add(SignedDuration::from_hours(7 * 24))?;
    let kind = EventType::parse("other.type0")?;
    let data: Arc<serde_json::value::RawValue> = serde_json::value::RawValue::from_string("{}".to_owned())?.into();
    for _ in 0..waiting / BATCH {
        let event = || {
            let key = store.take_keys(2);
            let event = Event {
                space: space.clone(),
                id: EventId::with_key(now, key),
                kind: kind.clone(),
                occurred_at: now,
                accepted_at: now,
                data: Arc::clone(&data),
                changed_fields: None,
                previous: None,
            };
            let id = DeliveryId::with_key(now, key + 1);
            let delivery = NewDelivery { id, subscription_id, due_at, leased_until: None, batch: None, test: false };
            NewEvent { event: Arc::new(event), identity: Identity::Host { key }, deliveries: vec![delivery], values: Vec::new() }
        };
        store.accept((0..BATCH).map(|_| event()).collect()).await?;
    }
    Ok(folder)
}

/// Measures the highest rate, with one subscription to the posted events.
async fn peak(template: &Template, folder: &Path, seconds: f64) -> anyhow::Result<Figures> {
    let (receiver, address) = Child::start_role("receiver").await?;
    let (load, _) = Child::start_role("load").await?;
    let host = template.host_on(folder).await?;
    let workload = WORKLOADS[0];
    let subscription = host.subscribe(&workload, address).await?;
    let mut subject = Subject::Host(host, workload);
    let figures = Around { load, receiver, address }.peak(&mut subject, seconds).await?;
    // The next measurement has another receiver.
    if let Subject::Host(host, _) = &subject {
        host.delete(&subscription).await?;
    }
    subject.end().await?;
    Ok(figures)
}

/// Measures the time of a start, and the memory of an idle host.
async fn start(template: &Template, folder: &Path) -> anyhow::Result<Figures> {
    let started = Instant::now();
    let host = template.host_on(folder).await?;
    let took = started.elapsed();
    // Until threads are idle and freed memory is returned.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let used = host.child.used()?;
    ensure!(used.resident_bytes > 0, "the kernel does not report a process's memory");
    host.child.kill().await?;
    Ok(vec![("start_ms", took.as_secs_f64() * 1e3), ("resident_bytes", used.resident_bytes as f64)])
}
