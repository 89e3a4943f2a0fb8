//! Accepting events: writing their rows and those of their deliveries.

use hookmill_model::{DeliveryId, DeliveryState, Event};
use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, params};

use super::super::{Accepted, Identity, IndexedValue, NewDelivery, NewEvent, StoreError};
use super::batches::{self, Joined};
use super::deliveries::Of;
use super::leases::Lease;
use super::queues::Queued;
use super::row::{Columns as _, count, json, micros};
use super::writing::Writing;
use super::{events, ids, values};

pub(super) const INSERT_EVENT: &str = "
    INSERT INTO events (
        key, space, type, first_delivery, deliveries, occurred_at, accepted_at, id, content_sha256, data,
        changed_fields, previous
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

pub(super) const INSERT_DELIVERY: &str = "
    INSERT INTO deliveries (key, space, subscription, type, event, due_at, test, batch, id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

pub(super) const INSERT_WAITING: &str = "
    INSERT INTO waiting (delivery, space, subscription, state, due_at, attempts) VALUES (?1, ?2, ?3, 'pending', ?4, 0)";

pub(super) const EARLIER: &str = "
    SELECT content_sha256, occurred_at, accepted_at, name, data FROM events JOIN types ON types.key = type
    WHERE events.key = ?1";

/// See [`Store::accept`](super::super::Store::accept). One event may be twice among `events`: the second is a repeat of the first.
pub(super) fn accept(db: &Writing<'_>, events: &[NewEvent]) -> Result<Vec<Accepted>, StoreError> {
    let mut insert = Inserts {
        event: db.prepare_cached(INSERT_EVENT)?,
        delivery: db.prepare_cached(INSERT_DELIVERY)?,
        waiting: db.prepare_cached(INSERT_WAITING)?,
    };
    events.iter().map(|new| insert.one(db, new)).collect()
}

struct Inserts<'db> {
    event: CachedStatement<'db>,
    delivery: CachedStatement<'db>,
    waiting: CachedStatement<'db>,
}

/// The keys of an event and of what it refers to.
struct Keys {
    event: i64,
    space: i64,
    kind: i64,
    /// That of its first delivery; the others follow.
    first_delivery: i64,
}

impl Inserts<'_> {
    fn one(&mut self, db: &Writing<'_>, new: &NewEvent) -> Result<Accepted, StoreError> {
        let event = &new.event;
        let space = db.space(&event.space)?;
        let key = match new.identity {
            Identity::Host { key } => key,
            Identity::Producer { content_sha256 } => match earlier(db, space, event, content_sha256)? {
                Some(earlier) => return Ok(earlier),
                None => db.take_keys(1),
            },
        };
        let keys = Keys {
            event: key,
            space,
            kind: db.event_type(&event.kind)?,
            first_delivery: first_key(&new.deliveries).unwrap_or_else(|| db.take_keys(new.deliveries.len())),
        };
        self.event(db, &keys, new)?;
        for IndexedValue { path, value } in &new.values {
            let path = db.value_path(space, path)?;
            values::put(db, path, value, keys.event, keys.first_delivery, new.deliveries.len())?;
        }
        let end = keys.first_delivery + count(new.deliveries.len());
        db.gave_keys(event.accepted_at, keys.event, keys.event + 1);
        db.gave_keys(event.accepted_at, keys.first_delivery, end);
        self.deliveries(db, &keys, new)
    }

    fn event(&mut self, db: &Writing<'_>, keys: &Keys, new: &NewEvent) -> Result<(), StoreError> {
        let event = &new.event;
        let given = match new.identity {
            Identity::Host { .. } => None,
            Identity::Producer { content_sha256 } => Some((event.id.as_str(), content_sha256)),
        };
        self.event.execute(params![
            keys.event,
            keys.space,
            keys.kind,
            keys.first_delivery,
            count(new.deliveries.len()),
            micros(event.occurred_at),
            micros(event.accepted_at),
            given.map(|(id, _)| id),
            given.map(|(_, content_sha256)| content_sha256),
            event.data.get(),
            event.changed_fields.as_ref().map(json),
            event.previous.as_ref().map(|previous| previous.get()),
        ])?;
        let previous = event.previous.as_ref().map_or(0, |previous| previous.get().len());
        db.stored(keys.space, count(event.data.get().len() + previous));
        Ok(())
    }

    fn deliveries(&mut self, db: &Writing<'_>, keys: &Keys, new: &NewEvent) -> Result<Accepted, StoreError> {
        let mut filled: Option<Timestamp> = None;
        for (key, delivery) in (keys.first_delivery..).zip(&new.deliveries) {
            let subscription = db.subscription(delivery.subscription_id)?;
            let of = batches::Of { subscription, kind: keys.kind };
            match batches::join(db, of, keys.event, new, delivery)? {
                Joined::No => {}
                Joined::Open => continue,
                Joined::Full { due_at } => {
                    filled = Some(filled.map_or(due_at, |earlier| earlier.min(due_at)));
                    continue;
                }
            }
            self.delivery(db, keys, new, (key, subscription), delivery)?;
            batches::open(db, of, key, &new.event, delivery)?;
        }
        Ok(Accepted::New { filled })
    }

    fn delivery(
        &mut self,
        db: &Writing<'_>,
        keys: &Keys,
        new: &NewEvent,
        (key, subscription): (i64, i64),
        delivery: &NewDelivery,
    ) -> Result<(), StoreError> {
        let due_at = micros(delivery.due_at);
        let own = DeliveryId::with_key(new.event.accepted_at, key) == delivery.id;
        self.delivery.execute(params![
            key,
            keys.space,
            subscription,
            keys.kind,
            keys.event,
            due_at,
            delivery.test,
            delivery.batch.is_some(),
            (!own).then(|| delivery.id.to_bytes()),
        ])?;
        db.created(DeliveryState::Pending, 1);
        match delivery.leased_until {
            Some(until) => db.set_lease(
                key,
                Some(Lease {
                    until: micros(until),
                    subscription_id: delivery.subscription_id,
                    subscription,
                    space: keys.space,
                    fresh: true,
                    event: new.event.clone(),
                }),
            ),
            None => {
                self.waiting.execute(params![key, keys.space, subscription, due_at])?;
                let of = Of { space: keys.space, subscription };
                db.queued(of, Queued::of(DeliveryState::Pending, false, 1));
            }
        }
        Ok(())
    }
}

