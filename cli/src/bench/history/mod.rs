//! `hookmill bench --history`: what a search takes with many deliveries stored.
//!
//! A fresh store is filled through the operations that a host uses, then each search is measured as one page of the API, on
//! an otherwise idle store.

mod fill;

use std::path::Path;
use std::time::Instant;

use hookmill_model::{DeliveryState, Pattern};
use hookmill_store::{DeliveryFilter, EventFilter, IndexedValue, Sqlite, Step, Store};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::fill::History;
use super::progress;

/// Entries of a page: the API's default.
const PAGE: usize = 50;

/// Measurements of each search.
const REPETITIONS: usize = 15;

/// The time that a page may take.
const GOAL_MS: f64 = 50.0;

/// What a search found, and how long it took each time.
struct Row {
    name: &'static str,
    found: usize,
    /// Whether more follows.
    more: bool,
    ms: Vec<f64>,
}

impl Row {
    fn median(&self) -> f64 {
        self.ms[self.ms.len() / 2]
    }

    fn worst(&self) -> f64 {
        self.ms[self.ms.len() - 1]
    }

    fn met(&self) -> bool {
        self.worst() < GOAL_MS
    }

    fn as_json(&self) -> Value {
        json!({
            "search": self.name, "found": self.found, "more": self.more, "median_ms": self.median(),
            "worst_ms": self.worst(), "met": self.met(),
        })
    }

    fn show(&self) {
        let found = if self.more { format!("{}, more follow", self.found) } else { self.found.to_string() };
        let met = if self.met() { "met" } else { "not met" };
        anstream::println!("| {} | {found} | {:.1} | {:.1} | {met} |", self.name, self.median(), self.worst());
    }
}

/// Fills a store in `folder` with this many deliveries, measures all searches and prints them.
pub(super) async fn run(deliveries: u64, folder: &Path, as_json: bool) -> anyhow::Result<()> {
    let bar = progress(deliveries);
    bar.set_message("filling the store");
    let started = Instant::now();
    let store = Sqlite::open(folder)?;
    let history = fill::fill(&store, deliveries, |done| bar.set_position(done)).await?;
    let filled_s = started.elapsed().as_secs_f64();
    drop(store);
    bar.finish_and_clear();
    let bytes = std::fs::metadata(folder.join("hookmill.db"))?.len();
    // As a host has it after a start: nothing is in its caches.
    let rows = search(&Sqlite::open(folder)?, &history).await?;
    if as_json {
        let rows: Vec<_> = rows.iter().map(Row::as_json).collect();
        let report = json!({"deliveries": deliveries, "filled_s": filled_s, "bytes": bytes, "searches": rows});
        anstream::println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    let per_delivery = bytes / deliveries.max(1);
    anstream::println!("{deliveries} deliveries, {bytes} bytes ({per_delivery} each), filled in {filled_s:.0} s\n");
    anstream::println!("| search | found | median ms | worst ms | goal {GOAL_MS} ms |");
    anstream::println!("|---|---|---|---|---|");
    rows.iter().for_each(Row::show);
    Ok(())
}

/// Measures all searches.
async fn search(store: &Sqlite, history: &History) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, filter) in filters(history)? {
        let page = async || {
            let part = store.deliveries(&history.space, filter.clone(), PAGE).await?;
            anyhow::Ok((part.entries.len(), part.next.is_some()))
        };
        rows.push(measure(name, page).await?);
    }
    for (name, path, value) in [("events: deal", "deal.id", &*history.deal), ("events: stage", "deal.stage", "won")] {
        let value = Some(IndexedValue { path: path.parse()?, value: value.to_owned() });
        let page = async || {
            let filter = EventFilter { value: value.clone(), before: None };
            let part = store.event_heads(&history.space, filter, PAGE).await?;
            anyhow::Ok((part.entries.len(), part.next.is_some()))
        };
        rows.push(measure(name, page).await?);
    }
    for (name, of, hours, step) in [
        ("counts: a day of minutes", None, 24, Step::Minute),
        ("counts: 60 days of hours", None, 60 * 24, Step::Hour),
        ("counts: a day of minutes of a subscription", Some(history.subscription), 24, Step::Minute),
    ] {
        let since = history.end.checked_sub(SignedDuration::from_hours(hours))?;
        let page = async || {
            let steps = store.counts(&history.space, of, since, history.end, step).await?;
            anyhow::Ok((steps.len(), false))
        };
        rows.push(measure(name, page).await?);
    }
    Ok(rows)
}

