//! The error of an operation.

/// An internal fault: the database, its file or its disk. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The disk is full, fails or is read-only.
    #[error("the disk of the database is full or fails")]
    Disk(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A query took longer than a caller's query may.
    #[error("the query takes too long")]
    TooSlow,
    /// This version cannot read a row.
    #[error("unreadable row in the database: {0}")]
    Corrupt(String),
    /// This version cannot read the row of one of these, which has this id. Why was logged when it was first read.
    #[error("the row of the {0} `{1}` cannot be read")]
    Unreadable(&'static str, String),
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}
