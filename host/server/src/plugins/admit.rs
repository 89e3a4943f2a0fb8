//! Admits a component as a plugin, wherever it comes from: an upload, a pull, the operator's folder, or
//! `hookmill plugin inspect`. Its signature is checked first, since compiling is the costly part of a hostile component.
//!
//! The bundled plugins are registered by [`bundled`](super::bundled) instead: they were checked when they were built.

use std::sync::Arc;

use bytes::Bytes;
use hookmill_engine::{Engine, EngineError, InspectError, Inspected, Refusal};
use hookmill_model::{Digest, Plugin, PluginKey, SpaceId};
use hookmill_store::StoreError;
use jiff::Timestamp;

use super::follow::follow;
use super::schema::{CheckError, Checker};
use super::signature::{self, Unsigned};
use super::versions;
use crate::error::{Code, Error};
use crate::host::Host;
use crate::quotas;
use crate::task::unbroken;

/// A component to be admitted.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its bytes.
    pub component: Bytes,
    /// Its signature, if it has one.
    pub signature: Option<String>,
    /// Its source; none for an upload.
    pub source: Option<String>,
}

/// Why a component is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// A signature is required, and the component has none by one of the keys.
    #[error("the component is refused: {0}")]
    Unsigned(Unsigned),
    /// The component is not a plugin that this host accepts.
    #[error("the component is refused: {0}")]
    Refused(Refusal),
    /// The space has too many components that wait to be checked.
    #[error("too many components of the space wait to be checked: try again later")]
    Busy,
    /// An internal fault.
    #[error("the engine failed")]
    Engine(#[source] EngineError),
    /// The schema of its configuration could not be checked.
    #[error("the schema of its configuration could not be checked")]
    Schema(#[source] CheckError),
    /// An internal fault.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<AdmitError> for Error {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Unsigned(_) => Self::new(Code::PluginUnsigned, error.to_string()),
            AdmitError::Refused(_) => Self::new(Code::PluginRefused, error.to_string()),
            AdmitError::Busy => Self::new(Code::Unavailable, error.to_string()),
            AdmitError::Engine(error) => Self::internal(&error),
            AdmitError::Schema(error) => error.at(""),
            AdmitError::Store(error) => error.into(),
        }
    }
}

/// Checks a component: its signature (unless there are no `keys`), its shape, its description, and the schema of its
/// configuration, with the `checker` of the space that uploads it, or of the operator.
///
/// # Errors
/// If it is not admitted, or the engine fails.
pub async fn inspect(
    engine: &Engine,
    checker: Checker<'_>,
    keys: &[PluginKey],
    candidate: &Candidate,
) -> Result<Inspected, AdmitError> {
    let Candidate { component, signature, .. } = candidate;
    signature::check(keys, Digest::of(component), signature.as_deref()).map_err(AdmitError::Unsigned)?;
    let space = checker.turns.map(|(_, space)| space);
    let inspected = engine.inspect_for(space, component.clone()).await.map_err(|error| match error {
        InspectError::Refused(refusal) => AdmitError::Refused(refusal),
        InspectError::Busy => AdmitError::Busy,
        InspectError::Engine(error) => AdmitError::Engine(error),
    })?;
    match checker.check_schema(&inspected.config_schema).await {
        Ok(()) => Ok(inspected),
        Err(err @ (CheckError::Busy | CheckError::Process(_))) => Err(AdmitError::Schema(err)),
        Err(wrong) => Err(AdmitError::Refused(Refusal(format!("its config-schema is {wrong}")))),
    }
}

/// Admits a component into a space, and moves the space's subscriptions that follow its versions. Returns whether it is
/// new, and the plugin as stored.
///
/// # Errors
/// If it is not admitted, another component has its name and version, or the host fails.
pub async fn into_space(host: &Arc<Host>, space: &SpaceId, candidate: Candidate) -> Result<(bool, Plugin), Error> {
    let keys = host.store.space(space).await?.map(|space| space.plugin_keys).unwrap_or_default();
    let component = candidate.component.clone();
    let admitted = admitted(host, space, &keys, candidate).await;
    if admitted.is_err() {
        discard(host, Digest::of(&component)).await?;
    }
    admitted
}

/// Removes the compiled plugin of a refused component, unless another plugin has the same.
async fn discard(host: &Host, digest: Digest) -> Result<(), StoreError> {
    if !host.store.component_digests().await?.contains(&digest) {
        host.engine.discard(digest).await;
    }
    Ok(())
}

async fn admitted(
    host: &Arc<Host>,
    space: &SpaceId,
    keys: &[PluginKey],
    candidate: Candidate,
) -> Result<(bool, Plugin), Error> {
    let inspected = inspect(&host.engine, Checker::of(host, space), keys, &candidate).await?;
    let plugin = plugin(Some(space.clone()), inspected, candidate.component.len(), candidate.source, host.clock.now());
    let (host, space) = (Arc::clone(host), space.clone());
    unbroken(async move { install(&host, &space, plugin, candidate.component).await }).await
}

async fn install(host: &Host, space: &SpaceId, plugin: Plugin, component: Bytes) -> Result<(bool, Plugin), Error> {
    let Plugin { name, version, .. } = &plugin;
    let had = versions::own(&*host.store, space, name).await?.into_iter().find(|had| had.version == *version);
    if had.is_none() {
        let all = host.store.plugins(space, None).await?;
        let own = all.iter().filter(|plugin| plugin.space.is_some()).count();
        quotas::check_count("plugins", host.quotas.limits(space).plugins, own as u64)?;
    }
    if !host.store.put_plugin(&plugin, component).await? {
        let detail = format!("there is a plugin {name} {version} with another component: raise its version");
        return Err(Error::new(Code::PluginVersionExists, detail));
    }
    // Even if it was stored already: the call that uploaded it may have been cut off before this.
    follow(host, space, name).await?;
    Ok((had.is_none(), had.unwrap_or(plugin)))
}

/// Admits a component for all spaces, in place of one of the same name and version. Returns the plugin and the one that it
/// replaces.
///
/// # Errors
/// If it is not admitted, or the host fails.
pub async fn for_all_spaces(
    host: &Host,
    keys: &[PluginKey],
    candidate: Candidate,
) -> Result<(Plugin, Option<Plugin>), AdmitError> {
    let inspected = inspect(&host.engine, Checker::of_operator(&host.engine), keys, &candidate).await?;
    let plugin = plugin(None, inspected, candidate.component.len(), candidate.source, host.clock.now());
    let had = host.store.shared_plugin(&plugin.name, &plugin.version).await?;
    host.store.put_plugin(&plugin, candidate.component).await?;
    let replaced = had.filter(|had| had.digest != plugin.digest);
    Ok((plugin, replaced))
}

/// The plugin that a component of this size, from this source, is kept as.
pub(super) fn plugin(
    space: Option<SpaceId>,
    inspected: Inspected,
    size_bytes: usize,
    source: Option<String>,
    created_at: Timestamp,
) -> Plugin {
    let Inspected { digest, name, version, summary, content_types, config_schema } = inspected;
    let size_bytes = size_bytes as u64;
    Plugin { space, name, version, digest, summary, content_types, config_schema, size_bytes, source, created_at }
}
