//! Checks of configurations and example data against JSON Schemas, which run on threads of their own: a check that takes
//! too long is left behind, and few run at once.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::error::{Code, Error};

pub use hookmill_schema::{CheckError as Mismatch, check_schema};

/// How long a check may take: far longer than any honest one.
const CHECK_MAX: Duration = Duration::from_secs(2);

/// Checks at once: the share of the machine that hostile schemas can take. It is the same for all hosts of a process, as
/// are the threads that are left behind.
static CHECKS: Semaphore = Semaphore::const_new(2);

/// Why a value was not found to fit its schema.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The value does not fit, or its schema cannot be compiled.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The check took too long, which counts as not fitting.
    #[error("checking this against its schema takes too long")]
    TooSlow,
    /// Too many checks are running; a later one may succeed.
    #[error("too much is being checked against schemas: try again later")]
    Busy,
    /// The check's thread could not be started.
    #[error("the thread of a check cannot be started")]
    Thread(#[source] io::Error),
    /// The check's thread panicked.
    #[error("the thread of a check panicked")]
    Panicked,
}

impl CheckError {
    /// The API's error, for a value at `pointer` in the body.
    pub fn at(self, pointer: &str) -> Error {
        match self {
            Self::Mismatch(Mismatch::Unfit { pointer: inner, detail }) => {
                Error::field(format!("{pointer}{inner}"), detail)
            }
            Self::TooSlow => Error::field(pointer, self),
            Self::Busy => Error::new(Code::Unavailable, self.to_string()),
            Self::Mismatch(Mismatch::Schema(_)) | Self::Thread(_) | Self::Panicked => Error::internal(&self),
        }
    }
}

/// Checks `value` against `schema`.
///
/// # Errors
/// If it does not fit, or the check could not be made.
pub async fn check(schema: &Value, value: &Value) -> Result<(), CheckError> {
    let Ok(Ok(turn)) = timeout(CHECK_MAX, CHECKS.acquire()).await else { return Err(CheckError::Busy) };
    let (schema, value) = (schema.clone(), value.clone());
    let (result, checked) = oneshot::channel();
    let check = move || {
        // The receiver is dropped if the check took too long.
        let _ = result.send(hookmill_schema::check(&schema, &value));
        drop(turn);
    };
    std::thread::Builder::new().name("schema".to_owned()).spawn(check).map_err(CheckError::Thread)?;
    match timeout(CHECK_MAX, checked).await {
        Ok(Ok(checked)) => Ok(checked?),
        Ok(Err(_)) => Err(CheckError::Panicked),
        Err(_) => Err(CheckError::TooSlow),
    }
}
