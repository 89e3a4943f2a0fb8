//! Profiles: what they set, and their catalogs, which a space can take over as its own event types.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::http::access::{AnyKey, Manages};
use crate::api::http::extract::{JsonBody, PathParams, Query};
use crate::api::http::page::{Page, PageQuery};
use crate::error::Error;
use crate::subscriptions::profile::{self, CatalogEntry, Profile};
use hookmill_model::{EventType, SpaceId};
use hookmill_store::{EventTypeEntry, Store, StoreError};

/// A space's event types read from the store at a time.
const PAGE: usize = 1_000;

/// A page of the list.
type ProfilePage = Page<ProfileView>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list_profiles))
        .routes(routes!(get_profile))
        .routes(routes!(load_event_types))
}

/// How one CRM sends its webhooks.
#[derive(Serialize, ToSchema)]
#[schema(as = Profile)]
struct ProfileView {
    /// What a subscription's `profile` says.
    name: &'static str,
    /// For people.
    title: &'static str,
    /// What it is, in a sentence.
    summary: &'static str,
    /// How the CRM has been doing it over time; the first is generation 1.
    generations: Vec<GenerationView>,
    /// What else is to be known.
    notes: &'static [String],
    /// The CRM's catalog of events: shown with one profile, left out of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    event_types: Option<Vec<CatalogEntryView>>,
}

/// One way in which a CRM sends its webhooks.
#[derive(Serialize, ToSchema)]
#[schema(as = Generation)]
struct GenerationView {
    /// What a subscription's `generation` says.
    generation: usize,
    /// What it does, in words.
    summary: &'static str,
    /// The members that a subscription has, unless it says otherwise.
    #[schema(value_type = Object)]
    defaults: &'static Map<String, Value>,
}

/// A type of events that a CRM sends.
#[derive(Serialize, ToSchema)]
#[schema(as = CatalogEntry)]
struct CatalogEntryView {
    /// The type.
    #[schema(value_type = String)]
    name: &'static EventType,
    /// What the CRM calls it; null if that is the type.
    #[schema(required)]
    title: Option<&'static str>,
    /// The number that the CRM's own API knows it by; null if it has none.
    #[schema(required)]
    code: Option<u32>,
    /// What it means.
    description: &'static str,
    /// A JSON Schema (2020-12) of its data.
    schema: &'static Value,
    /// An example of its data.
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
/// A profile is how one CRM sends its webhooks: the defaults that a subscription takes from it. Any key is allowed to
/// read them.
#[utoipa::path(get, path = "/v1/profiles", tag = "profiles", params(PageQuery),
    responses((status = 200, body = ProfilePage)))]
async fn list_profiles(_: AnyKey, Query(query): Query<PageQuery>) -> Result<Json<ProfilePage>, Error> {
    let all = profile::all().iter().collect();
    Page::of(all, &query, |profile| profile.name.clone(), ProfileView::of).map(Json)
}

/// Returns a profile with its catalog of events.
///
/// Any key is allowed to read it.
#[utoipa::path(get, path = "/v1/profiles/{profile}", tag = "profiles", responses((status = 200, body = ProfileView)))]
async fn get_profile(_: AnyKey, params: PathParams) -> Result<Json<ProfileView>, Error> {
    let name = params.text("profile").unwrap_or_default();
    let profile = profile::find(name).ok_or_else(|| Error::not_found("profile", name))?;
    Ok(Json(ProfileView::with_catalog(profile)))
}

/// Whose catalog to load.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoadInput {
    /// The profile's name.
    profile: String,
}

/// What was loaded.
#[derive(Serialize, ToSchema)]
#[schema(as = LoadResult)]
struct LoadView {
    /// How many event types of the catalog the space has now: all of them.
    loaded: usize,
}

/// Loads a profile's whole catalog into the space.
///
/// An event type of the same name is replaced; one that already equals the catalog's entry is left untouched.
#[utoipa::path(post, path = "/v1/spaces/{space}/load-event-types", tag = "event types", request_body = LoadInput,
    responses((status = 200, body = LoadView)))]
async fn load_event_types(
    Manages(space): Manages,
    State(api): State<Api>,
    JsonBody(LoadInput { profile }): JsonBody<LoadInput>,
) -> Result<Json<LoadView>, Error> {
    let profile = profile::find(&profile).ok_or_else(|| {
        let names: Vec<_> = profile::all().iter().map(|profile| profile.name.as_str()).collect();
        Error::field("/profile", format!("a profile is one of {}", names.join(", ")))
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

/// All event types of a space.
async fn event_types(store: &dyn Store, space: &SpaceId) -> Result<Vec<EventTypeEntry>, StoreError> {
    let mut all: Vec<EventTypeEntry> = Vec::new();
    loop {
        let after = all.last().map(|entry| entry.name.clone());
        let page = store.event_types(space, after, PAGE).await?;
        let last = page.len() < PAGE;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}
