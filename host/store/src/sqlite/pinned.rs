//! Pinned plugins of deliveries whose first attempt failed. Each has one row, as long as a delivery waits with it.

use std::collections::HashMap;
use std::sync::Arc;

use hookmill_model::{Digest, PinnedPlugin};
use rusqlite::{Connection, params};

use super::super::StoreError;
use super::row::Columns as _;

/// Does nothing if the delivery has one, or if the component was deleted during the first attempt.
const KEEP: &str = "
    INSERT INTO pinned_plugins (id, digest, config)
    SELECT ?1, ?2, ?3
    WHERE EXISTS (SELECT 1 FROM waiting WHERE delivery = ?4 AND pinned IS NULL)
        AND (?2 IS NULL OR EXISTS (SELECT 1 FROM components WHERE digest = ?2))
    ON CONFLICT (id) DO NOTHING";

const SET: &str = "
    UPDATE waiting SET pinned = (SELECT id FROM pinned_plugins WHERE id = ?2)
    WHERE delivery = ?1 AND pinned IS NULL";

const ONE: &str = "SELECT digest, config FROM pinned_plugins WHERE id = ?1";

pub(super) const DROP_IF_UNUSED: &str = "
    DELETE FROM pinned_plugins
    WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM waiting INDEXED BY waiting_by_pinned WHERE pinned = ?1)";

pub(super) const DROP_UNUSED: &str = "
    DELETE FROM pinned_plugins
    WHERE id NOT IN (SELECT pinned FROM waiting INDEXED BY waiting_by_pinned WHERE pinned IS NOT NULL)";

/// Pins a plugin to the waiting delivery with this key, if it has none.
pub(super) fn keep(db: &Connection, delivery: i64, pinned: &PinnedPlugin) -> Result<(), StoreError> {
    let id = pinned.id();
    let digest = pinned.digest.as_ref().map(Digest::as_bytes);
    db.prepare_cached(KEEP)?.execute(params![id, digest, pinned.config, delivery])?;
    db.prepare_cached(SET)?.execute(params![delivery, id])?;
    Ok(())
}

/// Deletes a pinned plugin if no delivery waits with it any more.
pub(super) fn drop_if_unused(db: &Connection, pinned: &PinnedPlugin) -> Result<(), StoreError> {
    db.prepare_cached(DROP_IF_UNUSED)?.execute([pinned.id()])?;
    Ok(())
}

/// Deletes all pinned plugins with which no delivery waits.
pub(super) fn drop_unused(db: &Connection) -> Result<(), StoreError> {
    db.prepare_cached(DROP_UNUSED)?.execute([])?;
    Ok(())
}

/// Pinned plugins that were read, each once.
#[derive(Default)]
pub(super) struct PinnedPlugins(HashMap<[u8; 32], Arc<PinnedPlugin>>);

impl PinnedPlugins {
    /// Returns the pinned plugin with this id.
    pub(super) fn get(&mut self, db: &Connection, id: [u8; 32]) -> rusqlite::Result<Arc<PinnedPlugin>> {
        if let Some(pinned) = self.0.get(&id) {
            return Ok(Arc::clone(pinned));
        }
        let pinned = db.prepare_cached(ONE)?.query_row([id], |row| {
            let digest = row.value::<Option<[u8; 32]>>("digest")?.map(Digest::from);
            Ok(Arc::new(PinnedPlugin { digest, config: row.value("config")? }))
        })?;
        self.0.insert(id, Arc::clone(&pinned));
        Ok(pinned)
    }
}
