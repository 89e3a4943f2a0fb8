//! The migration to the appended tables: moves events, deliveries and attempts of earlier versions.

use hookmill_model::{DeliveryId, EventType};
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, Row, params, params_from_iter};

use super::attempts::{NUMBERS, compress};
use super::names::Names;
use super::row::Columns as _;
use super::tallies::{Counted, Tallies};
use super::writing::Marks;

/// The number of the migration.
pub(super) const APPEND: usize = 10;

const END: &str = include_str!("../../migrations/0010_append_end.sql");

/// Deliveries after which progress is logged.
const PROGRESS: u64 = 100_000;

const EVENTS: &str = "
    SELECT seq, spaces.key AS space, events.id, kind, occurred_at, accepted_at, content_sha256, data, changed_fields, previous
    FROM events JOIN spaces ON spaces.id = events.space ORDER BY seq";

const PUT_EVENT: &str = "
    INSERT INTO new_events (
        key, space, type, first_delivery, deliveries, occurred_at, accepted_at, id, content_sha256, data, changed_fields,
        previous
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

const DELIVERIES: &str = "
    SELECT deliveries.*, subscriptions.key AS subscription_key,
        EXISTS (SELECT 1 FROM open_batches WHERE delivery = deliveries.id) AS open
    FROM deliveries INDEXED BY deliveries_of_event JOIN subscriptions ON subscriptions.id = deliveries.subscription
    WHERE event = ?1 ORDER BY deliveries.id";

const PUT_DELIVERY: &str = "
    INSERT INTO new_deliveries (key, space, subscription, type, event, due_at, test, batch, id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const PUT_WAITING: &str = "
    INSERT INTO waiting (delivery, space, subscription, state, due_at, attempts, batched, verbatim, pinned, reason)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

const PUT_ENDED: &str = "
    INSERT INTO ended (delivery, space, subscription, state, completed_at, due_at, attempts, reason)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const ATTEMPTS: &str = "
    SELECT number, due_at, started_at, started_at + transform_us + send_us AS ended_at, transform_us, send_us, outcome,
        CASE outcome WHEN 'rejected' THEN CAST(answer_status AS TEXT) ELSE code END AS problem, answer_status,
        plugin_digest, fuel_used, fuel_max, memory_bytes, memory_bytes_max, message, retry, plugin_fault, logs,
        request_method, request_url, request_headers, request_sealed, request_signature_headers, answer_headers,
        answer_truncated, request_body, answer_body
    FROM attempts WHERE delivery = ?1 ORDER BY number";

/// The columns that are moved as they are.
const MOVED: [&str; 20] = [
    "due_at",
    "started_at",
    "transform_us",
    "send_us",
    "outcome",
    "problem",
    "answer_status",
    "fuel_used",
    "fuel_max",
    "memory_bytes",
    "memory_bytes_max",
    "message",
    "retry",
    "plugin_fault",
    "logs",
    "request_method",
    "request_url",
    "request_headers",
    "request_sealed",
    "request_signature_headers",
];

/// A batch's further events, by their earlier keys: those have been moved, or come after.
const BATCHED: &str = "
    INSERT INTO new_batched_events (delivery, position, event)
    SELECT new_deliveries.key, position, moved_events.key
    FROM batched_events JOIN moved_deliveries ON moved_deliveries.id = batched_events.delivery
        JOIN new_deliveries ON new_deliveries.key = moved_deliveries.key
        JOIN moved_events ON moved_events.seq = batched_events.event;
    INSERT INTO later_deliveries (event, delivery) SELECT event, delivery FROM new_batched_events WHERE true
    ON CONFLICT DO NOTHING;
    INSERT INTO new_open_batches (subscription, type, delivery, closes_at, events, bytes)
    SELECT subscriptions.key, types.key, moved_deliveries.key, closes_at, events, bytes
    FROM open_batches JOIN subscriptions ON subscriptions.id = subscription JOIN types ON name = kind
        JOIN moved_deliveries ON moved_deliveries.id = delivery;
    DROP TABLE moved_events;
    DROP TABLE moved_deliveries;";

/// Moves all rows, in the migration's transaction.
pub(super) fn append(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "CREATE TEMP TABLE moved_events (seq INTEGER PRIMARY KEY, key INTEGER NOT NULL);
         CREATE TEMP TABLE moved_deliveries (id TEXT PRIMARY KEY, key INTEGER NOT NULL) WITHOUT ROWID;",
    )?;
    let total: u64 = db.query_row("SELECT count(*) FROM deliveries", [], |row| row.count("count(*)"))?;
    let next_key =
        db.query_row("SELECT 1 + (SELECT count(*) FROM spaces) + (SELECT count(*) FROM subscriptions)", [], |row| {
            row.get(0)
        })?;
    let mut moving = Moving { db, total, moved: 0, next_key, names: Names::default(), tallies: Tallies::default() };
    let mut events = db.prepare(EVENTS)?;
    let mut rows = events.query([])?;
    while let Some(row) = rows.next()? {
        moving.event(row)?;
    }
    db.execute_batch(BATCHED)?;
    let Moving { next_key, mut tallies, .. } = moving;
    tallies.write(db).map_err(failed)?;
    super::marks::write(db, Marks { low_water: next_key, next_key }).map_err(failed)?;
    db.execute_batch(END)
}

/// The error of a migration that is not of one statement.
fn failed(error: super::super::StoreError) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

struct Moving<'db> {
    db: &'db Connection,
    total: u64,
    moved: u64,
    next_key: i64,
    names: Names,
    tallies: Tallies,
}

/// What an event's deliveries need of it.
struct Moved {
    key: i64,
    space: i64,
    kind: i64,
    data: String,
}

