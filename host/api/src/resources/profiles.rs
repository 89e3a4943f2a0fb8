//! Profiles: their defaults, and their catalogs of event types, which can be loaded into a space.

use axum::Json;
use axum::extract::State;
use hookmill_model::{EventType, SpaceId};
use hookmill_store::{EventTypeEntry, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::{AnyKey, Manages};
use crate::http::extract::{JsonBody, PathParams, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use hookmill_server::error::Error;
use hookmill_server::subscriptions::profile::{self, CatalogEntry, Profile};

/// Number of a space's event types per query.
const PAGE: usize = 1_000;

/// A page of profiles.
type ProfilePage = Page<ProfileView>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list_profiles))
        .routes(routes!(get_profile))
        .routes(routes!(load_event_types))
}

/// A profile: the conventions of one CRM's webhooks.
#[derive(Serialize, ToSchema)]
#[schema(as = Profile)]
struct ProfileView {
    /// Name of the profile, the value of a subscription's `profile`.
    name: &'static str,
    /// Display name.
    title: &'static str,
    /// One-sentence summary.
    summary: &'static str,
    /// Versions of the CRM's conventions over time, starting with generation 1.
    generations: Vec<GenerationView>,
    /// Further notes.
    notes: &'static [String],
    /// The CRM's catalog of event types. Absent in the list of profiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    event_types: Option<Vec<CatalogEntryView>>,
}

/// A version of a CRM's webhook conventions.
#[derive(Serialize, ToSchema)]
#[schema(as = Generation)]
struct GenerationView {
    /// Number of the generation, the value of a subscription's `generation`.
    generation: usize,
    /// Summary of the conventions.
    summary: &'static str,
    /// Default members of a subscription.
    #[schema(value_type = Object)]
    defaults: &'static Map<String, Value>,
}

/// An event type of a CRM's catalog.
#[derive(Serialize, ToSchema)]
#[schema(as = CatalogEntry)]
struct CatalogEntryView {
    /// Event type.
    #[schema(value_type = String)]
    name: &'static EventType,
    /// The CRM's display name for the event type; null if it is the same as `name`.
    #[schema(required)]
    title: Option<&'static str>,
    /// Number of the event type in the CRM's own API; null if it has none.
    #[schema(required)]
    code: Option<u32>,
    /// Meaning of the event type.
    description: &'static str,
    /// JSON Schema (2020-12) of the events' data.
    schema: &'static Value,
    /// Example of the data.
    example: &'static Value,
}

impl ProfileView {
    fn of(profile: &'static Profile) -> Self {
        let generations = profile.generations.iter().enumerate().map(|(index, generation)| GenerationView {
            generation: index + 1,
            summary: &generation.summary,
            defaults: &generation.defaults,
        });
        let Profile { name, title, summary, notes, .. } = profile;
        Self { name, title, summary, generations: generations.collect(), notes, event_types: None }
    }

    fn with_catalog(profile: &'static Profile) -> Self {
        let event_types = profile.event_types().iter().map(|entry| {
            let CatalogEntry { name, title, code, description, schema, example } = entry;
            CatalogEntryView { name, title: title.as_deref(), code: *code, description, schema, example }
        });
        Self { event_types: Some(event_types.collect()), ..Self::of(profile) }
    }
}

/// Lists the profiles, without their catalogs.
///
/// A profile describes the webhooks of one CRM and provides defaults for subscriptions. Any key is allowed to read
/// profiles.
#[utoipa::path(get, path = "/v1/profiles", tag = "profiles", params(PageQuery),
    responses((status = 200, body = ProfilePage)))]
async fn list_profiles(_: AnyKey, Query(query): Query<PageQuery>) -> Result<Json<ProfilePage>, Problem> {
    let all = profile::all().iter().collect();
    Ok(Json(Page::of(all, &query, |profile| profile.name.clone(), ProfileView::of)?))
}

/// Returns a profile with its catalog of event types.
///
/// Any key is allowed to read profiles.
#[utoipa::path(get, path = "/v1/profiles/{profile}", tag = "profiles", responses((status = 200, body = ProfileView)))]
async fn get_profile(_: AnyKey, params: PathParams) -> Result<Json<ProfileView>, Problem> {
    let name = params.text("profile").unwrap_or_default();
    let profile = profile::find(name).ok_or_else(|| Error::not_found("profile", name))?;
    Ok(Json(ProfileView::with_catalog(profile)))
}

/// The catalog to load.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoadInput {
    /// Name of the profile.
    profile: String,
}

/// Result of loading a catalog.
#[derive(Serialize, ToSchema)]
#[schema(as = LoadResult)]
struct LoadView {
    /// Number of event types in the catalog, all of which the space now has.
    loaded: usize,
}

/// Loads a profile's whole catalog into the space.
///
/// An event type with the same name is replaced, unless it already equals the catalog's entry.
#[utoipa::path(post, path = "/v1/spaces/{space}/load-event-types", tag = "event types", request_body = LoadInput,
    responses((status = 200, body = LoadView)))]
async fn load_event_types(
    Manages(space): Manages,
    State(api): State<Api>,
    JsonBody(LoadInput { profile }): JsonBody<LoadInput>,
) -> Result<Json<LoadView>, Problem> {
    let profile = profile::find(&profile).ok_or_else(|| {
        let names: Vec<_> = profile::all().iter().map(|profile| profile.name.as_str()).collect();
        Error::field("/profile", format!("unknown profile: expected one of {}", names.join(", ")))
    })?;
    let have = event_types(&*api.host.store, &space).await?;
    for entry in profile.event_types() {
        if !have.iter().any(|have| is_as_in_catalog(have, entry)) {
            let CatalogEntry { name, description, schema, example, .. } = entry.clone();
            let (schema, example) = (Some(schema), Some(example));
            let entry = EventTypeEntry { name, description, schema, example, created_at: api.host.clock.now() };
            api.host.store.put_event_type(&space, entry).await?;
        }
    }
    Ok(Json(LoadView { loaded: profile.event_types().len() }))
}

fn is_as_in_catalog(have: &EventTypeEntry, entry: &CatalogEntry) -> bool {
    have.name == entry.name
        && have.description == entry.description
        && have.schema.as_ref() == Some(&entry.schema)
        && have.example.as_ref() == Some(&entry.example)
}

/// Returns all event types of a space.
async fn event_types(store: &dyn Store, space: &SpaceId) -> Result<Vec<EventTypeEntry>, StoreError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = store.event_types(space, after, PAGE).await?;
        all.extend(page.entries);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}