/// Returns the key of the first delivery, if the ids contain consecutive keys.
fn first_key(deliveries: &[NewDelivery]) -> Option<i64> {
    let first = deliveries.first()?.id.key()?;
    let consecutive = (first..).zip(deliveries).all(|(key, delivery)| delivery.id.key() == Some(key));
    consecutive.then_some(first)
}

/// Returns the result for an event whose id is taken.
fn earlier(db: &Connection, space: i64, event: &Event, content: [u8; 32]) -> Result<Option<Accepted>, StoreError> {
    let Some(key) = ids::event(db, space, &event.id)? else { return Ok(None) };
    let mut select = db.prepare_cached(EARLIER)?;
    let (same, occurred_at, accepted_at) = select.query_row([key], |row| {
        let same = match row.value::<Option<[u8; 32]>>("content_sha256")? {
            Some(earlier) => earlier == content,
            // The host generated the id, and the producer posts it again.
            None => {
                row.value::<String>("name")? == event.kind.as_str() && row.value::<String>("data")? == event.data.get()
            }
        };
        Ok((same, row.time("occurred_at")?, row.time("accepted_at")?))
    })?;
    if !same {
        return Ok(Some(Accepted::Conflict));
    }
    Ok(Some(Accepted::Repeat { occurred_at, accepted_at, deliveries: events::deliveries_made(db, key)? }))
}
