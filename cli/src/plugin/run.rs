//! `hookmill plugin run`: prints the request that a component makes of one event, as it would be sent.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use hookmill_engine::Limits;
use hookmill_model::{
    ContentType, Delivery, DeliveryId, Event, EventId, EventType, Pattern, SentRequest, SpaceId, Subscription,
};
use hookmill_server::dispatch::test_delivery;
use hookmill_server::dispatch::transform::{self, Plugin, TransformDecision, TransformInput, TransformReport};
use hookmill_server::stages::select::Selector;
use hookmill_server::stages::{request, sign};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::Url;

use super::engine;
use super::style::{self, DIM};

/// The arguments of `plugin run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component
    file: PathBuf,

    /// The event, as it is posted: {"type": …, "data": …}; "id" and "occurred_at" are optional
    #[arg(long, value_name = "FILE.json")]
    event: PathBuf,

    /// The plugin's configuration; {} by default
    #[arg(long, value_name = "FILE.json")]
    config: Option<PathBuf>,

    /// The URL that the request would be sent to
    #[arg(long, default_value = "https://receiver.example/hook")]
    url: Url,

    /// The subscription's content type: application/json, application/x-www-form-urlencoded or text/plain
    #[arg(long, default_value = "application/json", value_parser = content_type)]
    content_type: ContentType,
}

fn content_type(text: &str) -> Result<ContentType, String> {
    let all = [ContentType::Json, ContentType::Form, ContentType::Text];
    let names = || all.map(ContentType::as_str).join(", ");
    all.into_iter().find(|known| known.as_str() == text).ok_or_else(|| format!("expected one of {}", names()))
}

/// The file of an event.
#[derive(Deserialize)]
struct EventFile {
    id: Option<EventId>,
    #[serde(rename = "type")]
    kind: EventType,
    occurred_at: Option<Timestamp>,
    data: Box<RawValue>,
}

/// Runs it.
pub(super) async fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let config: Box<RawValue> = match &args.config {
        Some(file) => read(file)?,
        None => RawValue::from_string("{}".to_owned())?,
    };
    let (subscription, delivery) = stand_in(args, read(&args.event)?)?;
    let engine = engine::engine()?;
    let (inspected, prepared) = engine::prepare(&engine, &args.file).await?;
    let config = engine::configured(&inspected, &config).await;
    let config = config.map_err(|why| anyhow!("the configuration does not match the plugin's schema: {why}"))?;
    let selector = Selector::compile(&subscription.fields)?;
    let plugin = Plugin { prepared: &prepared, config: config.get() };
    let input = TransformInput { delivery: &delivery, attempt: 1, subscription: &subscription, selector: &selector };
    let transformed = transform::transform(&engine, &Limits::default(), Some(plugin), input).await?;
    let request = match &transformed.result {
        Ok(TransformDecision::Deliver(made)) => Some(signed(made, &subscription, &delivery)),
        Ok(TransformDecision::Skip(_)) | Err(_) => None,
    };
    if json {
        anstream::println!("{}", as_json(&transformed, request.as_ref()));
    } else {
        show(&transformed, request.as_ref());
    }
    match transformed.result {
        Err(fault) => bail!("the plugin failed: {}", fault.message),
        Ok(_) => Ok(()),
    }
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("parsing {}", file.display()))
}

/// A subscription and a delivery in place of a host's.
#[expect(clippy::disallowed_methods, reason = "no host runs here, so there is no `Clock`")]
fn stand_in(args: &Args, posted: EventFile) -> anyhow::Result<(Subscription, Delivery)> {
    let now = hookmill_server::clock::whole_microseconds(Timestamp::now());
    let space = SpaceId::parse("local")?;
    let mut subscription = Subscription::new(space.clone(), "plugin run", args.url.clone(), vec![Pattern::All], now);
    subscription.content_type = args.content_type;
    let event = Event {
        space,
        id: posted.id.map_or_else(|| EventId::parse("evt_1"), Ok)?,
        kind: posted.kind,
        occurred_at: posted.occurred_at.unwrap_or(now),
        accepted_at: now,
        data: posted.data.into(),
        changed_fields: None,
        previous: None,
    };
    let delivery = test_delivery(&subscription, DeliveryId::new(now), event);
    Ok((subscription, delivery))
}

/// The request as it would be sent, signed with a secret generated for this run.
fn signed(made: &hookmill_model::Request, subscription: &Subscription, delivery: &Delivery) -> SentRequest {
    let timestamp_s = delivery.due_at.as_second();
    let signed = sign::SignedContent { id: delivery.id, timestamp_s, url: made.url.as_str(), body: &made.body };
    let signature = sign::sign(&subscription.signing, &subscription.secrets, &signed);
    request::as_sent(made, &signature, &subscription.headers)
}

fn as_json(transformed: &TransformReport, request: Option<&SentRequest>) -> Value {
    let TransformReport { result, logs, figures, plugin_fault: _ } = transformed;
    let (skipped, fault) = match result {
        Ok(TransformDecision::Skip(reason)) => (Some(reason), None),
        Ok(TransformDecision::Deliver(_)) => (None, None),
        Err(fault) => (None, Some(fault)),
    };
    let request = request.map(|SentRequest { method, url, headers, body, .. }| {
        json!({"method": method, "url": url, "headers": headers, "body": String::from_utf8_lossy(body)})
    });
    json!({"request": request, "skipped": skipped, "plugin_fault": fault, "logs": logs,
        "figures": figures})
}

/// Prints the request to standard output as HTTP text, everything else to standard error.
fn show(transformed: &TransformReport, request: Option<&SentRequest>) {
    for line in &transformed.logs {
        anstream::eprintln!("{DIM}{:?}{DIM:#} {}", line.level, line.message);
    }
    if let Some(SentRequest { method, url, headers, body, .. }) = request {
        anstream::println!("{method} {url}");
        for (name, value) in headers {
            anstream::println!("{name}: {value}");
        }
        anstream::println!("\n{}", String::from_utf8_lossy(body));
    }
    if let Ok(TransformDecision::Skip(reason)) = &transformed.result {
        anstream::println!("nothing would be sent: {reason}");
    }
    anstream::eprintln!("{DIM}{}{DIM:#}", style::figures(&transformed.figures));
}
