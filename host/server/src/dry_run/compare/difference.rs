//! The difference between the outcomes of two transforms. Pure.
//!
//! Compared is what would be sent, except for the signature, which follows from the rest: method, URL, headers and the
//! exact bytes of the body, with each placeholder replaced by its secret's name. The wording of reasons does not count:
//! two skips are equal, and so are two faults of one kind.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use url::Url;

use super::body;
use crate::stages::seal::named;
use hookmill_engine::cut;
use hookmill_model::{Change, Part, SentRequest, TransformOutcome};

/// The most changes listed for one event: enough to see what kind of change it is.
const CHANGES_MAX: usize = 20;

/// The length of a value that is shown.
pub(super) const VALUE_BYTES_MAX: usize = 200;

/// The length of a value that is shown before the first differing byte, if that is far from the start.
pub(super) const VALUE_BYTES_BEFORE: usize = 20;

/// The length of a place that is shown: the longest name of a header or a parameter.
const PLACE_BYTES_MAX: usize = 128;

/// The differences between two outcomes: the first ones, and the number of others.
#[derive(Debug, Default)]
pub struct RequestDiff {
    /// The first changes.
    pub list: Vec<Change>,
    /// The number of changes that are not listed.
    pub more: u64,
}

impl RequestDiff {
    /// Returns the number of changes.
    pub(super) fn count(&self) -> u64 {
        self.list.len() as u64 + self.more
    }

    /// Adds a change.
    pub(super) fn push(&mut self, part: Part, at: Option<String>, before: Option<&str>, after: Option<&str>) {
        if self.list.len() == CHANGES_MAX {
            self.more += 1;
            return;
        }
        let from = shown_from(before.unwrap_or_default(), after.unwrap_or_default());
        let shown = |text: &str| shown(text, from);
        let at = at.map(|at| cut(at, PLACE_BYTES_MAX));
        self.list.push(Change { part, at, before: before.map(shown), after: after.map(shown) });
    }

    /// Adds the differences between two lists of names and values; a name may have several values.
    pub(super) fn pairs(&mut self, part: Part, before: &[(String, String)], after: &[(String, String)]) {
        let (had, has) = (by_name(before), by_name(after));
        let names = before.iter().chain(after.iter().filter(|(name, _)| !had.contains_key(name.as_str())));
        let mut seen = HashSet::new();
        for (name, _) in names.filter(|(name, _)| seen.insert(name.as_str())) {
            let (had, has) = (values_of(&had, name), values_of(&has, name));
            for index in 0..had.len().max(has.len()) {
                let (had, has) = (had.get(index).copied(), has.get(index).copied());
                if had != has {
                    self.push(part, Some(name.clone()), had, has);
                }
            }
        }
    }
}

/// Returns where to start showing two values: at the start, unless they first differ beyond what would be shown.
fn shown_from(before: &str, after: &str) -> usize {
    let first = before.bytes().zip(after.bytes()).take_while(|(before, after)| before == after).count();
    if first < VALUE_BYTES_MAX / 2 { 0 } else { first - VALUE_BYTES_BEFORE }
}

fn values_of<'a>(by_name: &'a HashMap<&str, Vec<&str>>, name: &str) -> &'a [&'a str] {
    by_name.get(name).map_or(&[], Vec::as_slice)
}

/// Returns the part of a value that is shown. Cut before it is copied: it may be a whole body.
fn shown(text: &str, from: usize) -> String {
    let from = text.floor_char_boundary(from);
    let end = text.floor_char_boundary(from + VALUE_BYTES_MAX + 1);
    let mut shown = cut(text[from..end].to_owned(), VALUE_BYTES_MAX);
    if from > 0 {
        shown.insert(0, '…');
    }
    shown
}

fn by_name(pairs: &[(String, String)]) -> HashMap<&str, Vec<&str>> {
    let mut values: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, value) in pairs {
        values.entry(name).or_default().push(value);
    }
    values
}

/// Returns the differences between two outcomes; none if they are equal.
pub fn between(before: &TransformOutcome, after: &TransformOutcome) -> Option<RequestDiff> {
    let mut changes = RequestDiff::default();
    match (before, after) {
        (TransformOutcome::Request(before), TransformOutcome::Request(after)) => {
            requests(&Plain::of(before), &Plain::of(after), &mut changes);
        }
        (TransformOutcome::Skipped(_), TransformOutcome::Skipped(_)) => {}
        (TransformOutcome::Failed(before), TransformOutcome::Failed(after)) if before.code == after.code => {}
        _ => changes.push(Part::Outcome, None, Some(&summary(before)), Some(&summary(after))),
    }
    (changes.count() > 0).then_some(changes)
}

fn summary(outcome: &TransformOutcome) -> String {
    match outcome {
        TransformOutcome::Request(_) => "a request".to_owned(),
        TransformOutcome::Skipped(reason) => format!("skipped: {reason}"),
        TransformOutcome::Failed(fault) => format!("failed: {}", fault.message),
    }
}

/// A request in the form in which it is compared.
struct Plain<'a> {
    method: &'a str,
    url: &'a str,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl<'a> Plain<'a> {
    fn of(sent: &'a SentRequest) -> Self {
        let own = sent.headers.len().saturating_sub(sent.signature_headers as usize);
        let mut headers = sent.headers[..own].to_vec();
        for sealed in &sent.sealed {
            let name = format!("{{{{secret:{}}}}}", sealed.name);
            headers.iter_mut().for_each(|(_, value)| *value = value.replace(&sealed.placeholder, &name));
        }
        // Order matters only among headers of the same name.
        headers.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self { method: &sent.method, url: &sent.url, headers, body: named(&sent.body, &sent.sealed) }
    }

    fn content_type(&self) -> &str {
        self.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value)
    }
}

fn requests(before: &Plain<'_>, after: &Plain<'_>, changes: &mut RequestDiff) {
    if before.method != after.method {
        changes.push(Part::Method, None, Some(before.method), Some(after.method));
    }
    if before.url != after.url {
        urls(before.url, after.url, changes);
    }
    changes.pairs(Part::Header, &before.headers, &after.headers);
    if before.content_type() == after.content_type() {
        body::compare(before.content_type(), &before.body, &after.body, changes);
    } else {
        body::compare("", &before.body, &after.body, changes);
    }
}

fn urls(before: &str, after: &str, changes: &mut RequestDiff) {
    let parts = |url: &str| {
        let url = Url::parse(url).ok()?;
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        Some((url.as_str().split('?').next().unwrap_or_default().to_owned(), pairs))
    };
    let known = changes.count();
    if let (Some((had, before)), Some((has, after))) = (parts(before), parts(after)) {
        if had != has {
            changes.push(Part::Url, None, Some(&had), Some(&has));
        }
        changes.pairs(Part::Query, &before, &after);
    }
    if changes.count() == known {
        // The same parameters in another order or encoding.
        let query = |url: &'_ str| url.split_once('?').map_or_else(String::new, |(_, query)| query.to_owned());
        changes.push(Part::Query, None, Some(&query(before)), Some(&query(after)));
    }
}
