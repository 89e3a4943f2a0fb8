//! Subscriptions: what is right in one, what two cannot both be, and where their definitions come from.

pub mod conflict;
pub mod import;
pub mod merge;
pub mod profile;
pub mod saving;
