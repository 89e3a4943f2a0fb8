//! Conversions between columns and the model.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::{FromSql, Type};
use rusqlite::{ErrorCode, Row};
use serde::Serialize;
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use serde_json::Value;

use super::super::{ListPart, StoreError};

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        match error {
            E::FromSqlConversionFailure(_, _, source) => Self::Corrupt(source.to_string()),
            E::InvalidColumnType(..) | E::IntegralValueOutOfRange(..) | E::Utf8Error(..) => {
                Self::Corrupt(error.to_string())
            }
            error if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Self::TooSlow,
            error if is_of_disk(&error) => Self::Disk(Box::new(error)),
            error => Self::Database(Box::new(error)),
        }
    }
}

impl StoreError {
    /// The error of an operation whose group could not be committed.
    pub(super) fn of_group(error: Arc<Self>) -> Self {
        match *error {
            Self::Disk(_) => Self::Disk(Box::new(error)),
            _ => Self::Database(Box::new(error)),
        }
    }
}

/// Whether the disk is full, fails, is read-only or is gone.
fn is_of_disk(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly | ErrorCode::CannotOpen)
    )
}

/// Bytes of rows in one part of a listing. A part has at least one entry.
pub(super) const PART_BYTES_MAX: usize = 1 << 20;

/// Collects a part of a listing from the rows of a query for one entry more than `limit`, each with its bytes.
pub(super) fn part<T, C>(
    rows: impl Iterator<Item = rusqlite::Result<(T, usize)>>,
    limit: usize,
    id: impl Fn(&T) -> C,
) -> Result<ListPart<T, C>, StoreError> {
    let mut entries = Vec::new();
    let mut held = 0;
    for row in rows {
        let (entry, bytes) = row?;
        held += bytes;
        if entries.len() == limit || (held > PART_BYTES_MAX && !entries.is_empty()) {
            let next = entries.last().map(id);
            return Ok(ListPart { entries, next });
        }
        entries.push(entry);
    }
    Ok(ListPart { entries, next: None })
}

/// Creates the error for a column that cannot be read, for this reason.
pub(super) fn corrupt(column: &str, reason: impl Display) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Null, format!("{column}: {reason}").into())
}

/// Converts a time to its stored form.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// Converts a count to its stored form; SQLite's integers are signed.
pub(super) fn count(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// Converts a value to JSON text.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the model's values have text keys only and no failing serializer")
}

/// Returns the name of an enum's variant, as serde writes it.
pub(super) fn name(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(Value::String(name)) => name,
        _ => unreachable!("the model's plain enums serialize as their names"),
    }
}

/// Typed reading of columns by their names.
pub(super) trait Columns {
    /// Reads a value of one of SQLite's own types.
    fn value<T: FromSql>(&self, column: &str) -> rusqlite::Result<T>;

    /// Reads a time.
    fn time(&self, column: &str) -> rusqlite::Result<Timestamp> {
        time(column, self.value(column)?)
    }

    /// Reads a time, or none.
    fn time_if_any(&self, column: &str) -> rusqlite::Result<Option<Timestamp>> {
        self.value::<Option<i64>>(column)?.map(|at| time(column, at)).transpose()
    }

    /// Reads a value that is stored as its text.
    fn text<T: FromStr<Err: Display>>(&self, column: &str) -> rusqlite::Result<T> {
        self.value::<String>(column)?.parse().map_err(|error| corrupt(column, error))
    }

    /// Reads a value that is stored as its text, or none.
    fn text_if_any<T: FromStr<Err: Display>>(&self, column: &str) -> rusqlite::Result<Option<T>> {
        let text = self.value::<Option<String>>(column)?;
        text.map(|text| text.parse().map_err(|error| corrupt(column, error))).transpose()
    }

    /// Returns the size of a text.
    fn bytes(&self, column: &str) -> rusqlite::Result<usize>;

    /// Reads a count.
    fn count(&self, column: &str) -> rusqlite::Result<u64> {
        u64::try_from(self.value::<i64>(column)?).map_err(|error| corrupt(column, error))
    }

    /// Reads a variant of a plain enum, stored as its name.
    fn variant<T: DeserializeOwned>(&self, column: &str) -> rusqlite::Result<T> {
        let name: String = self.value(column)?;
        T::deserialize(name.into_deserializer()).map_err(|error: serde::de::value::Error| corrupt(column, error))
    }

    /// Reads a value that is stored as JSON text.
    fn json<T: DeserializeOwned>(&self, column: &str) -> rusqlite::Result<T> {
        from_json(column, &self.value::<String>(column)?)
    }

    /// Reads a value that is stored as JSON text, or none.
    fn json_if_any<T: DeserializeOwned>(&self, column: &str) -> rusqlite::Result<Option<T>> {
        self.value::<Option<String>>(column)?.map(|text| from_json(column, &text)).transpose()
    }
}

impl Columns for Row<'_> {
    fn value<T: FromSql>(&self, column: &str) -> rusqlite::Result<T> {
        self.get(column)
    }

    fn bytes(&self, column: &str) -> rusqlite::Result<usize> {
        Ok(self.get_ref(column)?.as_str_or_null().ok().flatten().map_or(0, str::len))
    }
}

/// Converts a stored time.
pub(super) fn time(column: &str, micros: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|error| corrupt(column, error))
}

fn from_json<T: DeserializeOwned>(column: &str, text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let (reason, column_of) = (error.to_string(), error.column());
        // Anything else may repeat a value, which may be a secret.
        let missing = reason.starts_with("missing field").then_some(reason.as_str());
        corrupt(column, missing.map_or_else(|| format!("wrong JSON at character {column_of}"), str::to_owned))
    })
}
