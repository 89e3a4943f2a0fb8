//! Checks of schemas, configurations and example data. What is plainly little work is done on a blocking thread; the rest in a
//! child, this program again as `hookmill check-schema`, which has a limit of time and memory and is ended by it. A space has
//! one child at a time.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hookmill_engine::{Engine, SMALL_ARENAS};
use hookmill_model::SpaceId;
use hookmill_schema::Answer;
pub use hookmill_schema::Task;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use crate::error::{Code, Error};
use crate::host::Host;
use crate::task::SpaceTurns;

/// CPU time of a check, in seconds: far more than any honest one needs.
const CPU_S_MAX: u64 = 2;

/// How long a check may take by the clock. It says nothing about the check, only that the machine is busy.
const CHECK_MAX: Duration = Duration::from_secs(30);

/// How long a check may wait for its turn: as long as another's check may take.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Memory of a child: a schema of the largest size takes some 50 MiB.
const MEMORY_BYTES_MAX: u64 = 512 << 20;

/// Bytes of a child's answer: the message is cut, and a pointer is no longer than the value.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// Why a value was not found to fit its schema.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The value does not fit.
    #[error("{}{detail}", if pointer.is_empty() { String::new() } else { format!("{pointer}: ") })]
    Unfit {
        /// JSON pointer into the value.
        pointer: String,
        /// What does not fit.
        detail: String,
    },
    /// The schema is none.
    #[error("{0}")]
    NoSchema(String),
    /// The check took too much CPU time, too much memory, or recursed without end, which counts as not fitting.
    #[error("checking this against its schema takes too long or too much memory")]
    TooMuch,
    /// Too many checks are waiting, or the machine is too busy for this one; a later one may succeed.
    #[error("too much is being checked against schemas: try again later")]
    Busy,
    /// The check's process failed.
    #[error("the process of a check failed")]
    Process(#[source] io::Error),
}

impl CheckError {
    /// The API's error, for a value at `pointer` in the body.
    pub fn at(self, pointer: &str) -> Error {
        match self {
            Self::Unfit { pointer: inner, detail } => Error::field(format!("{pointer}{inner}"), detail),
            Self::TooMuch => Error::field(pointer, self),
            Self::Busy => Error::new(Code::Unavailable, self.to_string()),
            Self::NoSchema(_) | Self::Process(_) => Error::internal(&self),
        }
    }

    /// The API's error, for a schema at `pointer` in the body.
    pub fn of_schema(self, pointer: &str) -> Error {
        match self {
            Self::NoSchema(why) => Error::field(pointer, why),
            other => other.at(pointer),
        }
    }
}

/// Where checks are made, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Checker<'a> {
    /// The program that checks as `hookmill check-schema`.
    pub program: &'a Path,
    /// The space, and the turns that it takes; none for what the operator installs.
    pub turns: Option<(&'a SpaceTurns, &'a SpaceId)>,
}

impl<'a> Checker<'a> {
    /// Returns the checker of a space.
    pub fn of(host: &'a Host, space: &'a SpaceId) -> Self {
        Self { program: host.engine.program(), turns: Some((&host.checks, space)) }
    }

    /// Returns the operator's checker.
    pub fn of_operator(engine: &'a Engine) -> Self {
        Self { program: engine.program(), turns: None }
    }

    /// Checks that `schema` is a JSON Schema, within the limits of one that is saved.
    ///
    /// # Errors
    /// If it is not one, or the check could not be made.
    pub async fn check_schema(self, schema: &Value) -> Result<(), CheckError> {
        self.run(Task { schema: schema.clone(), value: None }).await
    }

    /// Checks `value` against `schema`.
    ///
    /// # Errors
    /// If it does not fit, or the check could not be made.
    pub async fn check(self, schema: &Value, value: &Value) -> Result<(), CheckError> {
        self.run(Task { schema: schema.clone(), value: Some(value.clone()) }).await
    }

    async fn run(self, task: Task) -> Result<(), CheckError> {
        let trying = tokio::task::spawn_blocking(move || here(&task));
        let answer = match trying.await.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic())) {
            Ok(answer) => answer,
            Err(task) => self.run_child(&task).await?,
        };
        match answer {
            Answer::Fits => Ok(()),
            Answer::Unfit { pointer, detail } => Err(CheckError::Unfit { pointer, detail }),
            Answer::NoSchema(why) => Err(CheckError::NoSchema(why)),
        }
    }

    async fn run_child(self, task: &[u8]) -> Result<Answer, CheckError> {
        let _turn = match self.turns {
            Some((turns, space)) => Some(timeout(WAIT_MAX, turns.take(space)).await.map_err(|_| CheckError::Busy)?),
            None => None,
        };
        // The child limits its own CPU time; dropping it kills it.
        let answer = timeout(CHECK_MAX, answer_of(self.program, task)).await.map_err(|_| CheckError::Busy)?;
        match answer.map_err(CheckError::Process)? {
            Some(answer) => Ok(answer),
            None => Err(CheckError::TooMuch),
        }
    }
}

/// Checks in this process what is plainly little work, or refused without it; else returns the task as a child reads it.
fn here(task: &Task) -> Result<Answer, Vec<u8>> {
    let limits = hookmill_schema::limits(&task.schema);
    match (&task.value, limits) {
        (None, Err(why)) => Ok(Answer::NoSchema(why)),
        (_, Ok(())) if hookmill_schema::is_plain(&task.schema, task.value.as_ref()) => Ok(task.run()),
        _ => Err(serde_json::to_vec(task).expect("two values are JSON")),
    }
}

/// Runs a child. None if it was ended or crashed.
async fn answer_of(program: &Path, task: &[u8]) -> io::Result<Option<Answer>> {
    let mut command = Command::new(program);
    let (name, value) = SMALL_ARENAS;
    let (seconds, memory_bytes) = (CPU_S_MAX.to_string(), MEMORY_BYTES_MAX.to_string());
    command.args(["check-schema", &seconds, &memory_bytes]).env_clear().env(name, value).kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut stdin = child.stdin.take().expect("the stream is piped");
    let stdout = child.stdout.take().expect("the stream is piped");
    let feed = async {
        // A child that exited early is recognized by its status, not by the broken pipe.
        let _ = stdin.write_all(task).await;
        drop(stdin);
    };
    let mut answer = Vec::new();
    let mut stdout = stdout.take(ANSWER_BYTES_MAX);
    let (_, read) = tokio::join!(feed, stdout.read_to_end(&mut answer));
    read?;
    drop(stdout);
    let status = child.wait().await?;
    if status.code().is_some_and(|code| code != 0) {
        return Err(io::Error::other(format!("it exited with {status}")));
    }
    Ok(if status.success() { serde_json::from_slice(&answer).ok() } else { None })
}