async fn measure(name: &'static str, page: impl AsyncFn() -> anyhow::Result<(usize, bool)>) -> anyhow::Result<Row> {
    let mut row = Row { name, found: 0, more: false, ms: Vec::new() };
    for _ in 0..REPETITIONS {
        let started = Instant::now();
        (row.found, row.more) = page().await?;
        row.ms.push(started.elapsed().as_secs_f64() * 1e3);
    }
    row.ms.sort_by(f64::total_cmp);
    Ok(row)
}

/// The searches for deliveries.
fn filters(history: &History) -> anyhow::Result<Vec<(&'static str, DeliveryFilter)>> {
    let History { subscription, begin, end, middle: (event, middle), deal, .. } = history;
    let at = |part: i32| begin.checked_add(end.duration_since(*begin) * part / 100);
    let none = DeliveryFilter::default;
    let state = |state: DeliveryState| DeliveryFilter { state: Some(state), ..none() };
    let status = |text: &str| anyhow::Ok(DeliveryFilter { status: Some(text.parse()?), ..none() });
    let fault = |text: &str| anyhow::Ok(DeliveryFilter { fault: Some(text.parse()?), ..none() });
    let reason = |text: &str| DeliveryFilter { reason: Some(text.to_owned()), ..none() };
    let kind = |text: &str| anyhow::Ok(DeliveryFilter { event_type: Some(Pattern::parse(text)?), ..none() });
    let value = |path: &str, value: &str| {
        let value = Some(IndexedValue { path: path.parse()?, value: value.to_owned() });
        anyhow::Ok(DeliveryFilter { value, ..none() })
    };
    let to = |filter| DeliveryFilter { subscription: Some(*subscription), ..filter };
    let in_middle = |filter| DeliveryFilter { before: Some(*middle), ..filter };
    let between = |since: Timestamp, until: Timestamp, filter| DeliveryFilter {
        since: Some(since),
        until: Some(until),
        ..filter
    };
    let failed = || state(DeliveryState::Failed);
    Ok(vec![
        ("all", none()),
        ("all, in the middle", in_middle(none())),
        ("failed", failed()),
        ("pending", state(DeliveryState::Pending)),
        ("delivered", state(DeliveryState::Delivered)),
        ("subscription", to(none())),
        ("subscription, in the middle", in_middle(to(none()))),
        ("type `deal.*`", kind("deal.*")?),
        ("rare type", kind("audit.exported")?),
        ("a tenth of the time, in the middle", between(at(45)?, at(55)?, none())),
        ("producer's event id", DeliveryFilter { event: Some(event.clone()), ..none() }),
        ("status 503", status("503")?),
        ("status 5xx", status("5xx")?),
        ("status 5xx, in the middle", in_middle(status("5xx")?)),
        ("status 418 (none has it)", status("418")?),
        ("status 200 (1 % has it)", status("200")?),
        ("status 206 (none has it, no index)", status("206")?),
        ("fault `timeout`", fault("timeout")?),
        ("reason `refused`", reason("Refused")),
        ("reason that none has", reason("elsewhere")),
        ("deal", value("deal.id", deal)?),
        ("stage, of a third", value("deal.stage", "won")?),
        ("stage, in the middle", in_middle(value("deal.stage", "won")?)),
        ("subscription, failed", to(failed())),
        ("subscription, 503", to(status("503")?)),
        ("subscription, type, 5xx, an hour", {
            let hour = at(50)?.checked_add(SignedDuration::from_hours(1))?;
            between(
                at(50)?,
                hour,
                DeliveryFilter { event_type: Some(Pattern::parse("deal.won")?), ..to(status("5xx")?) },
            )
        }),
        (
            "type, failed, reason `500`",
            DeliveryFilter {
                reason: Some("500".to_owned()),
                ..{ DeliveryFilter { state: Some(DeliveryState::Failed), ..kind("lead.created")? } }
            },
        ),
        ("deal, failed", DeliveryFilter { state: Some(DeliveryState::Failed), ..value("deal.id", deal)? }),
        ("stage, fault `connect`", DeliveryFilter { fault: Some("connect".parse()?), ..value("deal.stage", "won")? }),
        ("rare type, failed", DeliveryFilter { state: Some(DeliveryState::Failed), ..kind("audit.exported")? }),
        (
            "pending, 429, in the middle",
            in_middle(DeliveryFilter { state: Some(DeliveryState::Pending), ..status("429")? }),
        ),
        (
            "subscription, delivered, 200, in the middle",
            in_middle(to(DeliveryFilter { state: Some(DeliveryState::Delivered), ..status("200")? })),
        ),
    ])
}
