//! A subscription's plugin as it is shown.

use hookmill_model::{Digest, OnFailure, PluginName, PluginRef, PluginVersion, VersionRange};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use hookmill_server::subscriptions::described::OnFailureName;

/// Plugin that a subscription uses.
#[derive(Serialize, ToSchema)]
#[schema(as = PluginRef)]
pub(super) struct PluginRefView {
    /// Name.
    #[schema(value_type = String)]
    name: PluginName,
    /// Version that runs.
    #[schema(value_type = String)]
    version: PluginVersion,
    /// Range of versions whose newest the subscription follows; null if it keeps its version.
    #[schema(value_type = Option<String>, required)]
    follows: Option<VersionRange>,
    /// Reason why the newest version of that range does not run: `1.3.0: /path: what is wrong with the configuration`;
    /// null if it runs.
    #[schema(required)]
    held_back: Option<String>,
    /// Digest of the component that runs.
    #[schema(value_type = String)]
    digest: Digest,
    /// Configuration.
    config: Value,
    /// Handling of a delivery whose plugin fails.
    #[schema(value_type = OnFailureName)]
    on_failure: OnFailure,
    /// Number of failures of the plugin in a row after which the subscription is paused; null is never.
    #[schema(required)]
    pause_after: Option<u32>,
}

impl From<PluginRef> for PluginRefView {
    fn from(plugin: PluginRef) -> Self {
        let PluginRef { name, version, digest, config, follows, held_back, on_failure, pause_after } = plugin;
        let held_back = held_back.map(|held_back| held_back.to_string());
        Self { name, version, follows, held_back, digest, config, on_failure, pause_after }
    }
}

/// Plugin that a subscription used before. Its configuration is kept for a rollback.
#[derive(Serialize, ToSchema)]
#[schema(as = EarlierPlugin)]
pub(super) struct EarlierPluginView {
    /// Name.
    #[schema(value_type = String)]
    name: PluginName,
    /// Version that ran.
    #[schema(value_type = String)]
    version: PluginVersion,
    /// Digest of its component.
    #[schema(value_type = String)]
    digest: Digest,
}

impl From<PluginRef> for EarlierPluginView {
    fn from(PluginRef { name, version, digest, .. }: PluginRef) -> Self {
        Self { name, version, digest }
    }
}
