//! Accepting events: writing their rows and those of their deliveries.

use hookmill_model::DeliveryState;
use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, params};

use super::super::{Accepted, NewEvent, StoreError};
use super::backlog::Writing;
use super::batches::{self, Joined};
use super::events;
use super::row::{Columns as _, json, micros};

const INSERT_EVENT: &str = "
    INSERT INTO events (space, id, kind, occurred_at, accepted_at, content_sha256, data, changed_fields, previous)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (space, id) DO NOTHING";

const INSERT_DELIVERY: &str = "
    INSERT INTO deliveries (id, space, event, subscription, state, attempts, due_at, leased_until, ready_at, test)
    VALUES (?1, ?2, ?3, ?4, 'pending', 0, ?5, ?6, coalesce(?6, ?5), ?7)";

const EARLIER: &str = "SELECT seq, content_sha256, occurred_at, accepted_at FROM events WHERE space = ?1 AND id = ?2";

/// See [`Store::accept`](super::super::Store::accept). One event may be twice among `events`: the second is a repeat of the first.
pub(super) fn accept(db: &Writing<'_>, events: &[NewEvent]) -> Result<Vec<Accepted>, StoreError> {
    let mut insert = Inserts { event: db.prepare_cached(INSERT_EVENT)?, delivery: db.prepare_cached(INSERT_DELIVERY)? };
    events.iter().map(|new| if insert.event(new)? { insert.deliveries(db, new) } else { earlier(db, new) }).collect()
}

struct Inserts<'db> {
    event: CachedStatement<'db>,
    delivery: CachedStatement<'db>,
}

impl Inserts<'_> {
    /// Writes the event; false if its id is taken.
    fn event(&mut self, new: &NewEvent) -> Result<bool, StoreError> {
        let event = &new.event;
        let inserted = self.event.execute(params![
            event.space.as_str(),
            event.id.as_str(),
            event.kind.as_str(),
            micros(event.occurred_at),
            micros(event.accepted_at),
            new.content_sha256,
            event.data.get(),
            event.changed_fields.as_ref().map(json),
            event.previous.as_ref().map(|previous| previous.get()),
        ])?;
        Ok(inserted > 0)
    }

    fn deliveries(&mut self, db: &Writing<'_>, new: &NewEvent) -> Result<Accepted, StoreError> {
        let event = db.last_insert_rowid();
        let mut filled: Option<Timestamp> = None;
        for delivery in &new.deliveries {
            match batches::join(db, event, &new.event, delivery)? {
                Joined::No => {}
                Joined::Open => continue,
                Joined::Full { due_at } => {
                    filled = Some(filled.map_or(due_at, |earlier| earlier.min(due_at)));
                    continue;
                }
            }
            self.delivery.execute(params![
                delivery.id.to_string(),
                new.event.space.as_str(),
                event,
                delivery.subscription_id.to_string(),
                micros(delivery.due_at),
                delivery.leased_until.map(micros),
                delivery.test,
            ])?;
            db.created(DeliveryState::Pending, 1);
            batches::open(db, &new.event, delivery)?;
        }
        Ok(Accepted::New { filled })
    }
}

/// Returns the result for an event whose id is taken.
fn earlier(db: &Connection, new: &NewEvent) -> Result<Accepted, StoreError> {
    let mut select = db.prepare_cached(EARLIER)?;
    let found = select.query_row([new.event.space.as_str(), new.event.id.as_str()], |row| {
        let content: [u8; 32] = row.value("content_sha256")?;
        let repeat = (row.value("seq")?, row.time("occurred_at")?, row.time("accepted_at")?);
        Ok((content == new.content_sha256).then_some(repeat))
    });
    let Some((seq, occurred_at, accepted_at)) = found? else {
        return Ok(Accepted::Conflict);
    };
    Ok(Accepted::Repeat { occurred_at, accepted_at, deliveries: events::deliveries_made(db, seq)? })
}
