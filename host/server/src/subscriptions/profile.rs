//! Profiles: the defaults of subscriptions to a CRM's kind of webhooks, and that CRM's catalog of events. Data, no
//! code.
//!
//! Profiles are in `host/server/profiles/`. Their defaults are members of a definition: a caller who names a profile
//! could write them by hand instead, and overrides each by doing so. No stage knows of profiles, so a new profile is a
//! new file and its line in [`FILES`].
//!
//! In a file, event types share the schema and the example of a `shape`; the members of a type's own `example` override
//! those of the shape.

use std::collections::HashMap;
use std::sync::LazyLock;

use hookmill_model::{DeliveryState, EventType};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Error;

/// All profiles, the default first.
const FILES: [&str; 4] = [
    include_str!("../../profiles/standard.json"),
    include_str!("../../profiles/livespace.json"),
    include_str!("../../profiles/breakcold.json"),
    include_str!("../../profiles/leadsquared.json"),
];

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let read =
        |text| serde_json::from_str(text).expect("the files are part of the program, and a test reads all of them");
    FILES.into_iter().map(read).collect()
});

/// The way in which a CRM sends its webhooks.
#[derive(Debug, Deserialize)]
#[serde(try_from = "File")]
pub struct Profile {
    /// Name in a subscription's `profile`: `livespace`.
    pub name: String,
    /// Name for people: `Livespace`.
    pub title: String,
    /// Summary in one sentence.
    pub summary: String,
    /// Generations of the CRM's webhooks, from generation 1.
    pub generations: Vec<Generation>,
    /// Further notes.
    pub notes: Vec<String>,
    delivery_status: HashMap<DeliveryState, String>,
    event_types: Vec<CatalogEntry>,
}

/// A generation of a CRM's webhooks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// Summary for people.
    pub summary: String,
    /// Defaults of a subscription: members of its definition.
    pub defaults: Map<String, Value>,
}

/// An event type that a CRM sends.
#[derive(Clone, Debug)]
pub struct CatalogEntry {
    /// Event type.
    pub name: EventType,
    /// The CRM's name for it, if that is not the event type.
    pub title: Option<String>,
    /// Number of the event in the CRM's own API, if it has one.
    pub code: Option<u32>,
    /// Meaning of the event.
    pub description: String,
    /// JSON Schema (2020-12) of its data.
    pub schema: Value,
    /// Example of its data.
    pub example: Value,
}

impl Profile {
    /// Returns the defaults of a subscription of this generation (from 1); none if there is no such generation.
    pub fn defaults(&self, generation: u32) -> Option<&Map<String, Value>> {
        let index = usize::try_from(generation.checked_sub(1)?).ok()?;
        self.generations.get(index).map(|generation| &generation.defaults)
    }

    /// Returns the CRM's name for a delivery's state, if it has one.
    pub fn delivery_status(&self, state: DeliveryState) -> Option<&str> {
        self.delivery_status.get(&state).map(String::as_str)
    }

    /// Returns the CRM's catalog of events.
    pub fn event_types(&self) -> &[CatalogEntry] {
        &self.event_types
    }
}

/// Returns all profiles, `standard` first.
pub fn all() -> &'static [Profile] {
    &PROFILES
}

/// Returns the profile of this name.
pub fn find(name: &str) -> Option<&'static Profile> {
    all().iter().find(|profile| profile.name == name)
}

/// Returns the defaults of a profile's generation.
///
/// # Errors
/// If there is no such profile or generation.
pub fn defaults(name: &str, generation: u32) -> Result<&'static Map<String, Value>, Error> {
    let profile = find(name).ok_or_else(|| {
        let known: Vec<_> = all().iter().map(|profile| profile.name.as_str()).collect();
        Error::field("/profile", format!("unknown profile: expected one of {}", known.join(", ")))
    })?;
    profile.defaults(generation).ok_or_else(|| {
        let right = format!("unknown generation: the profile `{name}` has 1 to {}", profile.generations.len());
        Error::field("/generation", right)
    })
}

/// A profile as written in its file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    title: String,
    summary: String,
    generations: Vec<Generation>,
    #[serde(default)]
    event_types: Vec<Entry>,
    #[serde(default)]
    shapes: HashMap<String, Shape>,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    delivery_status: HashMap<DeliveryState, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: EventType,
    title: Option<String>,
    code: Option<u32>,
    description: String,
    shape: String,
    #[serde(default)]
    example: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    schema: Value,
    example: Map<String, Value>,
}

impl TryFrom<File> for Profile {
    type Error = String;

    fn try_from(file: File) -> Result<Self, String> {
        let File { name, title, summary, generations, event_types, shapes, notes, delivery_status } = file;
        let event_types = event_types.into_iter().map(|entry| entry.complete(&shapes)).collect::<Result<_, _>>()?;
        Ok(Self { name, title, summary, generations, notes, delivery_status, event_types })
    }
}

impl Entry {
    fn complete(self, shapes: &HashMap<String, Shape>) -> Result<CatalogEntry, String> {
        let Self { name, title, code, description, shape, example: own } = self;
        let shape = shapes.get(&shape).ok_or_else(|| format!("{name}: unknown shape `{shape}`"))?;
        let mut example = shape.example.clone();
        example.extend(own);
        let (schema, example) = (shape.schema.clone(), Value::Object(example));
        Ok(CatalogEntry { name, title, code, description, schema, example })
    }
}
