//! Engines, inputs, and components that no toolchain produces.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hookmill_engine::Limits;
use hookmill_engine::{Engine, PluginCall, PluginDecision, PluginRun, Prepared};
use hookmill_model::{
    DeliveryId, Digest, Event, EventId, Figures, LogLine, Pattern, PluginFault, SpaceId, Subscription,
};
use serde_json::value::RawValue;

/// The program that compiles.
pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_hookmill"))
}

/// An engine with the default limits and a cache from earlier runs.
pub(crate) fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| engine_with(&Limits::default(), &kept())).clone()
}

/// A cache directory that outlives the run, so that the next one compiles nothing.
pub(crate) fn kept() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-plugins")
}

/// A separate engine.
pub(crate) fn engine_with(limits: &Limits, folder: &Path) -> Engine {
    Engine::new(limits, folder, binary()).expect("the machine gives what the defaults need")
}

/// The prepared rogue plugin.
pub(crate) async fn rogue(engine: &Engine) -> Arc<Prepared> {
    load(engine, hookmill_guests::ROGUE).await
}

pub(crate) async fn load(engine: &Engine, component: &'static [u8]) -> Arc<Prepared> {
    let component = Bytes::from_static(component);
    engine.load(Digest::of(&component), component).await.expect("it is a plugin")
}

/// Runs the rogue with a command.
pub(crate) async fn tell(word: &str) -> PluginRun {
    let engine = engine();
    tell_on(&engine, &*rogue(&engine).await, word).await
}

pub(crate) async fn tell_on(engine: &Engine, plugin: &Prepared, word: &str) -> PluginRun {
    let config = serde_json::to_string(word).expect("a string becomes JSON");
    transform(engine, plugin, &config, DATA).await
}

/// Runs the rogue with a command; returns the fault and the log.
pub(crate) async fn fault(word: &str) -> (PluginFault, Vec<LogLine>) {
    let PluginRun { result, logs, figures, .. } = tell(word).await;
    let fault = result.expect_err("it was told to fail");
    let limits = Limits::default();
    let Figures { fuel_used, fuel_max, memory_bytes, memory_bytes_max, transform_us } = figures;
    assert!(transform_us < limits.wall_clock_ms_max * 1_000, "{word} took {transform_us} µs");
    assert!(fuel_max <= limits.fuel_base + limits.fuel_per_byte * 1_000, "{word} had {fuel_max}");
    assert!(fuel_used > 0 && fuel_used <= fuel_max, "{word} used {fuel_used} of {fuel_max}");
    assert_eq!(memory_bytes_max, limits.memory_bytes_max as u64);
    assert!(memory_bytes > 0 && memory_bytes <= memory_bytes_max, "{word} took {memory_bytes} bytes");
    (fault, logs)
}

/// Data with everything that JSON libraries tend to change.
pub(crate) const DATA: &str = r#"{"b": 12.50, "a":12345678901234567890, "c" :1e400,"a":"é\u00e9"}"#;

/// Runs the rogue with a command for a subscription with these secrets.
pub(crate) async fn tell_with_secrets(word: &str, secrets: &[&str]) -> PluginRun {
    let engine = engine();
    let config = serde_json::to_string(word).expect("a string becomes JSON");
    transform_with_secrets(&engine, &*rogue(&engine).await, &config, DATA, secrets).await
}

pub(crate) async fn transform(engine: &Engine, plugin: &Prepared, config: &str, data: &str) -> PluginRun {
    transform_with_secrets(engine, plugin, config, data, &[]).await
}

/// Runs the rogue with a command for a subscription of this space.
pub(crate) async fn tell_in(space: &str, engine: &Engine, plugin: &Prepared, word: &str) -> PluginRun {
    let config = serde_json::to_string(word).expect("a string becomes JSON");
    let space = SpaceId::parse(space).expect("a space");
    transform_of(&Subscription { space, ..subscription() }, engine, plugin, &config, DATA, &[]).await
}

async fn transform_with_secrets(
    engine: &Engine,
    plugin: &Prepared,
    config: &str,
    data: &str,
    secrets: &[&str],
) -> PluginRun {
    transform_of(&subscription(), engine, plugin, config, data, secrets).await
}

async fn transform_of(
    subscription: &Subscription,
    engine: &Engine,
    plugin: &Prepared,
    config: &str,
    data: &str,
    secrets: &[&str],
) -> PluginRun {
    let event = event(data);
    let input = PluginCall {
        delivery_id: DELIVERY.parse::<DeliveryId>().expect("an id"),
        attempt: 2,
        subscription,
        events: &[(&event, data)],
        config,
        secrets,
    };
    engine.transform(plugin, input).await.expect("the host does its part")
}

pub(crate) const DELIVERY: &str = "dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E";

fn event(data: &str) -> Event {
    Event {
        space: SpaceId::parse("acme").expect("a space"),
        id: EventId::parse("evt-1").expect("an event's id"),
        kind: "lead.create".parse().expect("a type"),
        occurred_at: "2026-04-29T11:13:55.021Z".parse().expect("a time"),
        accepted_at: "2026-04-29T11:13:56Z".parse().expect("a time"),
        data: RawValue::from_string(data.to_owned()).expect("JSON").into(),
        changed_fields: None,
        previous: None,
    }
}

fn subscription() -> Subscription {
    let now = "2026-04-29T11:13:55Z".parse().expect("a time");
    let url = "http://127.0.0.1:9/".parse().expect("a URL");
    let space = SpaceId::parse("acme").expect("a space");
    Subscription {
        id: "sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E".parse().expect("an id"),
        ..Subscription::new(space, "To the ERP", url, vec![Pattern::All], now)
    }
}

/// Whether this is a healthy echo's result for [`DATA`].
pub(crate) fn is_echo(transformed: &PluginRun) -> bool {
    let Ok(PluginDecision::Deliver(draft)) = &transformed.result else { return false };
    draft.body == hookmill_model::Body::Json(DATA.to_owned())
        && draft.headers == [("X-Delivery".to_owned(), DELIVERY.to_owned())]
}
