//! `hookmill deliveries tail`: deliveries as they are made and change.

use std::collections::HashMap;
use std::time::Duration;

use hookmill_server::clock::after;
use jiff::SignedDuration;
use serde_json::Value;

use super::super::print;
use super::super::session::{Listing, Session, text};
use super::super::table::{Cell, DIM};
use super::state;

/// How often the host is asked.
const EVERY: Duration = Duration::from_secs(1);

/// How many of the newest deliveries are followed: one page, which costs the host a millisecond.
const FOLLOWED: usize = 200;

/// What was last seen of each of the newest deliveries.
#[derive(Default)]
struct Seen(HashMap<String, (String, String)>);

/// How far back deliveries are followed without `--since`, so that no query searches all of the history each second.
const SINCE: SignedDuration = SignedDuration::from_hours(1);

/// Prints what is new, until a signal ends the program.
pub(super) async fn run(session: &Session, mut query: Vec<(&str, String)>) -> anyhow::Result<()> {
    let url = session.at("deliveries")?;
    if query.iter().all(|(name, _)| *name != "since") {
        query.push(("since", after(session.now(), -SINCE).to_string()));
    }
    let mut seen = Seen::default();
    // What there is already is no news.
    seen.news(&session.list(&url, &query, FOLLOWED).await?)?;
    crate::remote::note("following deliveries; Ctrl-C ends it");
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let listing = session.list(&url, &query, FOLLOWED).await?;
        let (news, is_all) = seen.news(&listing)?;
        for (delivery, as_written) in news {
            print(&if session.json { as_written } else { line(&delivery) })?;
        }
        if !is_all {
            crate::remote::warn(&format!("more than {FOLLOWED} were new within a second: some are not shown"));
        }
    }
}

impl Seen {
    /// Returns the deliveries that are new or changed, oldest first, and whether these are all; remembers them.
    fn news(&mut self, listing: &Listing) -> anyhow::Result<(Vec<(Value, String)>, bool)> {
        let mut now = HashMap::new();
        let mut news = Vec::new();
        for (delivery, as_written) in listing.entries()?.into_iter().zip(listing.texts()) {
            let what = (text(&delivery, "state"), text(&delivery, "attempt_count"));
            let id = text(&delivery, "id");
            if self.0.get(&id) != Some(&what) {
                news.push((delivery, as_written.to_owned()));
            }
            now.insert(id, what);
        }
        let is_all = listing.is_whole() || now.keys().any(|id| self.0.contains_key(id));
        self.0 = now;
        news.reverse();
        Ok((news, is_all))
    }
}

fn line(delivery: &Value) -> String {
    let at = if delivery["completed_at"].is_null() { "accepted_at" } else { "completed_at" };
    let time = text(delivery, at);
    // The time of day, of 2026-11-30T16:00:00.123456Z.
    let time = time.get(11..19).unwrap_or(&time);
    format!(
        "{DIM}{time}{DIM:#}  {}  {}  {}  {}",
        text(delivery, "id"),
        Cell::state(format!("{:<9}", state(delivery))).styled(),
        text(delivery, "event_type"),
        text(delivery, "reason")
    )
    .trim_end()
    .to_owned()
}
