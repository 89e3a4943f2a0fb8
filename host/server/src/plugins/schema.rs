//! JSON Schema: what plugins require of their configuration, and spaces of their events' data.
//!
//! Schemas come from callers. None is fetched, and regular expressions run in linear time. But a short schema can ask for
//! exponential work, which the library neither bounds nor interrupts. So a check runs on its own thread, which can be
//! left behind, and few checks run at once.

use std::io;
use std::time::{Duration, Instant};

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::error::{Code, Error};

/// How long a check may take: far longer than any honest one.
const CHECK_MAX: Duration = Duration::from_secs(2);

/// Checks at once: the share of the machine that hostile schemas can take. It is the same for all hosts of a process, as
/// are the threads that are left behind.
static CHECKS: Semaphore = Semaphore::const_new(2);

/// How long it may take to find that a value does not fit, for the library to be asked why: that takes as long again, and
/// holds every error that it meets in memory, gigabytes in seconds.
const EXPLAIN_WITHIN: Duration = Duration::from_millis(20);

/// Characters of a detail, which may repeat the whole value.
const DETAIL_CHARS_MAX: usize = 500;

/// Why a value was not found to fit its schema.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The value does not fit.
    #[error("{}{detail}", prefix(pointer))]
    Unfit {
        /// JSON pointer into the value.
        pointer: String,
        /// What does not fit.
        detail: String,
    },
    /// The check took too long, which counts as not fitting.
    #[error("checking this against its schema takes too long")]
    TooSlow,
    /// Too many checks are running; a later one may succeed.
    #[error("too much is being checked against schemas: try again later")]
    Busy,
    /// The schema that was checked when it was saved cannot be compiled.
    #[error("the schema cannot be compiled")]
    Schema(#[source] Box<ValidationError<'static>>),
    /// The check's thread could not be started.
    #[error("the thread of a check cannot be started")]
    Thread(#[source] io::Error),
    /// The check's thread panicked.
    #[error("the thread of a check panicked")]
    Panicked,
}

fn prefix(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!("{pointer}: ") }
}

impl CheckError {
    /// The API's error, for a value at `pointer` in the body.
    pub fn at(self, pointer: &str) -> Error {
        match self {
            Self::Unfit { pointer: inner, detail } => Error::field(format!("{pointer}{inner}"), detail),
            Self::TooSlow => Error::field(pointer, self),
            Self::Busy => Error::new(Code::Unavailable, self.to_string()),
            Self::Schema(_) | Self::Thread(_) | Self::Panicked => Error::internal(&self),
        }
    }
}

fn compile(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options().with_pattern_options(PatternOptions::regex()).build(schema)
}

/// Checks that `schema` is a JSON Schema; the error says what is wrong.
pub fn check_schema(schema: &Value) -> Result<(), String> {
    compile(schema).map(|_| ()).map_err(|err| format!("not a JSON Schema (2020-12): {}", cut(&err.to_string())))
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
        let _ = result.send(check_now(&schema, &value));
        drop(turn);
    };
    std::thread::Builder::new().name("schema".to_owned()).spawn(check).map_err(CheckError::Thread)?;
    match timeout(CHECK_MAX, checked).await {
        Ok(Ok(checked)) => checked,
        Ok(Err(_)) => Err(CheckError::Panicked),
        Err(_) => Err(CheckError::TooSlow),
    }
}

fn check_now(schema: &Value, value: &Value) -> Result<(), CheckError> {
    let validator = compile(schema).map_err(|err| CheckError::Schema(Box::new(err)))?;
    let started = Instant::now();
    if validator.is_valid(value) {
        return Ok(());
    }
    if started.elapsed() > EXPLAIN_WITHIN {
        let detail = "this does not fit its schema, and finding out where takes too long".to_owned();
        return Err(CheckError::Unfit { pointer: String::new(), detail });
    }
    validator
        .validate(value)
        .map_err(|err| CheckError::Unfit { pointer: err.instance_path().to_string(), detail: cut(&err.to_string()) })
}

fn cut(message: &str) -> String {
    let mut chars = message.chars();
    let mut cut: String = chars.by_ref().take(DETAIL_CHARS_MAX).collect();
    if chars.next().is_some() {
        cut.push('…');
    }
    cut
}
