//! Checks of texts that people read.

use crate::error::Error;

const NAME_CHARS_MAX: usize = 200;
const DESCRIPTION_CHARS_MAX: usize = 2_000;

/// Checks the member `name` of a body.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let ok = !name.trim().is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.contains(char::is_control);
    if ok { Ok(()) } else { Err(Error::field("/name", "expected 1 to 200 characters on one line")) }
}

/// Checks the member `description` of a body.
pub(crate) fn check_description(description: &str) -> Result<(), Error> {
    let ok = description.chars().count() <= DESCRIPTION_CHARS_MAX;
    if ok { Ok(()) } else { Err(Error::field("/description", "expected at most 2,000 characters")) }
}
