//! Spaces, keys and event types: small tables.

use hookmill_model::{EventType, Key, KeyId, Retention, Space, SpaceId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{EventTypeEntry, ListPart, SpaceChange, StoreError};
use super::row::{Columns as _, count, json, micros, name, part};
use super::unreadable::Unreadable;
use super::writing::Writing;

/// The kind of a space's row, as messages name it.
const SPACE: &str = "space";

/// Returns the stored form of a number of bytes.
fn bytes(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// See [`Store::create_space`](super::super::Store::create_space). Returns the key of the space if it is new.
pub(super) fn create(db: &Writing<'_>, space: &Space) -> Result<Option<i64>, StoreError> {
    let insert = "
        INSERT INTO spaces (
            id, name, created_at, administrators, plugin_keys, key, keep_days, keep_bytes, indexed_paths
        ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING";
    let key = db.take_keys(1);
    let created = db.prepare_cached(insert)?.execute(params![
        space.id.as_str(),
        space.name,
        micros(space.created_at),
        json(&space.administrators),
        json(&space.plugin_keys),
        key,
        space.retention.keep_days,
        space.retention.keep_bytes.map(bytes),
        json(&space.indexed_paths),
    ])?;
    Ok((created > 0).then_some(key))
}

/// See [`Store::change_space`](super::super::Store::change_space).
pub(super) fn change(db: &Connection, id: &SpaceId, change: &SpaceChange) -> Result<Option<Space>, StoreError> {
    let update = "
        UPDATE spaces SET name = coalesce(?2, name), administrators = coalesce(?3, administrators),
            plugin_keys = coalesce(?4, plugin_keys), quotas = coalesce(?5, quotas),
            keep_days = iif(?6, ?7, keep_days), keep_bytes = iif(?8, ?9, keep_bytes),
            indexed_paths = coalesce(?10, indexed_paths)
        WHERE id = ?1 AND erased = 0 RETURNING *";
    let SpaceChange { name, administrators, plugin_keys, indexed_paths, quotas, keep_days, keep_bytes } = change;
    let (administrators, plugin_keys) = (administrators.as_ref().map(json), plugin_keys.as_ref().map(json));
    let (quotas, paths) = (quotas.as_ref().map(json), indexed_paths.as_ref().map(json));
    let mut update = db.prepare_cached(update)?;
    let changed = params![
        id.as_str(),
        name,
        administrators,
        plugin_keys,
        quotas,
        keep_days.is_some(),
        keep_days.flatten(),
        keep_bytes.is_some(),
        keep_bytes.flatten().map(bytes),
        paths,
    ];
    Ok(update.query_row(changed, read_space).optional()?)
}

/// See [`Store::spaces`](super::super::Store::spaces).
pub(super) fn list(
    db: &Connection,
    unreadable: &Unreadable,
    after: Option<&SpaceId>,
    limit: usize,
) -> Result<Vec<Space>, StoreError> {
    // Every id is greater than the empty string.
    let after = after.map_or("", SpaceId::as_str);
    let mut select = db.prepare_cached("SELECT * FROM spaces WHERE id > ?1 AND erased = 0 ORDER BY id LIMIT ?2")?;
    unreadable.list(limit, |rows| {
        let found =
            select.query_map(params![after, count(rows)], |row| unreadable.read((SPACE, "id"), row, read_space))?;
        Ok(found.filter_map(Result::transpose).take(limit).collect::<rusqlite::Result<_>>()?)
    })
}

/// See [`Store::space`](super::super::Store::space).
pub(super) fn one(db: &Connection, unreadable: &Unreadable, id: &SpaceId) -> Result<Option<Space>, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM spaces WHERE id = ?1 AND erased = 0")?;
    let found = select.query_row([id.as_str()], |row| unreadable.read((SPACE, "id"), row, read_space));
    match found.optional()? {
        Some(None) => Err(StoreError::Unreadable(SPACE, id.to_string())),
        found => Ok(found.flatten()),
    }
}

fn read_space(row: &Row<'_>) -> rusqlite::Result<Space> {
    Ok(Space {
        id: row.text("id")?,
        name: row.value("name")?,
        administrators: row.json("administrators")?,
        plugin_keys: row.json("plugin_keys")?,
        indexed_paths: row.json("indexed_paths")?,
        quotas: row.json("quotas")?,
        retention: Retention {
            keep_days: row.value("keep_days")?,
            keep_bytes: row.value::<Option<i64>>("keep_bytes")?.map(i64::unsigned_abs),
        },
        created_at: row.time("created_at")?,
    })
}

/// See [`Store::create_key`](super::super::Store::create_key).
pub(super) fn create_key(db: &Connection, key: &Key) -> Result<(), StoreError> {
    let insert = "
        INSERT INTO keys (id, name, role, space, secret_sha256, created_at, requests_per_s)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    db.prepare_cached(insert)?.execute(params![
        key.id.to_string(),
        key.name,
        name(&key.role),
        key.space.as_ref().map(SpaceId::as_str),
        key.secret_sha256,
        micros(key.created_at),
        key.requests_per_s,
    ])?;
    Ok(())
}

/// See [`Store::keys`](super::super::Store::keys).
pub(super) fn keys(db: &Connection, unreadable: &Unreadable) -> Result<Vec<Key>, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM keys ORDER BY created_at, id")?;
    let found = select.query_map([], |row| unreadable.read(("key", "id"), row, read_key))?;
    Ok(found.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()?)
}

/// See [`Store::delete_key`](super::super::Store::delete_key).
pub(super) fn delete_key(db: &Connection, id: KeyId) -> Result<bool, StoreError> {
    Ok(db.prepare_cached("DELETE FROM keys WHERE id = ?1")?.execute([id.to_string()])? > 0)
}

fn read_key(row: &Row<'_>) -> rusqlite::Result<Key> {
    Ok(Key {
        id: row.text("id")?,
        name: row.value("name")?,
        role: row.variant("role")?,
        space: row.text_if_any("space")?,
        secret_sha256: row.value("secret_sha256")?,
        requests_per_s: row.value("requests_per_s")?,
        created_at: row.time("created_at")?,
    })
}

/// See [`Store::put_event_type`](super::super::Store::put_event_type).
pub(super) fn put_event_type(db: &Connection, space: &SpaceId, entry: &EventTypeEntry) -> Result<(), StoreError> {
    let upsert = "
        INSERT INTO event_types (space, name, description, schema, example, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (space, name) DO UPDATE SET description = ?3, schema = ?4, example = ?5, created_at = ?6";
    db.prepare_cached(upsert)?.execute(params![
        space.as_str(),
        entry.name.as_str(),
        entry.description,
        entry.schema.as_ref().map(json),
        entry.example.as_ref().map(json),
        micros(entry.created_at),
    ])?;
    Ok(())
}

/// See [`Store::event_types`](super::super::Store::event_types).
pub(super) fn event_types(
    db: &Connection,
    unreadable: &Unreadable,
    space: &SpaceId,
    after: Option<&EventType>,
    limit: usize,
) -> Result<ListPart<EventTypeEntry, EventType>, StoreError> {
    let after = after.map_or("", EventType::as_str);
    let mut select =
        db.prepare_cached("SELECT * FROM event_types WHERE space = ?1 AND name > ?2 ORDER BY name LIMIT ?3")?;
    unreadable.list(limit, |rows| {
        let found = select.query_map(params![space.as_str(), after, count(rows)], |row| {
            unreadable.read(("event type", "name"), row, |row| {
                Ok((read_event_type(row)?, row.bytes("schema")? + row.bytes("example")? + row.bytes("description")?))
            })
        })?;
        part(found.filter_map(Result::transpose), limit, |entry| entry.name.clone())
    })
}

/// See [`Store::delete_event_type`](super::super::Store::delete_event_type).
pub(super) fn delete_event_type(db: &Connection, space: &SpaceId, name: &EventType) -> Result<bool, StoreError> {
    let mut delete = db.prepare_cached("DELETE FROM event_types WHERE space = ?1 AND name = ?2")?;
    Ok(delete.execute([space.as_str(), name.as_str()])? > 0)
}

fn read_event_type(row: &Row<'_>) -> rusqlite::Result<EventTypeEntry> {
    Ok(EventTypeEntry {
        name: row.text("name")?,
        description: row.value("description")?,
        schema: row.json_if_any("schema")?,
        example: row.json_if_any("example")?,
        created_at: row.time("created_at")?,
    })
}
