//! Plugins: how a component is admitted ([`admit`]), the versions of a plugin and the subscriptions that follow them, and
//! the sources of plugins besides uploads.

pub mod admit;
pub mod bundled;
pub mod defaults;
pub mod folder;
pub mod follow;
pub mod golden;
pub mod oci;
pub mod prepare;
pub mod schema;
pub mod signature;
pub mod versions;
