//! A check in a process of its own: what it is given and what it returns, as JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CheckError, check, check_schema};

/// What is to be checked.
#[derive(Debug, Deserialize, Serialize)]
pub struct Task {
    /// The schema.
    pub schema: Value,
    /// The value; none if only the schema is to be checked.
    pub value: Option<Value>,
}

/// What was found.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The value conforms, or the schema is one.
    Fits,
    /// The value does not conform.
    Unfit {
        /// JSON pointer into the value.
        pointer: String,
        /// What does not conform.
        detail: String,
    },
    /// The schema is none, for this reason.
    NoSchema(String),
}

impl Task {
    /// Does it, in this process.
    pub fn run(&self) -> Answer {
        match &self.value {
            None => check_schema(&self.schema).map_or_else(Answer::NoSchema, |()| Answer::Fits),
            Some(value) => match check(&self.schema, value) {
                Ok(()) => Answer::Fits,
                Err(CheckError::Unfit { pointer, detail }) => Answer::Unfit { pointer, detail },
                Err(CheckError::Schema(why)) => Answer::NoSchema(why),
            },
        }
    }
}
