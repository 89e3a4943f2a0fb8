//! Keys of what rows refer to, looked up once.

use std::collections::HashMap;

use hookmill_model::{Digest, EventType, FieldPath, SpaceId, SubscriptionId};
use rusqlite::{Connection, OptionalExtension as _};

use super::super::StoreError;

/// Entries of one kind that are remembered: beyond, all are forgotten and looked up again.
const REMEMBERED_MAX: usize = 100_000;

const SPACE: &str = "SELECT key FROM spaces WHERE id = ?1";
const SUBSCRIPTION: &str = "SELECT key FROM subscriptions WHERE id = ?1";
const TYPE: &str = "SELECT key FROM types WHERE name = ?1";
const PUT_TYPE: &str = "INSERT INTO types (key, name) VALUES (?1, ?2)";
const DIGEST: &str = "SELECT key FROM digests WHERE digest = ?1";
const VALUE_PATH: &str = "SELECT key FROM value_paths WHERE space = ?1 AND path = ?2";
const PUT_VALUE_PATH: &str = "INSERT INTO value_paths (space, path) VALUES (?1, ?2)";
const PUT_DIGEST: &str = "INSERT INTO digests (digest) VALUES (?1)";

/// The keys that the writer has looked up. They are those of committed rows and of the running transaction's.
#[derive(Debug, Default)]
pub(super) struct Names {
    spaces: HashMap<SpaceId, i64>,
    subscriptions: HashMap<SubscriptionId, i64>,
    types: HashMap<EventType, i64>,
    digests: HashMap<Digest, i64>,
    /// By space and path.
    value_paths: HashMap<(i64, FieldPath), i64>,
}

impl Names {
    /// Returns the key of a space; an error if it does not exist.
    pub(super) fn space(&mut self, db: &Connection, id: &SpaceId) -> Result<i64, StoreError> {
        if let Some(key) = self.spaces.get(id) {
            return Ok(*key);
        }
        let key = space(db, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        Ok(remember(&mut self.spaces, id.clone(), key))
    }

    /// Returns the key of a subscription; an error if it does not exist.
    pub(super) fn subscription(&mut self, db: &Connection, id: SubscriptionId) -> Result<i64, StoreError> {
        if let Some(key) = self.subscriptions.get(&id) {
            return Ok(*key);
        }
        let key = subscription(db, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        Ok(remember(&mut self.subscriptions, id, key))
    }

    /// Returns the key of a type, which is added with the key from `new` if it is new.
    pub(super) fn event_type(
        &mut self,
        db: &Connection,
        name: &EventType,
        new: impl FnOnce() -> i64,
    ) -> Result<i64, StoreError> {
        if let Some(key) = self.types.get(name) {
            return Ok(*key);
        }
        let found = db.prepare_cached(TYPE)?.query_row([name.as_str()], |row| row.get(0)).optional()?;
        let key = match found {
            Some(key) => key,
            None => {
                let key = new();
                db.prepare_cached(PUT_TYPE)?.execute((key, name.as_str()))?;
                key
            }
        };
        Ok(remember(&mut self.types, name.clone(), key))
    }

    /// Returns the key of a digest, which is added if it is new.
    pub(super) fn digest(&mut self, db: &Connection, digest: &Digest) -> Result<i64, StoreError> {
        if let Some(key) = self.digests.get(digest) {
            return Ok(*key);
        }
        let found = db.prepare_cached(DIGEST)?.query_row([digest.as_bytes()], |row| row.get(0)).optional()?;
        let key = match found {
            Some(key) => key,
            None => db.prepare_cached(PUT_DIGEST)?.insert([digest.as_bytes()])?,
        };
        Ok(remember(&mut self.digests, *digest, key))
    }

    /// Returns the key of a path that the space with this key indexes, which is added if it is new.
    pub(super) fn value_path(&mut self, db: &Connection, space: i64, path: &FieldPath) -> Result<i64, StoreError> {
        let of = (space, path.clone());
        if let Some(key) = self.value_paths.get(&of) {
            return Ok(*key);
        }
        let key = match value_path(db, space, path)? {
            Some(key) => key,
            None => db.prepare_cached(PUT_VALUE_PATH)?.insert((space, path.as_str()))?,
        };
        Ok(remember(&mut self.value_paths, of, key))
    }
}

fn remember<K: std::hash::Hash + Eq>(known: &mut HashMap<K, i64>, name: K, key: i64) -> i64 {
    if known.len() >= REMEMBERED_MAX {
        known.clear();
    }
    known.insert(name, key);
    key
}

/// Returns the key of a space, if it exists.
pub(super) fn space(db: &Connection, id: &SpaceId) -> Result<Option<i64>, StoreError> {
    Ok(db.prepare_cached(SPACE)?.query_row([id.as_str()], |row| row.get(0)).optional()?)
}

/// Returns the key of a path that the space with this key indexes, or did, if an event has a value there.
pub(super) fn value_path(db: &Connection, space: i64, path: &FieldPath) -> Result<Option<i64>, StoreError> {
    Ok(db.prepare_cached(VALUE_PATH)?.query_row((space, path.as_str()), |row| row.get(0)).optional()?)
}

/// Returns the key of a subscription, if it exists.
pub(super) fn subscription(db: &Connection, id: SubscriptionId) -> Result<Option<i64>, StoreError> {
    Ok(db.prepare_cached(SUBSCRIPTION)?.query_row([id.to_string()], |row| row.get(0)).optional()?)
}

const SUBSCRIPTION_OF: &str = "
    SELECT subscriptions.key FROM subscriptions JOIN spaces ON spaces.id = space
    WHERE subscriptions.id = ?1 AND spaces.key = ?2";

/// Returns the key of a subscription of the space with this key, if it exists.
pub(super) fn subscription_of(db: &Connection, space: i64, id: SubscriptionId) -> Result<Option<i64>, StoreError> {
    Ok(db.prepare_cached(SUBSCRIPTION_OF)?.query_row((id.to_string(), space), |row| row.get(0)).optional()?)
}
