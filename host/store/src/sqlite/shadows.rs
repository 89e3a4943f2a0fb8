//! Shadows: their start and their counters.

use hookmill_model::{PluginRef, Shadow, Subscription, SubscriptionId, SubscriptionState, Tally};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::StoreError;
use super::row::{Columns as _, json, micros};

/// Replaces the counters of another shadow.
const END: &str = "
    DELETE FROM shadows WHERE subscription = ?1 AND (?2 IS NULL OR digest <> ?2 OR config <> ?3)";

const BEGIN: &str = "
    INSERT INTO shadows (subscription, digest, config, started_at, tally) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (subscription) DO NOTHING";

const ONE: &str = "SELECT started_at, tally FROM shadows WHERE subscription = ?1";

const TALLY: &str = "SELECT tally FROM shadows WHERE subscription = ?1 AND digest = ?2 AND config = ?3";

const COUNT: &str = "UPDATE shadows SET tally = ?2 WHERE subscription = ?1";

/// Starts, continues or ends a subscription's shadow, as the subscription defines it now.
pub(super) fn follow(db: &Connection, subscription: &Subscription, now: Timestamp) -> Result<(), StoreError> {
    let id = subscription.id.to_string();
    let shadow = subscription.shadow.as_ref().filter(|_| subscription.state != SubscriptionState::Deleted);
    let (digest, config) = (shadow.map(|it| *it.digest.as_bytes()), shadow.map(|it| it.config.to_string()));
    db.prepare_cached(END)?.execute(params![id, digest, config])?;
    if digest.is_some() {
        db.prepare_cached(BEGIN)?.execute(params![id, digest, config, micros(now), json(&Tally::default())])?;
    }
    Ok(())
}

/// See [`Store::shadow`](super::super::Store::shadow).
pub(super) fn one(db: &Connection, subscription: SubscriptionId) -> Result<Option<Shadow>, StoreError> {
    let found = db.prepare_cached(ONE)?.query_row([subscription.to_string()], |row| {
        Ok(Shadow { started_at: row.time("started_at")?, tally: row.json("tally")? })
    });
    Ok(found.optional()?)
}

/// See [`Store::count_shadows`](super::super::Store::count_shadows).
pub(super) fn count(db: &Connection, counted: &[(SubscriptionId, PluginRef, Tally)]) -> Result<(), StoreError> {
    for (subscription, plugin, later) in counted {
        let id = subscription.to_string();
        let what = params![id, plugin.digest.as_bytes(), plugin.config.to_string()];
        let found = db.prepare_cached(TALLY)?.query_row(what, |row| row.json::<Tally>("tally")).optional()?;
        if let Some(mut tally) = found {
            tally.add(later.clone());
            db.prepare_cached(COUNT)?.execute(params![id, json(&tally)])?;
        }
    }
    Ok(())
}
