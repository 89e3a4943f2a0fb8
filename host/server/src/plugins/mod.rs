//! Plugins: the one door by which a component enters ([`admit`]), the versions that there are and who follows them, and the
//! places that plugins come from besides uploads.

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
