//! The resources of the API: one file each, or a folder for a resource with sub-resources.

pub(crate) mod attempts;
pub(crate) mod counts;
pub(crate) mod deliveries;
pub(crate) mod erasures;
pub(crate) mod event_types;
pub(crate) mod events;
pub(crate) mod find;
mod indexed;
pub(crate) mod keys;
pub(crate) mod matches;
mod names;
pub(crate) mod overview;
pub(crate) mod plugins;
pub(crate) mod preview_view;
pub(crate) mod profiles;
pub(crate) mod pull;
pub(crate) mod quotas;
pub(crate) mod replays;
pub(crate) mod sent_body;
pub(crate) mod sign;
pub(crate) mod spaces;
pub(crate) mod status;
pub(crate) mod subscriptions;
pub(crate) mod test_notification;
