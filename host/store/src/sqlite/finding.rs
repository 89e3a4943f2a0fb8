//! Lookups for people.

use std::collections::HashMap;

use async_trait::async_trait;
use hookmill_model::{DeliveryId, EventId, ReplayId, SpaceId, SubscriptionId};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{FindStore, LookupHit, StoreError};
use super::row::{Columns as _, count};
use super::{Sqlite, deliveries, events, ids, names, replays};

/// The names of the plugins of one space, or of the bundled ones (whose space is empty), with a text in them.
pub(super) const PLUGINS: &str = "
    SELECT DISTINCT name FROM plugins
    WHERE coalesce(space, '') = ?1 AND instr(lower(name), ?2) > 0 ORDER BY name LIMIT ?3";

pub(super) const EVENT_TYPES: &str = "
    SELECT name FROM event_types WHERE space = ?1 AND instr(lower(name), ?2) > 0 ORDER BY name LIMIT ?3";

/// The delivery to a subscription that an event got when it was accepted.
pub(super) const FIRST: &str = "
    SELECT d.key FROM events AS e JOIN deliveries AS d INDEXED BY deliveries_of_subscription
        ON d.subscription = ?2 AND d.type = e.type AND d.key >= e.first_delivery AND d.key < e.first_delivery + e.deliveries
    WHERE e.key = ?1 AND d.event = e.key ORDER BY d.key DESC LIMIT 1";

/// The deliveries that an event got later, newest first.
pub(super) const LATER: &str = "
    SELECT d.subscription, l.delivery FROM later_deliveries AS l JOIN deliveries AS d ON d.key = l.delivery
    WHERE l.event = ?1 ORDER BY l.delivery DESC LIMIT ?2";

/// Later deliveries of one event that are examined: more than its replays make.
const LATER_MAX: i64 = 10_000;

pub(super) const ID: &str = "
    SELECT d.id, accepted_at FROM deliveries AS d JOIN events ON events.key = d.event WHERE d.key = ?1";

#[async_trait]
impl FindStore for Sqlite {
    async fn find(&self, space: &SpaceId, text: &str, names_max: usize) -> Result<Vec<LookupHit>, StoreError> {
        let (of, text) = (space.clone(), text.to_owned());
        self.readers.read_for(space, move |db| find(db, &of, &text, names_max)).await
    }

    async fn deliveries_to(
        &self,
        space: &SpaceId,
        event: &EventId,
        subscriptions: Vec<SubscriptionId>,
    ) -> Result<Vec<Option<DeliveryId>>, StoreError> {
        let (of, event) = (space.clone(), event.clone());
        self.readers.read_for(space, move |db| deliveries_to(db, &of, &event, &subscriptions)).await
    }
}

fn deliveries_to(
    db: &Connection,
    space: &SpaceId,
    event: &EventId,
    subscriptions: &[SubscriptionId],
) -> Result<Vec<Option<DeliveryId>>, StoreError> {
    let none = || subscriptions.iter().map(|_| None).collect();
    let Some(space) = names::space(db, space)? else { return Ok(none()) };
    let Some(event) = ids::event(db, space, event)? else { return Ok(none()) };
    let mut later: HashMap<i64, i64> = HashMap::new();
    let mut select = db.prepare_cached(LATER)?;
    for row in select.query_map([event, LATER_MAX], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (subscription, delivery) = row?;
        later.entry(subscription).or_insert(delivery);
    }
    let mut first = db.prepare_cached(FIRST)?;
    let mut id = db.prepare_cached(ID)?;
    let mut found = Vec::with_capacity(subscriptions.len());
    for subscription in subscriptions {
        let Some(subscription) = names::subscription_of(db, space, *subscription)? else {
            found.push(None);
            continue;
        };
        let key = match later.get(&subscription) {
            Some(key) => Some(*key),
            None => first.query_row([event, subscription], |row| row.get::<_, i64>(0)).optional()?,
        };
        let read =
            |key: i64| id.query_row([key], |row| Ok(ids::of_delivery(key, row.value("id")?, row.time("accepted_at")?)));
        found.push(key.map(read).transpose()?);
    }
    Ok(found)
}

fn find(db: &Connection, space: &SpaceId, text: &str, names_max: usize) -> Result<Vec<LookupHit>, StoreError> {
    let mut found = Vec::new();
    if let Ok(id) = text.parse::<EventId>() {
        found.extend(events::head(db, space, &id)?.map(LookupHit::Event));
    }
    if let Ok(id) = text.parse::<DeliveryId>() {
        found.extend(deliveries::head(db, space, id)?.map(LookupHit::Delivery));
    }
    if let Ok(id) = text.parse::<ReplayId>() {
        let replay = replays::one(db, id)?.filter(|replay| replay.space == *space);
        found.extend(replay.map(LookupHit::Replay));
    }
    let part = text.to_lowercase();
    let mut plugins = Vec::new();
    for of in [space.as_str(), ""] {
        let mut select = db.prepare_cached(PLUGINS)?;
        for name in select.query_map(params![of, part, count(names_max)], |row| row.text("name"))? {
            plugins.push(name?);
        }
    }
    // A space's own plugin hides a bundled one.
    plugins.sort_unstable();
    plugins.dedup();
    found.extend(plugins.into_iter().take(names_max).map(LookupHit::Plugin));
    let mut select = db.prepare_cached(EVENT_TYPES)?;
    for name in select.query_map(params![space.as_str(), part, count(names_max)], |row| row.text("name"))? {
        found.push(LookupHit::EventType(name?));
    }
    Ok(found)
}
