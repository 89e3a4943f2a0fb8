//! (in work)
/// SQLite.
pub struct Sqlite;
