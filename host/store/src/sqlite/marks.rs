//! The marks: which keys are free, and where a start looks for deliveries that were being sent for the first time.

use rusqlite::{Connection, OptionalExtension as _};

use super::super::StoreError;
use super::writing::Marks;

const READ: &str = "SELECT low_water, next_key FROM marks";

const WRITE: &str = "
    INSERT INTO marks (one, low_water, next_key) VALUES (1, ?1, ?2)
    ON CONFLICT (one) DO UPDATE SET low_water = ?1, next_key = ?2";

/// Deliveries without any result: those that the last process was sending for the first time.
pub(super) const UNDONE: &str = "
    INSERT INTO waiting (delivery, space, subscription, state, due_at, attempts)
    SELECT key, space, subscription, 'pending', due_at, 0 FROM deliveries AS d
    WHERE key >= ?1
        AND NOT EXISTS (SELECT 1 FROM attempts WHERE key > d.key * 65536 AND key < (d.key + 1) * 65536)
        AND NOT EXISTS (SELECT 1 FROM waiting WHERE delivery = d.key)
        AND NOT EXISTS (SELECT 1 FROM ended WHERE delivery = d.key)";

/// Reads the marks; those of an empty database if there are none.
pub(super) fn read(db: &Connection) -> rusqlite::Result<Marks> {
    let found =
        db.prepare_cached(READ)?.query_row([], |row| Ok(Marks { low_water: row.get(0)?, next_key: row.get(1)? }));
    Ok(found.optional()?.unwrap_or(Marks { low_water: 1, next_key: 1 }))
}

/// Writes the marks.
pub(super) fn write(db: &Connection, marks: Marks) -> Result<(), StoreError> {
    db.prepare_cached(WRITE)?.execute((marks.low_water, marks.next_key))?;
    Ok(())
}

/// Puts the deliveries that the last process was sending for the first time into `waiting`. Returns how many there were.
pub(super) fn recover(db: &Connection) -> rusqlite::Result<usize> {
    let marks = read(db)?;
    db.prepare_cached(UNDONE)?.execute([marks.low_water])
}
