//! The list of a space's subscriptions: searched and sorted in memory, shown as stored.

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hookmill_model::{EventType, PluginName, SubscriptionState};
use hookmill_store::ListedSubscription;
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::{SubscriptionStateName, SubscriptionView};
use crate::Api;
use crate::http::access::Reads;
use crate::http::extract::Query;
use crate::http::memory::LARGE_BYTES;
use crate::http::page::{self, Limit, Page};
use crate::http::problem::Problem;
use hookmill_server::error::Error;
use hookmill_server::registry::{FoundSubscription, Order, Search, SortBy, SortKey};

/// The longest text to search for: longer than what a person types.
const TEXT_CHARS_MAX: usize = 200;

/// A page of the list.
type SubscriptionPage = Page<SubscriptionView>;

/// The filter, the order and the page of a list of subscriptions.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SubscriptionsQuery {
    /// Only subscriptions whose name or URL contains this text, in upper or lower case, or that have this id: up to 200
    /// characters.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Only subscriptions in this state.
    #[param(value_type = Option<SubscriptionStateName>)]
    state: Option<StateFilter>,
    /// Only subscriptions that select events of this type, whatever their trigger, condition and state.
    #[param(value_type = Option<String>, example = "deal.won")]
    event_type: Option<EventType>,
    /// Only subscriptions that use the plugin with this name.
    #[param(value_type = Option<String>, example = "zapier")]
    plugin: Option<PluginName>,
    /// If `true`, only subscriptions with a trigger.
    #[param(value_type = Option<bool>)]
    triggered: Option<Flag>,
    /// Order of the list; with `-`, descending. `failures` is `failure_streak`. Equal ones are sorted by creation, in the
    /// same direction.
    #[serde(default)]
    #[param(inline)]
    sort: Sort,
    /// Maximum number of entries in the page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// A boolean in a query.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Flag {
    True,
    False,
}

/// A state to filter by: a deleted subscription is not listed.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateFilter {
    Draft,
    Verifying,
    Active,
    Paused,
}

impl From<StateFilter> for SubscriptionState {
    fn from(state: StateFilter) -> Self {
        match state {
            StateFilter::Draft => Self::Draft,
            StateFilter::Verifying => Self::Verifying,
            StateFilter::Active => Self::Active,
            StateFilter::Paused => Self::Paused,
        }
    }
}

/// Order of the list.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
enum Sort {
    /// Oldest first.
    #[default]
    #[serde(rename = "created")]
    Created,
    /// Newest first.
    #[serde(rename = "-created")]
    Newest,
    /// By name, in lower case.
    #[serde(rename = "name")]
    Name,
    /// By name, descending.
    #[serde(rename = "-name")]
    NameDescending,
    /// By `last_triggered_at`, never triggered first.
    #[serde(rename = "last_triggered")]
    LastTriggered,
    /// By `last_triggered_at`, latest first.
    #[serde(rename = "-last_triggered")]
    LatestTriggered,
    /// By failed attempts in a row, most first.
    #[serde(rename = "-failures")]
    MostFailures,
}

impl From<Sort> for Order {
    fn from(sort: Sort) -> Self {
        let (by, descending) = match sort {
            Sort::Created => (SortBy::Created, false),
            Sort::Newest => (SortBy::Created, true),
            Sort::Name => (SortBy::Name, false),
            Sort::NameDescending => (SortBy::Name, true),
            Sort::LastTriggered => (SortBy::LastTriggered, false),
            Sort::LatestTriggered => (SortBy::LastTriggered, true),
            Sort::MostFailures => (SortBy::Failures, true),
        };
        Self { by, descending }
    }
}

/// Returns the cursor of a place: its id, with the value that the list is sorted by if that is another.
fn cursor(place: &FoundSubscription) -> String {
    let value = match &place.key {
        SortKey::Id => return place.id.to_string(),
        SortKey::Number(number) => number.to_string(),
        SortKey::Text(text) => text.clone(),
    };
    BASE64_URL_SAFE_NO_PAD.encode(format!("{} {value}", place.id))
}

fn after(cursor: Option<&str>, by: SortBy) -> Result<Option<FoundSubscription>, Error> {
    if by == SortBy::Created {
        return Ok(page::after(cursor)?.map(|id| FoundSubscription { key: SortKey::Id, id }));
    }
    let Some(cursor) = cursor else { return Ok(None) };
    let place = || {
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (id, value) = text.split_once(' ')?;
        let key = match by {
            SortBy::Name => SortKey::Text(value.to_owned()),
            SortBy::Created | SortBy::LastTriggered | SortBy::Failures => SortKey::Number(value.parse().ok()?),
        };
        Some(FoundSubscription { key, id: id.parse().ok()? })
    };
    place().map(Some).ok_or_else(page::invalid_cursor)
}

/// Lists subscriptions.
///
/// Oldest first, unless `sort` says otherwise. Secrets are shown as `***`.
#[utoipa::path(get, path = "/v1/spaces/{space}/subscriptions", tag = "subscriptions", params(SubscriptionsQuery),
    responses((status = 200, body = SubscriptionPage)))]
pub(super) async fn list_subscriptions(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(query): Query<SubscriptionsQuery>,
) -> Result<Response, Problem> {
    let SubscriptionsQuery { q, state, event_type, plugin, triggered, sort, limit, cursor: from } = query;
    if q.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX) {
        return Err(Error::parameter("q", format!("expected at most {TEXT_CHARS_MAX} characters")).into());
    }
    let order = Order::from(sort);
    let (text, state) = (q.filter(|text| !text.is_empty()), state.map(Into::into));
    let triggered = triggered == Some(Flag::True);
    let search = Search { text, state, event_type, plugin, triggered, order };
    let after = after(from.as_deref(), order.by)?;
    let memory = api.memory.take(&space, LARGE_BYTES).await;
    let mut found = api.host.registry.search(&space, search, after, limit.ask()).await;
    let more = found.len() > limit.get();
    found.truncate(limit.get());
    let ids = found.iter().map(|place| place.id).collect();
    let (listed, looked_at) = api.host.store.listed(&space, ids).await?;
    let view =
        |ListedSubscription { subscription, activity, queue }| SubscriptionView::of(subscription, activity, queue);
    let last = found.get(..looked_at).and_then(<[_]>::last).filter(|_| more || looked_at < found.len());
    Ok(memory.json(&SubscriptionPage::with(listed.into_iter().map(view).collect(), last.map(cursor)))?)
}
