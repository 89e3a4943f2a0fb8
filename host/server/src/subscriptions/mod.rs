//! Subscriptions: creating, changing and activating them, the rules that they follow, and the sources of their
//! definitions.
//!
//! A change of a subscription holds [`Changing`](crate::registry::Changing) from reading it to saving it, in a task
//! that a caller who hangs up does not end. Slow work (checking a configuration against its schema, a handshake) is
//! done before that; then the subscription is read again and must not have changed in the meantime.

pub mod activation;
pub(crate) mod check;
pub mod conflict;
pub mod definition;
#[expect(dead_code, reason = "fields of types that the API description alone shows are never read")]
pub mod described;
pub mod example;
pub mod import;
pub mod merge;
pub mod plugin;
pub mod profile;
pub mod rules;
pub mod saving;
pub mod secrets;
pub mod shadow;
pub mod writing;

pub use saving::find;
