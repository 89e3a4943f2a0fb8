//! A host's engine without a host: a component that passes here passes there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use hookmill_engine::Limits;
use hookmill_engine::{Engine, Inspected, Prepared};
use hookmill_server::plugins::admit::{self, AdmitError, Candidate};
use hookmill_server::plugins::schema::Checker;
use hookmill_server::plugins::versions;
use serde_json::value::RawValue;

use super::style;

/// Makes an engine with a host's default limits, which keeps compiled plugins in the user's cache.
pub(super) fn engine() -> anyhow::Result<Engine> {
    engine_in(&cache())
}

/// Makes such an engine with another cache.
pub(super) fn engine_in(cache: &Path) -> anyhow::Result<Engine> {
    let program = crate::program()?;
    let limits = Limits { transforms_max: 2, ..Limits::default() };
    Ok(Engine::new(&limits, cache, program)?)
}

/// `$XDG_CACHE_HOME/hookmill`, or its default (XDG Base Directory Specification).
fn cache() -> PathBuf {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("hookmill").join("compiled")
}

/// Reads a component's file, and no more than shows that it is too large.
pub(super) fn read(file: &Path) -> anyhow::Result<Bytes> {
    use std::io::Read as _;

    let max = Limits::default().component_bytes_max as u64;
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).with_context(|| format!("opening {}", file.display()))?;
    opened.take(max + 1).read_to_end(&mut bytes).with_context(|| format!("reading {}", file.display()))?;
    Ok(bytes.into())
}

/// Inspects a component as a host does when it is uploaded.
pub(super) async fn inspect(engine: &Engine, component: Bytes) -> Result<Inspected, AdmitError> {
    let _working = style::working("compiling");
    admit::inspect(engine, Checker::of_operator(engine), &[], &Candidate { component, signature: None, source: None })
        .await
}

/// Returns a configuration as a host keeps it, with the defaults of the plugin's schema; the error states where it does not
/// match.
pub(super) async fn configured(inspected: &Inspected, config: &RawValue) -> Result<Box<RawValue>, String> {
    let config = serde_json::from_str(config.get()).map_err(|err| err.to_string())?;
    let program = crate::program().map_err(|err| err.to_string())?;
    let checker = Checker { program: &program, turns: None };
    let filled =
        versions::configured(checker, &inspected.config_schema, config).await.map_err(|err| err.to_string())?;
    serde_json::value::to_raw_value(&filled).map_err(|err| err.to_string())
}

/// Loads a component, ready to run.
pub(super) async fn prepare(engine: &Engine, file: &Path) -> anyhow::Result<(Inspected, Arc<Prepared>)> {
    let component = read(file)?;
    let refused = || format!("a host would refuse {}", file.display());
    let inspected = inspect(engine, component.clone()).await.with_context(refused)?;
    let prepared = engine.load(inspected.digest, component).await.with_context(refused)?;
    Ok((inspected, prepared))
}
