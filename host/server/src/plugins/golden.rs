//! Golden pairs: a file with a delivery, and a file with the request that a plugin must make from it.
//!
//! `<case>.delivery.json` and `<case>.request.json` are in a plugin's `golden/`. A pair runs through the real engine under
//! the real limits, so what passes here passes in production. `{{secret:NAME}}` in a request stands for that secret's
//! placeholder, which differs in every run.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::Url;

use crate::stages::seal;
use hookmill_engine::{Engine, PluginCall, PluginDecision, PluginRun, Prepared};
use hookmill_model::{
    Body, ContentType, DeliveryId, Event, EventId, EventType, Method, Pattern, SpaceId, Subscription,
};

/// The contents of a delivery's file; everything else of a delivery is the same in all cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The number of the attempt, 1 for the first.
    pub attempt: u32,
    /// What the plugin sees of the subscription.
    pub subscription: GoldenSubscription,
    /// The plugin's configuration.
    pub config: Box<RawValue>,
    /// The names of the secrets that the subscription has.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// The events, oldest first.
    pub events: Vec<GoldenEvent>,
}

/// The subscription in a delivery's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenSubscription {
    /// Its name.
    pub name: String,
    /// The content type that it asks for.
    pub content_type: ContentType,
}

/// An event in a delivery's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenEvent {
    /// Its id.
    pub id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When it happened.
    pub occurred_at: jiff::Timestamp,
    /// What happened.
    pub data: Box<RawValue>,
}

/// A pair's path without `.delivery.json`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case(PathBuf);

impl Case {
    /// Returns all pairs of a folder, sorted by name; none if there is no folder.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn all(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let entries = match std::fs::read_dir(folder) {
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("reading {}", folder.display()))?,
        };
        let mut cases = Vec::new();
        for entry in entries {
            let name = entry.with_context(|| format!("reading {}", folder.display()))?.file_name();
            let case = name.to_str().and_then(|name| name.strip_suffix(".delivery.json"));
            cases.extend(case.map(|case| Self(folder.join(case))));
        }
        cases.sort();
        Ok(cases)
    }

    /// Returns the pair that a delivery's file belongs to.
    ///
    /// # Errors
    /// If the file's name does not end in `.delivery.json`.
    pub fn of(delivery_file: &Path) -> anyhow::Result<Self> {
        let name = delivery_file.to_str().and_then(|name| name.strip_suffix(".delivery.json"));
        let name = name.with_context(|| format!("{} is not a CASE.delivery.json", delivery_file.display()))?;
        Ok(Self(name.into()))
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.0.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The delivery's file.
    pub fn delivery_file(&self) -> PathBuf {
        self.with(".delivery.json")
    }

    /// The request's file.
    pub fn request_file(&self) -> PathBuf {
        self.with(".request.json")
    }

    fn with(&self, ending: &str) -> PathBuf {
        let mut path = self.0.clone().into_os_string();
        path.push(ending);
        path.into()
    }

    /// Reads the delivery.
    ///
    /// # Errors
    /// If the file cannot be read or is not a delivery; the error states where.
    pub fn delivery(&self) -> anyhow::Result<Delivery> {
        read(&self.delivery_file())
    }

    /// Reads the request; none if there is no file yet.
    ///
    /// # Errors
    /// If the file cannot be read or is not JSON.
    pub fn request(&self) -> anyhow::Result<Option<Value>> {
        let file = self.request_file();
        if file.exists() { read(&file).map(Some) } else { Ok(None) }
    }

    /// Writes the request.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_request(&self, made: &Value) -> anyhow::Result<()> {
        let file = self.request_file();
        std::fs::write(&file, pretty(made)).with_context(|| format!("writing {}", file.display()))
    }
}

/// A request as its file contains it.
pub fn pretty(request: &Value) -> String {
    format!("{request:#}\n")
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("in {}", file.display()))
}

/// The id of every golden delivery.
const DELIVERY_ID: &str = "dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E";

/// The id of every golden subscription.
const SUBSCRIPTION_ID: &str = "sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E";

/// Runs a plugin on a golden delivery.
///
/// # Errors
/// If the engine fails. A fault of the plugin is in the result.
pub async fn transform(engine: &Engine, plugin: &Prepared, delivery: &Delivery) -> anyhow::Result<PluginRun> {
    let subscription = subscription(&delivery.subscription)?;
    let events: Vec<_> = delivery.events.iter().map(event).collect::<anyhow::Result<_>>()?;
    let events: Vec<_> = events.iter().map(|event| (event, event.data.get())).collect();
    let secrets: Vec<_> = delivery.secrets.iter().map(String::as_str).collect();
    let input = PluginCall {
        delivery_id: DELIVERY_ID.parse::<DeliveryId>()?,
        attempt: delivery.attempt,
        subscription: &subscription,
        events: &events,
        config: delivery.config.get(),
        secrets: &secrets,
    };
    Ok(engine.transform(plugin, input).await?)
}

fn event(given: &GoldenEvent) -> anyhow::Result<Event> {
    Ok(Event {
        space: SpaceId::parse("acme")?,
        id: given.id.clone(),
        kind: given.kind.clone(),
        occurred_at: given.occurred_at,
        accepted_at: given.occurred_at,
        data: given.data.clone().into(),
        changed_fields: None,
        previous: None,
    })
}

fn subscription(given: &GoldenSubscription) -> anyhow::Result<Subscription> {
    let url = Url::parse("https://receiver.example/")?;
    let mut subscription =
        Subscription::new(SpaceId::parse("acme")?, &given.name, url, vec![Pattern::All], jiff::Timestamp::UNIX_EPOCH);
    subscription.id = SUBSCRIPTION_ID.parse()?;
    subscription.content_type = given.content_type;
    Ok(subscription)
}

/// What a transform made, as a request's file has it.
pub fn as_file(transformed: &PluginRun) -> Value {
    let named = seal::named(&result_as_file(transformed).to_string().into(), &transformed.sealed);
    // Where a placeholder is in a place that makes the text invalid JSON, the text is shown as it is.
    serde_json::from_slice(&named).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&named).into_owned()))
}

fn result_as_file(transformed: &PluginRun) -> Value {
    match &transformed.result {
        Ok(PluginDecision::Deliver(draft)) => {
            let method = draft.method.map(Method::as_str);
            let (query, headers, body) = (&draft.query, &draft.headers, body_as_file(&draft.body));
            json!({"deliver": {"method": method, "query": query, "headers": headers, "body": body}})
        }
        Ok(PluginDecision::Skip(reason)) => json!({"skip": reason}),
        Err(fault) => json!({"failed": {"reason": fault.message, "retry": fault.retry}}),
    }
}

fn body_as_file(body: &Body) -> Value {
    match body {
        Body::Json(text) => json!({"json": text}),
        Body::Form(fields) => json!({"form": fields}),
        Body::Text(text) => json!({"text": text}),
        Body::Binary { content_type, bytes } => match str::from_utf8(bytes) {
            Ok(text) => json!({"binary": {"content_type": content_type, "text": text}}),
            Err(_) => json!({"binary": {"content_type": content_type, "hex": hex::encode(bytes)}}),
        },
    }
}
