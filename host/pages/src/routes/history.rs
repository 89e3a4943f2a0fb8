//! The history of a space: its deliveries, found by whatever is known about them.

use std::collections::BTreeMap;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::Pages;
use crate::address::{self, parameter, parameters, query, segment};
use crate::page::{List, Page, PageError, html};

pub(super) fn paths() -> Router<Pages> {
    Router::new().route("/s/{space}/history", get(history))
}

/// The filters: the parameters of this page and of the API's list.
const FILTERS: [&str; 12] = [
    "state",
    "subscription",
    "event",
    "event_type",
    "since",
    "until",
    "status",
    "fault",
    "reason",
    "path",
    "value",
    "limit",
];

/// Faults as people say them, with their codes.
const FAULTS: [(&str, &str); 16] = [
    ("timeout", "No response in time"),
    ("connect", "No connection"),
    ("dns", "Unknown host name"),
    ("tls", "TLS failed"),
    ("address_refused", "Address not allowed"),
    ("protocol", "No HTTP response"),
    ("answer_broken", "Response broke off"),
    ("failed", "Plugin: returned an error"),
    ("out_of_fuel", "Plugin: out of fuel"),
    ("timed_out", "Plugin: timed out"),
    ("out_of_memory", "Plugin: out of memory"),
    ("stack_overflow", "Plugin: stack overflow"),
    ("trapped", "Plugin: trapped"),
    ("output_too_large", "Plugin: output too large"),
    ("invalid_output", "Plugin: invalid output"),
    ("forbidden_header", "Plugin: forbidden header"),
];

/// A delivery, without its attempts.
#[derive(Deserialize)]
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) subscription_id: String,
    pub(super) event_id: String,
    pub(super) event_type: String,
    pub(super) event_count: u32,
    pub(super) test: bool,
    pub(super) state: String,
    pub(super) profile_status: Option<String>,
    pub(super) attempt_count: u32,
    pub(super) due_at: Timestamp,
    pub(super) accepted_at: Timestamp,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) reason: Option<String>,
}

impl Delivery {
    /// Returns the state as the pages tell it: one that failed before and will be tried again is `retrying`.
    pub(super) fn shape(&self) -> &str {
        if self.state == "pending" && self.attempt_count > 0 { "retrying" } else { &self.state }
    }

    /// Returns the state in the words of the profile, if it has any, such as `In Queue`.
    pub(super) fn words(&self) -> String {
        match (&self.profile_status, self.shape()) {
            (Some(words), shape @ ("retrying" | "held")) => format!("{words}, {shape}"),
            (Some(words), _) => words.clone(),
            (None, shape) => shape.to_owned(),
        }
    }

    /// Returns the end of the id, by which a person tells it from others, and what is before it.
    pub(super) fn parts(&self) -> (&str, &str) {
        self.id.split_at_checked(self.id.len().saturating_sub(8)).unwrap_or(("", &self.id))
    }

    /// Returns whether nothing more happens to it by itself.
    pub(super) fn is_final(&self) -> bool {
        self.completed_at.is_some()
    }
}

/// A subscription, as far as other pages name it.
#[derive(Clone, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
}

/// Returns the names of the subscriptions with these ids. A subscription that was deleted has none.
pub(super) async fn names(page: &mut Page, ids: impl Iterator<Item = &str>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for id in ids {
        if !names.contains_key(id)
            && let Ok(Named { id, name }) = page.aside(&format!("subscriptions/{id}")).await
        {
            names.insert(id, name);
        }
    }
    names
}

/// Returns a time of a form, which has no zone and is UTC, as the API expects it; any other text as it is.
pub(super) fn utc(text: &str) -> String {
    let of_form = [":00Z", "Z"].iter().map(|end| format!("{text}{end}"));
    let valid = |text: &String| text.parse::<Timestamp>().is_ok();
    of_form.filter(|_| !text.ends_with(['Z', 'z'])).find(valid).unwrap_or_else(|| text.to_owned())
}

