//! Rows that this version cannot read. They are set aside, so that one of them stops neither the start nor a listing.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookmill_model::SubscriptionId;
use rusqlite::Row;

use super::super::StoreError;

/// The kind of a row, as messages name it.
pub(super) const SUBSCRIPTION: &str = "subscription";

/// The rows that were set aside since the store was opened, by kind and id.
#[derive(Debug, Default)]
pub(super) struct Unreadable(Mutex<BTreeSet<(&'static str, String)>>);

impl Unreadable {
    /// Reads a row; none if it cannot be read. That is logged the first time, with the id in the column `id`.
    pub(super) fn read<T>(
        &self,
        (kind, id): (&'static str, &str),
        row: &Row<'_>,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        let error = match read(row) {
            Ok(entry) => return Ok(Some(entry)),
            Err(error) => StoreError::from(error),
        };
        let id = String::from_utf8_lossy(row.get_ref(id)?.as_bytes().unwrap_or_default()).into_owned();
        if self.lock().insert((kind, id.clone())) {
            tracing::warn!(kind, id, error = &error as &dyn std::error::Error, "a row cannot be read and is set aside");
        }
        Ok(None)
    }

    /// Makes a query for one row more than `limit`, and for as many as are set aside: it gets that number. Makes it again
    /// if more had to be set aside.
    pub(super) fn list<T>(
        &self,
        limit: usize,
        mut query: impl FnMut(usize) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        loop {
            let known = self.lock().len();
            let found = query(limit + 1 + known)?;
            if self.lock().len() == known {
                return Ok(found);
            }
        }
    }

    /// Whether a subscription was set aside.
    pub(super) fn has_subscription(&self, id: SubscriptionId) -> bool {
        let rows = self.lock();
        !rows.is_empty() && rows.contains(&(SUBSCRIPTION, id.to_string()))
    }

    /// Returns all.
    pub(super) fn all(&self) -> Vec<(&'static str, String)> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(&'static str, String)>> {
        // Every change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