impl Moving<'_> {
    fn take_key(&mut self) -> i64 {
        self.next_key += 1;
        self.next_key - 1
    }

    fn event(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let kind: EventType = row.text("kind")?;
        let next_key = &mut self.next_key;
        let new = || {
            *next_key += 1;
            *next_key - 1
        };
        let kind = self.names.event_type(self.db, &kind, new).map_err(failed)?;
        let event = Moved { key: self.take_key(), space: row.value("space")?, kind, data: row.value("data")? };
        let seq: i64 = row.value("seq")?;
        let first = self.next_key;
        let mut select = self.db.prepare_cached(DELIVERIES)?;
        let mut rows = select.query([seq])?;
        while let Some(row) = rows.next()? {
            self.delivery(&event, row)?;
        }
        self.db.prepare_cached("INSERT INTO moved_events (seq, key) VALUES (?1, ?2)")?.execute([seq, event.key])?;
        self.tallies.gave_keys(row.time("accepted_at")?, event.key, self.next_key);
        let column = |name: &str| row.value::<Value>(name);
        self.db.prepare_cached(PUT_EVENT)?.execute(params![
            event.key,
            event.space,
            event.kind,
            first,
            self.next_key - first,
            column("occurred_at")?,
            column("accepted_at")?,
            column("id")?,
            column("content_sha256")?,
            event.data,
            column("changed_fields")?,
            column("previous")?,
        ])?;
        Ok(())
    }

    fn delivery(&mut self, event: &Moved, row: &Row<'_>) -> rusqlite::Result<()> {
        let key = self.take_key();
        let (text, id): (String, DeliveryId) = (row.value("id")?, row.text("id")?);
        let subscription: i64 = row.value("subscription_key")?;
        let column = |name: &str| row.value::<Value>(name);
        let batch = row.value::<bool>("open")? || row.value::<i64>("batched")? > 0;
        self.db.prepare_cached(PUT_DELIVERY)?.execute(params![
            key,
            event.space,
            subscription,
            event.kind,
            event.key,
            column("due_at")?,
            column("test")?,
            batch,
            id.to_bytes(),
        ])?;
        let moved = "INSERT INTO moved_deliveries (id, key) VALUES (?1, ?2)";
        self.db.prepare_cached(moved)?.execute(params![text, key])?;
        let state: String = row.value("state")?;
        let counted = match state.as_str() {
            "pending" | "held" => {
                self.db.prepare_cached(PUT_WAITING)?.execute(params![
                    key,
                    event.space,
                    subscription,
                    state,
                    column("due_at")?,
                    column("attempts")?,
                    column("batched")?,
                    column("verbatim")?,
                    column("pinned")?,
                    column("reason")?,
                ])?;
                None
            }
            "delivered" => Some(Counted::Delivered),
            _ => {
                self.db.prepare_cached(PUT_ENDED)?.execute(params![
                    key,
                    event.space,
                    subscription,
                    state,
                    column("completed_at")?,
                    column("due_at")?,
                    column("attempts")?,
                    column("reason")?,
                ])?;
                Some(match state.as_str() {
                    "failed" => Counted::Failed,
                    "skipped" => Counted::Skipped,
                    _ => Counted::Cancelled,
                })
            }
        };
        if let (Some(what), Some(at)) = (counted, row.time_if_any("completed_at")?) {
            self.tallies.count([event.space, subscription], at, what, 1);
        }
        self.attempts(event, key, &text, row)?;
        self.moved += 1;
        if self.moved.is_multiple_of(PROGRESS) {
            tracing::info!(deliveries = self.moved, of = self.total, "moving history into the new tables");
        }
        Ok(())
    }

    fn attempts(&mut self, event: &Moved, key: i64, id: &str, delivery: &Row<'_>) -> rusqlite::Result<()> {
        let mut select = self.db.prepare_cached(ATTEMPTS)?;
        let mut rows = select.query([id])?;
        let mut put = put_attempt(self.db)?;
        while let Some(row) = rows.next()? {
            let number: i64 = row.value("number")?;
            let last = number == delivery.value::<i64>("attempts")?;
            let recorded_at = match delivery.value::<Option<i64>>("completed_at")? {
                Some(completed_at) if last => completed_at,
                _ => row.value("ended_at")?,
            };
            let reason: Option<String> = match delivery.value::<String>("state")?.as_str() {
                "delivered" if last => delivery.value("reason")?,
                _ => None,
            };
            let digest: Option<[u8; 32]> = row.value("plugin_digest")?;
            let plugin = digest.map(|digest| self.names.digest(self.db, &digest.into())).transpose().map_err(failed)?;
            let body: Option<Vec<u8>> = row.value("request_body")?;
            let body = body.map(|body| compress(&body, event.data.as_bytes()));
            let mut values: Vec<Value> = MOVED.iter().map(|name| row.value(name)).collect::<rusqlite::Result<_>>()?;
            values.extend([
                (key * NUMBERS + number).into(),
                event.space.into(),
                recorded_at.into(),
                plugin.into(),
                reason.into(),
                row.value("answer_headers")?,
                row.value("answer_truncated")?,
                body.into(),
                row.value("answer_body")?,
            ]);
            put.execute(params_from_iter(values))?;
        }
        Ok(())
    }
}

fn put_attempt(db: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    let marks = vec!["?"; MOVED.len() + 9].join(", ");
    db.prepare_cached(&format!(
        "INSERT INTO new_attempts ({}, key, space, recorded_at, plugin, reason, answer_headers, answer_truncated,
            request_body, answer_body) VALUES ({marks})",
        MOVED.join(", ")
    ))
}
