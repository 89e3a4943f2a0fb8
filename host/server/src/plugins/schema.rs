//! JSON Schema: what plugins say of their configuration and spaces of their events' data.
//!
//! Schemas come from callers. None is fetched, and expressions run in linear time. But a short schema can ask for
//! exponential work, which the library neither bounds nor breaks off: so a check runs on a thread of its own that can
//! be left behind, and few run at once.

use std::time::{Duration, Instant};

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::error::{Code, Error};

/// How long a check may take: far longer than any honest one.
const CHECK_MAX: Duration = Duration::from_secs(2);

/// Checks at once: what hostile schemas can take of the machine.
static CHECKS: Semaphore = Semaphore::const_new(2);

/// How long it may take to find out that a value does not fit, for the library to be asked why: that takes as long again,
/// and keeps every error on its way in memory, gigabytes in seconds.
const WORDS_WITHIN: Duration = Duration::from_millis(20);

/// What is shown of an error, which may repeat the whole value.
const DETAIL_CHARS_MAX: usize = 500;

fn compile(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options().with_pattern_options(PatternOptions::regex()).build(schema)
}

/// Checks that this is a JSON Schema; else says what is wrong.
pub fn check_schema(schema: &Value) -> Result<(), String> {
    compile(schema).map(|_| ()).map_err(|err| format!("not a JSON Schema (2020-12): {}", cut(&err.to_string())))
}

/// Checks `value`, which stands at `pointer` in the body.
pub async fn check(schema: &Value, value: &Value, pointer: &str) -> Result<(), Error> {
    let Ok(Ok(place)) = timeout(CHECK_MAX, CHECKS.acquire()).await else {
        return Err(Error::new(Code::Unavailable, "too much is being checked against schemas: try again later"));
    };
    let (schema, value, at) = (schema.clone(), value.clone(), pointer.to_owned());
    let (result, checked) = oneshot::channel();
    let check = move || {
        // Nobody may be waiting any more.
        let _ = result.send(check_now(&schema, &value, &at));
        drop(place);
    };
    std::thread::Builder::new().name("schema".to_owned()).spawn(check).map_err(|err| Error::internal(&err))?;
    match timeout(CHECK_MAX, checked).await {
        Ok(Ok(checked)) => checked,
        Ok(Err(err)) => Err(Error::internal(&err)),
        Err(_) => Err(Error::field(pointer, "checking this against its schema takes too long")),
    }
}

fn check_now(schema: &Value, value: &Value, at: &str) -> Result<(), Error> {
    let validator = compile(schema).map_err(|err| Error::internal(&err))?;
    let started = Instant::now();
    if validator.is_valid(value) {
        return Ok(());
    }
    if started.elapsed() > WORDS_WITHIN {
        return Err(Error::field(at, "this does not fit its schema, which takes too long to say where"));
    }
    let wrong = |err: ValidationError<'_>| Error::field(format!("{at}{}", err.instance_path()), cut(&err.to_string()));
    validator.validate(value).map_err(wrong)
}

fn cut(message: &str) -> String {
    let mut chars = message.chars();
    let mut cut: String = chars.by_ref().take(DETAIL_CHARS_MAX).collect();
    if chars.next().is_some() {
        cut.push('…');
    }
    cut
}