/// Returns a time as a field of a form has it: UTC, without a zone, to the second.
pub(super) fn of_field(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The filters of a page's address that are not empty.
struct Filters(Vec<(String, String)>);

impl Filters {
    fn new(address: &str) -> Self {
        Self(
            parameters(address)
                .filter(|(name, value)| FILTERS.contains(&name.as_str()) && !value.trim().is_empty())
                .collect(),
        )
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == value
    }

    /// Returns whether one of those is set that the page does not always show.
    fn has_more(&self) -> bool {
        ["event", "status", "fault", "path", "value", "limit"].iter().any(|name| !self.get(name).is_empty())
    }

    /// Returns the value of a field for a time.
    fn field(&self, name: &str) -> String {
        utc(self.get(name)).parse().map_or_else(|_| self.get(name).to_owned(), of_field)
    }

    /// Returns the query with another value of one filter.
    fn with(&self, name: &str, value: &str) -> String {
        let others = self.0.iter().filter(|(other, _)| other != name);
        query(others.map(|(name, value)| (name.as_str(), value.as_str())).chain([(name, value)]))
    }

    /// Returns the query of the API's list, to which it adds the subscription and the page.
    fn of_api(&self, subscription: Option<&Named>) -> String {
        let of_api = |(name, value): &(String, String)| match (name.as_str(), subscription) {
            ("subscription", Some(found)) => (name.clone(), found.id.clone()),
            ("since" | "until", _) => (name.clone(), utc(value)),
            _ => (name.clone(), value.trim().to_owned()),
        };
        let given: Vec<_> = self.0.iter().filter(|(name, _)| name != "limit").map(of_api).collect();
        query(given.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

#[derive(askama::Template)]
#[template(path = "history.html")]
struct View {
    page: Page,
    filters: Filters,
    list: List<Delivery>,
    names: BTreeMap<String, String>,
    /// Why the filters find nothing.
    problem: Option<String>,
    /// The subscription of the filter, or those that its text may mean.
    subscription: Option<Named>,
    choices: Vec<Named>,
    event_types: Vec<String>,
    indexed: Vec<String>,
    /// The API's list of the same deliveries, for a script that walks all of it.
    query: String,
}

impl View {
    /// Returns the states that the tabs offer, with their names.
    fn tabs(&self) -> [(&'static str, &'static str); 7] {
        [
            ("", "All"),
            ("pending", "In queue"),
            ("failed", "Failed"),
            ("delivered", "Delivered"),
            ("held", "Held"),
            ("skipped", "Skipped"),
            ("cancelled", "Cancelled"),
        ]
    }

    /// Returns spans of time until now, with their begins.
    fn spans(&self) -> [(&'static str, String); 3] {
        let since = |hours| of_field(self.page.now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or_default());
        [("Last hour", since(1)), ("Last day", since(24)), ("Last week", since(168))]
    }

    fn faults(&self) -> &'static [(&'static str, &'static str)] {
        &FAULTS
    }

    fn name<'a>(&'a self, delivery: &'a Delivery) -> Option<&'a String> {
        self.names.get(&delivery.subscription_id)
    }

    /// Returns since when failed deliveries are offered to be sent again.
    fn failed_since(&self) -> String {
        match self.filters.field("since") {
            since if since.is_empty() => self.spans()[1].1.clone(),
            since => since,
        }
    }
}

#[derive(Deserialize)]
struct Space {
    #[serde(default)]
    indexed_paths: Vec<String>,
}

#[derive(Deserialize)]
struct EventType {
    name: String,
}

/// Returns the paths of events' data that the space indexes.
pub(super) async fn indexed_paths(page: &mut Page) -> Result<Vec<String>, PageError> {
    let path = format!("/v1/spaces/{}", page.space);
    Ok(page.get::<Space>(&path).await?.indexed_paths)
}

async fn history(mut page: Page) -> Result<Html<String>, PageError> {
    let indexed = indexed_paths(&mut page).await?;
    let filters = Filters::new(&page.address);
    let choices = subscriptions(&mut page, filters.get("subscription")).await?;
    let subscription = if let [only] = &choices[..] { Some(only.clone()) } else { None };
    let query = filters.of_api(subscription.as_ref());
    let wanted = filters.get("subscription");
    let (list, problem) = if wanted.is_empty() || subscription.is_some() {
        listed(&mut page, &filters, &query).await?
    } else if choices.is_empty() {
        (List::default(), Some(format!("There is no subscription “{wanted}” in this space.")))
    } else {
        (List::default(), None)
    };
    let names = names(&mut page, list.data.iter().map(|delivery| delivery.subscription_id.as_str())).await;
    let types: List<EventType> = page.aside("event-types?limit=200").await?;
    let event_types = types.data.into_iter().map(|kind| kind.name).collect();
    html(&View { page, filters, list, names, problem, subscription, choices, event_types, indexed, query })
}

/// Returns the list, or what is wrong with the filters.
async fn listed(
    page: &mut Page,
    filters: &Filters,
    query: &str,
) -> Result<(List<Delivery>, Option<String>), PageError> {
    let limit = if filters.is("limit", "200") { "200" } else { "50" };
    let paged = address::query([("limit", limit), ("cursor", &parameter(&page.address, "cursor"))]);
    let query = if query.is_empty() { paged } else { format!("{query}&{paged}") };
    page.search(&format!("deliveries?{query}")).await
}

/// Returns the subscription of an id, which may be deleted, or those that have a text in their names.
async fn subscriptions(page: &mut Page, text: &str) -> Result<Vec<Named>, PageError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.starts_with("sub_") {
        let found: Result<Named, _> = page.aside(&format!("subscriptions/{}", segment(text))).await;
        return Ok(vec![found.unwrap_or_else(|_| Named { id: text.to_owned(), name: text.to_owned() })]);
    }
    let path = format!("subscriptions?{}", query([("q", text), ("limit", "20")]));
    Ok(page.aside::<List<Named>>(&path).await?.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_a_form_is_utc() {
        assert_eq!(utc("2026-11-30T12:00"), "2026-11-30T12:00:00Z");
        assert_eq!(utc("2026-11-30T12:00:01"), "2026-11-30T12:00:01Z");
        assert_eq!(utc("2026-11-30T12:00:01+01:00"), "2026-11-30T12:00:01+01:00");
        assert_eq!(utc("yesterday"), "yesterday");
    }

    #[test]
    fn filters_that_are_empty_or_unknown_are_left_out() {
        let filters = Filters::new("/s/acme/history?state=failed&reason=&cursor=x&since=2026-11-30T12:00&other=1");
        assert_eq!(filters.of_api(None), "state=failed&since=2026-11-30T12%3A00%3A00Z");
        assert_eq!(filters.with("state", ""), "since=2026-11-30T12%3A00");
    }
}
