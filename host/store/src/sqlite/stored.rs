//! The bytes that each space stores, which the writer keeps: counting them would read every row.

use std::collections::HashMap;

use hookmill_model::SpaceId;
use rusqlite::Connection;

use super::super::StoreError;
use super::row::Columns as _;

const LOAD: &str = "SELECT id, key, coalesce(bytes, 0) AS bytes FROM spaces LEFT JOIN stored ON space = key";

const ADD: &str = "
    INSERT INTO stored (space, bytes) VALUES (?1, max(?2, 0))
    ON CONFLICT (space) DO UPDATE SET bytes = max(bytes + ?2, 0)";

/// Adds to the bytes that spaces store, given by their keys.
pub(super) fn add(db: &Connection, changes: &HashMap<i64, i64>) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut add = db.prepare_cached(ADD)?;
    for change in changes {
        add.execute(change)?;
    }
    Ok(())
}

/// The committed bytes of all spaces.
#[derive(Debug, Default)]
pub(super) struct StoredBytes {
    keys: HashMap<SpaceId, i64>,
    /// By key.
    bytes: HashMap<i64, i64>,
}

impl StoredBytes {
    /// Reads them, at the start.
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Self> {
        let mut stored = Self::default();
        let mut select = db.prepare(LOAD)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let key = row.value("key")?;
            // Listings of spaces set aside one whose id cannot be read.
            let Ok(id) = row.text("id") else { continue };
            stored.keys.insert(id, key);
            stored.bytes.insert(key, row.value("bytes")?);
        }
        Ok(stored)
    }

    /// Adds a space that was created with this key.
    pub(super) fn created(&mut self, id: SpaceId, key: i64) {
        self.keys.insert(id, key);
    }

    /// Removes a space.
    pub(super) fn removed(&mut self, id: &SpaceId) {
        if let Some(key) = self.keys.remove(id) {
            self.bytes.remove(&key);
        }
    }

    /// Adds the changes of a committed transaction.
    pub(super) fn add(&mut self, changes: HashMap<i64, i64>) {
        for (key, change) in changes {
            let bytes = self.bytes.entry(key).or_default();
            *bytes = (*bytes + change).max(0);
        }
    }

    /// Returns the bytes of a space.
    pub(super) fn of(&self, id: &SpaceId) -> u64 {
        let bytes = self.keys.get(id).and_then(|key| self.bytes.get(key)).copied();
        bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
    }

    /// Returns the bytes of every space that stores some.
    pub(super) fn all(&self) -> Vec<(SpaceId, u64)> {
        self.keys.keys().map(|id| (id.clone(), self.of(id))).filter(|(_, bytes)| *bytes > 0).collect()
    }
}
