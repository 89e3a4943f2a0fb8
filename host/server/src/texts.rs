//! Texts that people read: checks of what they write, and differences between two.

use std::ops::Range;
use std::time::{Duration, Instant};

use similar::DiffTag;
use similar::algorithms::{Capture, Replace, myers};

use crate::error::Error;

const NAME_CHARS_MAX: usize = 200;
const DESCRIPTION_CHARS_MAX: usize = 2_000;

/// Checks the member `name` of a body.
pub fn check_name(name: &str) -> Result<(), Error> {
    let ok = !name.trim().is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.contains(char::is_control);
    if ok { Ok(()) } else { Err(Error::field("/name", "expected 1 to 200 characters on one line")) }
}

/// Checks the member `description` of a body.
pub fn check_description(description: &str) -> Result<(), Error> {
    let ok = description.chars().count() <= DESCRIPTION_CHARS_MAX;
    if ok { Ok(()) } else { Err(Error::field("/description", "expected at most 2,000 characters")) }
}

/// The time limit for matching lines: after it, the remaining lines count as replaced.
const LINES_MAX: Duration = Duration::from_millis(200);

/// The lines of two texts, with their line ends, and the operations that make the second of the first.
pub struct LineDiff<'a> {
    /// The lines of the first text.
    pub before: Vec<&'a str>,
    /// The lines of the second text.
    pub after: Vec<&'a str>,
    /// Runs of equal or different lines, in their order.
    pub runs: Vec<LineRun>,
}

/// Lines of one text and the lines of the other that stand in their place.
pub struct LineRun {
    /// Whether they are equal.
    pub equal: bool,
    /// Indices of lines of the first text.
    pub before: Range<usize>,
    /// Indices of lines of the second text.
    pub after: Range<usize>,
}

impl<'a> LineDiff<'a> {
    /// Compares two texts line by line. One algorithm is named: with `similar`'s own choice, all are compiled.
    pub fn new(before: &'a str, after: &'a str) -> Self {
        let (before, after): (Vec<_>, Vec<_>) =
            (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
        let mut hook = Replace::new(Capture::default());
        let until = Instant::now().checked_add(LINES_MAX);
        let Ok(()) = myers::diff_deadline_raw(&mut hook, &*before, 0..before.len(), &*after, 0..after.len(), until);
        let operations = hook.into_inner().into_ops();
        let runs = operations.iter().map(|operation| {
            let (tag, before, after) = operation.as_tag_tuple();
            LineRun { equal: tag == DiffTag::Equal, before, after }
        });
        let runs = runs.collect();
        Self { before, after, runs }
    }
}
