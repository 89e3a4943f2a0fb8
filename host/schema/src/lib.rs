//! JSON Schemas (2020-12) that callers wrote: what plugins require of their configuration, and spaces of their events' data.
//!
//! None is fetched, and regular expressions run in linear time. But a short schema can ask for exponential work, and for
//! endless recursion, which the library neither bounds nor interrupts. So a schema that is saved has limits ([`limits`]), and
//! what is not plainly little work ([`is_plain`]) is done in a process that can be ended: [`Task`] is what it is given,
//! [`Answer`] what it returns.
//!
//! A crate, because the library's code is generic and is compiled wherever it is named.
#![forbid(unsafe_code)]

mod size;
mod task;

use std::time::{Duration, Instant};

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

pub use size::{is_plain, limits};
pub use task::{Answer, Task};

/// The time to find that a value does not conform, up to which the library is asked for the reason: that takes as long
/// again, and holds every error that it meets in memory, gigabytes in seconds.
const EXPLAIN_WITHIN: Duration = Duration::from_millis(20);

/// Characters of a detail, which may repeat the whole value.
const DETAIL_CHARS_MAX: usize = 500;

/// Why a value was not found to conform.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The value does not conform.
    #[error("{}{detail}", prefix(pointer))]
    Unfit {
        /// JSON pointer into the value.
        pointer: String,
        /// What does not conform.
        detail: String,
    },
    /// The schema cannot be compiled.
    #[error("the schema cannot be compiled: {0}")]
    Schema(String),
}

fn prefix(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!("{pointer}: ") }
}

fn compile(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options().with_pattern_options(PatternOptions::regex()).build(schema)
}

/// Checks that `schema` is a JSON Schema.
///
/// # Errors
/// What is wrong with it.
pub fn check_schema(schema: &Value) -> Result<(), String> {
    compile(schema).map(|_| ()).map_err(|err| format!("not a JSON Schema (2020-12): {}", cut(&err.to_string())))
}

/// Checks `value` against `schema`. Takes as long as it takes.
///
/// # Errors
/// If it does not conform, or the schema is not one.
pub fn check(schema: &Value, value: &Value) -> Result<(), CheckError> {
    let validator = compile(schema).map_err(|err| CheckError::Schema(cut(&err.to_string())))?;
    let timed = || {
        let started = Instant::now();
        (validator.is_valid(value), started.elapsed())
    };
    let (valid, mut took) = timed();
    if valid {
        return Ok(());
    }
    if took > EXPLAIN_WITHIN && took < EXPLAIN_WITHIN * 10 {
        // A busy machine may have interrupted a short check for longer than that.
        took = timed().1;
    }
    if took > EXPLAIN_WITHIN {
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
