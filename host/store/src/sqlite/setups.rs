//! Setups: what shapes deliveries whose first attempt failed. Each stands once, for as long as a delivery waits with it.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::super::StoreError;
use super::row::Columns as _;
use hookmill_model::{DeliveryId, Digest, Setup};

/// Nothing if the delivery has one, or if the component was deleted while the first attempt was under way.
const KEEP: &str = "
    INSERT INTO plugin_setups (id, digest, config)
    SELECT ?1, ?2, ?3
    WHERE EXISTS (SELECT 1 FROM deliveries WHERE id = ?4 AND setup IS NULL)
        AND (?2 IS NULL OR EXISTS (SELECT 1 FROM components WHERE digest = ?2))
    ON CONFLICT (id) DO NOTHING";

const SET: &str = "
    UPDATE deliveries SET setup = (SELECT id FROM plugin_setups WHERE id = ?2)
    WHERE id = ?1 AND setup IS NULL AND completed_at IS NULL";

const ONE: &str = "SELECT digest, config FROM plugin_setups WHERE id = ?1";

pub(super) const DROP_IF_UNUSED: &str = "
    DELETE FROM plugin_setups
    WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_by_setup WHERE setup = ?1)";

pub(super) const DROP_UNUSED: &str = "
    DELETE FROM plugin_setups
    WHERE id NOT IN (SELECT setup FROM deliveries INDEXED BY deliveries_by_setup WHERE setup IS NOT NULL)";

/// Keeps a setup with a delivery that is not final and has none.
pub(super) fn keep(db: &Connection, delivery: DeliveryId, setup: &Setup) -> Result<(), StoreError> {
    let (id, delivery) = (setup.id(), delivery.to_string());
    let digest = setup.digest.as_ref().map(Digest::as_bytes);
    db.prepare_cached(KEEP)?.execute(params![id, digest, setup.config, delivery])?;
    db.prepare_cached(SET)?.execute(params![delivery, id])?;
    Ok(())
}

/// Drops a setup, if no delivery waits with it any more.
pub(super) fn drop_if_unused(db: &Connection, setup: &Setup) -> Result<(), StoreError> {
    db.prepare_cached(DROP_IF_UNUSED)?.execute([setup.id()])?;
    Ok(())
}

/// Drops all setups with which no delivery waits.
pub(super) fn drop_unused(db: &Connection) -> Result<(), StoreError> {
    db.prepare_cached(DROP_UNUSED)?.execute([])?;
    Ok(())
}

/// Setups that were read, each once.
#[derive(Default)]
pub(super) struct Setups(HashMap<[u8; 32], Arc<Setup>>);

impl Setups {
    /// The setup of this id.
    pub(super) fn get(&mut self, db: &Connection, id: [u8; 32]) -> rusqlite::Result<Arc<Setup>> {
        if let Some(setup) = self.0.get(&id) {
            return Ok(Arc::clone(setup));
        }
        let setup = db.prepare_cached(ONE)?.query_row([id], |row| {
            let digest = row.value::<Option<[u8; 32]>>("digest")?.map(Digest::from);
            Ok(Arc::new(Setup { digest, config: row.value("config")? }))
        })?;
        self.0.insert(id, Arc::clone(&setup));
        Ok(setup)
    }
}
