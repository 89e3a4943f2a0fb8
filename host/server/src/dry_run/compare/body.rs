//! The differences between two bodies: JSON pointers, form fields, lines of text, or the first byte of anything else.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::value::RawValue;
use url::form_urlencoded;

use super::difference::{RequestDiff, VALUE_BYTES_BEFORE, VALUE_BYTES_MAX};
use crate::stages::json::{DEPTH_MAX, Level, Members};
use crate::texts::{LineDiff, LineRun};
use hookmill_model::Part;

/// Adds the differences between two bodies of this content type. Bodies with different bytes always differ, whatever they
/// mean: if there is no other difference (spaces, the order of members), the first differing byte is reported.
pub(super) fn compare(content_type: &str, before: &[u8], after: &[u8], changes: &mut RequestDiff) {
    if before == after {
        return;
    }
    let known = changes.count();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/x-www-form-urlencoded" {
        changes.pairs(Part::Body, &fields(before), &fields(after));
    } else if let (Ok(before), Ok(after)) = (str::from_utf8(before), str::from_utf8(after)) {
        if essence == "application/json" || essence.ends_with("+json") {
            json(before, after, changes);
        } else {
            lines(before, after, changes);
        }
    }
    if changes.count() == known {
        bytes(before, after, changes);
    }
}

fn fields(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).into_owned().collect()
}

fn json(before: &str, after: &str, changes: &mut RequestDiff) {
    if let (Ok(before), Ok(after)) = (serde_json::from_str(before), serde_json::from_str(after)) {
        values(String::new(), before, after, DEPTH_MAX, changes);
    }
}

/// The longest pointer: below it, two values are one change. Every differing value has a pointer, and a body of megabytes
/// could be one long name and a long list.
const POINTER_BYTES_MAX: usize = 1 << 10;

fn values(at: String, before: &RawValue, after: &RawValue, depth_left: usize, changes: &mut RequestDiff) {
    if before.get() == after.get() {
        return;
    }
    let deeper = depth_left > 0 && at.len() <= POINTER_BYTES_MAX;
    match (Level::of(before), Level::of(after)) {
        (Ok(Level::Object(before)), Ok(Level::Object(after))) if deeper => {
            members(&at, &before, &after, depth_left - 1, changes);
        }
        (Ok(Level::Array(before)), Ok(Level::Array(after))) if deeper => {
            for index in 0..before.len().max(after.len()) {
                either(|| format!("{at}/{index}"), before.get(index), after.get(index), depth_left - 1, changes);
            }
        }
        // The same text, escaped differently.
        (Ok(Level::String(before)), Ok(Level::String(after))) if before == after => {}
        _ => changes.push(Part::Body, Some(at), Some(before.get()), Some(after.get())),
    }
}

fn members(at: &str, before: &Members<'_>, after: &Members<'_>, depth_left: usize, changes: &mut RequestDiff) {
    let at = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    // If a name is repeated, the last value counts, as with most JSON readers.
    let (had, has) = (by_name(before), by_name(after));
    for (name, value) in &before.0 {
        if had.get(name.as_str()).is_some_and(|last| std::ptr::eq(*last, *value)) {
            either(|| at(name), Some(value), has.get(name.as_str()), depth_left, changes);
        }
    }
    for (name, value) in &after.0 {
        if !had.contains_key(name.as_str()) {
            either(|| at(name), None, Some(value), depth_left, changes);
        }
    }
}

fn by_name<'a, 'raw>(members: &'a Members<'raw>) -> HashMap<&'a str, &'raw RawValue> {
    members.0.iter().map(|(name, value)| (name.as_str(), *value)).collect()
}

fn either(
    at: impl FnOnce() -> String,
    before: Option<&&RawValue>,
    after: Option<&&RawValue>,
    depth_left: usize,
    changes: &mut RequestDiff,
) {
    match (before, after) {
        (Some(before), Some(after)) if before.get() == after.get() => {}
        (Some(before), Some(after)) => values(at(), before, after, depth_left, changes),
        _ => changes.push(Part::Body, Some(at()), before.map(|raw| raw.get()), after.map(|raw| raw.get())),
    }
}

fn lines(before: &str, after: &str, changes: &mut RequestDiff) {
    let LineDiff { before, after, runs } = LineDiff::new(before, after);
    for LineRun { before: old, after: new, .. } in runs.into_iter().filter(|run| !run.equal) {
        for offset in 0..old.len().max(new.len()) {
            let line = |range: &Range<usize>| range.clone().nth(offset);
            let (had, has) = (line(&old), line(&new));
            let number = has.or(had).unwrap_or_default() + 1;
            let (had, has) = (had.map(|line| before[line]), has.map(|line| after[line]));
            changes.push(Part::Body, Some(format!("line {number}")), had, has);
        }
    }
}

/// Adds the first byte that differs, with a little context before it.
fn bytes(before: &[u8], after: &[u8], changes: &mut RequestDiff) {
    let first = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let from = first.saturating_sub(VALUE_BYTES_BEFORE);
    let shown = |bytes: &[u8]| {
        let end = bytes.len().min(from + VALUE_BYTES_MAX);
        String::from_utf8_lossy(&bytes[from..end]).into_owned()
    };
    changes.push(Part::Body, Some(format!("byte {first}")), Some(&shown(before)), Some(&shown(after)));
}
