//! Transform: a delivery's event becomes a request.
//!
//! In order: field selection ([`select`](crate::stages::select)) removes what the subscription hides from its plugin, then
//! the plugin runs ([`Engine`]) or, without one, the default shape is used ([`shape`]), and the result is combined with
//! the subscription's settings into the [`Request`] ([`request`]). Last, secrets replace their placeholders
//! ([`seal`](crate::stages::seal)): that request is signed and sent; the one with placeholders is kept.
//!
//! Nothing is carried from one attempt to the next: each transforms the same event with the same code again.

use std::borrow::Cow;
use std::time::Instant;

use hookmill_model::{Delivery, Event, Figures, LogLine, PluginFault, Request, Subscription};

use hookmill_engine::{self as engine, Engine, EngineError, Limits, Prepared};
use serde_json::value::RawValue;

use crate::stages::request::{self, AttemptInfo};
use crate::stages::select::Selector;
use crate::stages::shape::{self, Envelope};
use crate::task::long_in_turn;

/// A plugin that is ready to run, with the subscription's configuration for it as JSON text.
#[derive(Clone, Copy)]
pub struct Plugin<'a> {
    /// The code.
    pub prepared: &'a Prepared,
    /// The configuration.
    pub config: &'a str,
}

/// The input of a transform.
#[derive(Clone, Copy, Debug)]
pub struct TransformInput<'a> {
    /// The delivery with its events.
    pub delivery: &'a Delivery,
    /// The attempt's number; 1 for the first.
    pub attempt: u32,
    /// The delivery's subscription.
    pub subscription: &'a Subscription,
    /// The subscription's field selection.
    pub selector: &'a Selector,
}

/// The result of a transform.
#[derive(Clone, Debug)]
pub struct TransformReport {
    /// The decision, or the plugin's fault.
    pub result: Result<TransformDecision, PluginFault>,
    /// The plugin's fault, if the default shape replaced its output.
    pub plugin_fault: Option<PluginFault>,
    /// The plugin's log, whatever the result.
    pub logs: Vec<LogLine>,
    /// The resources used; the time includes the plugin's part and the host's.
    pub figures: Figures,
}

/// The decision of a transform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransformDecision {
    /// Send this request.
    Deliver(Box<Request>),
    /// Send nothing, for this reason.
    Skip(String),
}

/// Produces the request of one attempt, with the subscription's plugin or, without one, in the default shape.
///
/// # Errors
/// If the engine itself fails. The plugin's faults are in the result.
pub async fn transform(
    engine: &Engine,
    limits: &Limits,
    plugin: Option<Plugin<'_>>,
    input: TransformInput<'_>,
) -> Result<TransformReport, EngineError> {
    let start = Instant::now();
    let selected = select(input).await;
    let mut sealed = Vec::new();
    let (drafted, logs, mut figures) = match (selected, plugin) {
        (Err(fault), _) => (Err(fault), Vec::new(), Figures::default()),
        (Ok(events), None) => (shape_of(&events, limits, input.subscription), Vec::new(), Figures::default()),
        (Ok(events), Some(plugin)) => {
            let run = run(engine, plugin, input, &events).await?;
            sealed = run.sealed;
            (run.result, run.logs, run.figures)
        }
    };
    let result = drafted.and_then(|drafted| match drafted {
        engine::PluginDecision::Deliver(draft) => {
            let about = AttemptInfo { delivery: input.delivery, attempt: input.attempt };
            request::assemble(input.subscription, draft, sealed, &about, limits)
                .map(|request| TransformDecision::Deliver(Box::new(request)))
        }
        engine::PluginDecision::Skip(reason) => Ok(TransformDecision::Skip(reason)),
    });
    figures.transform_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    Ok(TransformReport { result, plugin_fault: None, logs, figures })
}

/// Like [`transform`], but with the default shape if the plugin fails.
///
/// # Errors
/// As [`transform`].
pub async fn transform_or_default(
    engine: &Engine,
    limits: &Limits,
    plugin: Plugin<'_>,
    input: TransformInput<'_>,
) -> Result<TransformReport, EngineError> {
    let tried = transform(engine, limits, Some(plugin), input).await?;
    let fault = match tried.result {
        Ok(_) => return Ok(tried),
        Err(fault) => fault,
    };
    let mut instead = transform(engine, limits, None, input).await?;
    let transform_us = tried.figures.transform_us.saturating_add(instead.figures.transform_us);
    instead.figures = Figures { transform_us, ..tried.figures };
    Ok(TransformReport { plugin_fault: Some(fault), logs: tried.logs, ..instead })
}

/// Selects what the subscription's plugin sees of each event; aside if that takes long, in turn with other
/// spaces.
async fn select(input: TransformInput<'_>) -> Result<Vec<Selected<'_>>, PluginFault> {
    let mut selected = Vec::with_capacity(1);
    for event in input.delivery.events() {
        let data = if input.selector.is_slow(&event.data) {
            let (selector, data) = (input.selector.clone(), event.data.clone());
            let selecting = long_in_turn(&event.space, move || selector.apply(&data).map(Cow::into_owned));
            Cow::Owned(selecting.await?)
        } else {
            input.selector.apply(&event.data)?
        };
        selected.push((&**event, data));
    }
    Ok(selected)
}

type Selected<'a> = (&'a Event, Cow<'a, RawValue>);

async fn run(
    engine: &Engine,
    plugin: Plugin<'_>,
    input: TransformInput<'_>,
    events: &[Selected<'_>],
) -> Result<engine::PluginRun, EngineError> {
    let events: Vec<_> = events.iter().map(|(event, data)| (*event, data.get())).collect();
    let call = engine::PluginCall {
        delivery_id: input.delivery.id,
        attempt: input.attempt,
        subscription: input.subscription,
        events: &events,
        config: plugin.config,
        secrets: &input.subscription.sealed_names(),
    };
    engine.transform(plugin.prepared, call).await
}

fn shape_of(
    events: &[Selected<'_>],
    limits: &Limits,
    subscription: &Subscription,
) -> Result<engine::PluginDecision, PluginFault> {
    let shown: Vec<_> = events
        .iter()
        .map(|(event, data)| Envelope { kind: &event.kind, occurred_at: event.occurred_at, data })
        .collect();
    shape::shape(subscription.content_type, &shown, limits.output_bytes_max).map(engine::PluginDecision::Deliver)
}
