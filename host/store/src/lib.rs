//! The store: what is true, in rows.
//!
//! Memory is a fast path beside it; whatever a host forgets, it finds here again. All SQL of the product stands in
//! this folder. [`Store`] is the one trait with several implementors; its operations are coarse and take batches,
//! because a commit costs what a disk's flush costs, whatever is in it.
//!
//! What the stages rely on:
//! - [`Store::accept`] and [`Store::record`] return once the commit is on disk, and not before.
//! - A claim (`leased_until`) is advisory: it keeps two workers off one delivery, and lapses by itself. Correctness
//!   rests on [`Store::record`] alone, which writes only if the delivery is as the claim left it.
//!
//! What they do not rely on: that a claim is exclusive after it lapsed. A delivery may then be sent twice; it is
//! recorded once.
#![forbid(unsafe_code)]

mod accepting;
mod plugin;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use hookmill_model::{
    Activity, Attempt, CountedAttempt, Delivery, DeliveryId, DeliveryState, Digest, Event, EventId, EventType, Key,
    KeyId, MailAddress, Notice, NoticeStage, Pattern, PausePolicy, PinnedPlugin, Plugin, PluginKey, PluginName,
    PluginRef, PluginVersion, Shadow, Space, SpaceId, Subscription, SubscriptionId, Tally,
};

pub use accepting::{Accepted, NewBatch, NewDelivery, NewEvent};
pub use plugin::{DeletedPlugin, WaitingDeliveries};
pub use sqlite::{OpenError, Sqlite};

/// Ours to mend: the database, its file or its disk. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or broke.
    #[error("the database failed")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row that this version cannot read.
    #[error("the database holds a row that cannot be read: {0}")]
    Corrupt(String),
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

/// What came of working on a claimed delivery.
#[derive(Clone, Debug)]
pub struct Record {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Whose it is.
    pub subscription_id: SubscriptionId,
    /// The claim under which it was worked on.
    pub leased_until: Timestamp,
    /// The attempt, if one was made; none when the delivery is held or cancelled before it.
    pub attempt: Option<Attempt>,
    /// Its next state.
    pub state: DeliveryState,
    /// When the next attempt is due, if the state is pending; else when the last was.
    pub due_at: Timestamp,
    /// Now.
    pub at: Timestamp,
    /// Why, in words.
    pub reason: Option<String>,
    /// What shaped it, for the next attempt: kept with the delivery until it is final. None if nothing is kept.
    pub pinned: Option<Arc<PinnedPlugin>>,
    /// When it pauses its subscription.
    pub pause_policy: PausePolicy,
    /// Whether the plugin that ran is the one that the subscription has now; see [`CountedAttempt`].
    pub current_plugin: bool,
    /// Whether it is a test, which is no sign of how the subscription is doing.
    pub test: bool,
}

impl Record {
    /// Whether it could pause its subscription, whatever happened before it.
    pub fn may_pause(&self) -> bool {
        self.counted().is_some_and(|counted| self.pause_policy.may_pause(&counted))
    }

    /// The attempt, if it counts for its subscription: a test's does not.
    fn counted(&self) -> Option<CountedAttempt<'_>> {
        let attempt = self.attempt.as_ref().filter(|_| !self.test)?;
        let (state, reason, current_plugin) = (self.state, self.reason.as_deref(), self.current_plugin);
        Some(CountedAttempt { attempt, state, reason, current_plugin })
    }
}

/// Whether a [`Record`] was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was.
    Written {
        /// Whether it paused its subscription.
        paused: bool,
    },
    /// The delivery was no longer as the claim left it: somebody else went on with it after the claim had lapsed, or
    /// it was cancelled. Nothing was written.
    Stale,
}

/// What a caller wants to do to one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Do not send it.
    Cancel,
    /// Send it again, now, whatever became of it.
    Resend {
        /// What was sent last, byte for byte but for its signature and the number of the attempt; else it is
        /// transformed anew.
        verbatim: bool,
    },
}

/// Whether a [`Command`] was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commanded {
    /// It was.
    Done,
    /// There is no such delivery in this space.
    Unknown,
    /// It is being sent at this moment.
    InFlight,
    /// Nothing was ever sent that could be sent again exactly.
    NothingSent,
    /// Its state (given here) does not allow it: cancelling what is final, retrying what is held.
    NotIn(DeliveryState),
}

/// What becomes of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeStep {
    /// Its event is made, its mail is next.
    Mail,
    /// Its mail could not be sent, and is due again then.
    Later(Timestamp),
    /// All is told: the notice goes.
    Done,
}

/// Which deliveries to list. Newest first.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Of this subscription.
    pub subscription: Option<SubscriptionId>,
    /// Of this event.
    pub event: Option<EventId>,
    /// Of events of these types.
    pub event_type: Option<Pattern>,
    /// Of events accepted at or after this time.
    pub since: Option<Timestamp>,
    /// Of events accepted before this time.
    pub until: Option<Timestamp>,
    /// Older than this one (the last of the page before).
    pub before: Option<DeliveryId>,
}

/// A type of events that a space knows.
#[derive(Clone, Debug, PartialEq)]
pub struct EventTypeEntry {
    /// The type.
    pub name: EventType,
    /// What it means.
    pub description: String,
    /// A JSON Schema of its data.
    pub schema: Option<serde_json::Value>,
    /// An example of its data.
    pub example: Option<serde_json::Value>,
    /// When it was entered.
    pub created_at: Timestamp,
}

/// What to change of a space; what is none stays as it is.
#[derive(Clone, Debug, Default)]
pub struct SpaceChange {
    /// Its name.
    pub name: Option<String>,
    /// Who is told when deliveries fail.
    pub administrators: Option<Vec<MailAddress>>,
    /// Who may sign plugins.
    pub plugin_keys: Option<Vec<PluginKey>>,
}

/// Where everything is kept. See the module's header for what its users rely on.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // The pipeline.

    /// Commits events with their deliveries, in one transaction; answers in order.
    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError>;

    /// Claims up to `limit` deliveries that are due at `now` and that nobody has a claim on (or a lapsed one), the
    /// longest due first, leaving out those of `except`. Fewer, if somebody else claims at the same time: only
    /// [`next_due`](Self::next_due) tells that none is left.
    async fn lease_due(
        &self,
        now: Timestamp,
        leased_until: Timestamp,
        limit: usize,
        except: &[SubscriptionId],
    ) -> Result<Vec<Delivery>, StoreError>;

    /// When the next delivery is due, or the next claim lapses; those of `except` aside. None if none is pending.
    async fn next_due(&self, except: &[SubscriptionId]) -> Result<Option<Timestamp>, StoreError>;

    /// Commits what came of claimed deliveries, in one transaction, with their subscriptions' activity; in order.
    ///
    /// A delivery is held for a paused subscription only: if it is active again by now, the delivery stays pending; if
    /// it is deleted, the delivery is cancelled. A skipped attempt neither ends a streak of failures nor adds to it, nor
    /// does a test.
    async fn record(&self, records: Arc<[Record]>) -> Result<Vec<Recorded>, StoreError>;

    /// Gives claims back unused. Each is named by delivery and claim.
    async fn hand_back(&self, leases: Vec<(DeliveryId, Timestamp)>) -> Result<(), StoreError>;

    /// Ends all claims: whoever held them is gone. Returns how many there were.
    async fn end_all_leases(&self) -> Result<u64, StoreError>;

    // Spaces and keys.

    /// Creates a space; false if there is one of this id.
    async fn create_space(&self, space: Space) -> Result<bool, StoreError>;
    /// All spaces after `after`, by id.
    async fn spaces(&self, after: Option<SpaceId>, limit: usize) -> Result<Vec<Space>, StoreError>;
    /// One space.
    async fn space(&self, id: &SpaceId) -> Result<Option<Space>, StoreError>;
    /// Changes what is given of a space; none if there is none of this id.
    async fn change_space(&self, id: &SpaceId, change: SpaceChange) -> Result<Option<Space>, StoreError>;
    /// Creates a key.
    async fn create_key(&self, key: Key) -> Result<(), StoreError>;
    /// All keys, oldest first.
    async fn keys(&self) -> Result<Vec<Key>, StoreError>;
    /// Deletes a key; false if there is none of this id.
    async fn delete_key(&self, id: KeyId) -> Result<bool, StoreError>;

    // Event types.

    /// Enters an event type or replaces it.
    async fn put_event_type(&self, space: &SpaceId, entry: EventTypeEntry) -> Result<(), StoreError>;
    /// A space's event types after `after`, by name.
    async fn event_types(
        &self,
        space: &SpaceId,
        after: Option<EventType>,
        limit: usize,
    ) -> Result<Vec<EventTypeEntry>, StoreError>;
    /// Removes an event type; false if there is none of this name.
    async fn delete_event_type(&self, space: &SpaceId, name: &EventType) -> Result<bool, StoreError>;

    // Subscriptions.

    /// Writes a subscription: a new one, or over the one of the same id. Leaving `Active` or coming back to it takes
    /// effect on deliveries in the same transaction: activated, its held deliveries become pending (due at `now` or
    /// later) and its failures in a row are forgotten, its plugin's too; deleted, its pending and held ones that nobody is sending are cancelled. With another plugin or configuration,
    /// the plugin's failures in a row are forgotten.
    async fn put_subscription(&self, subscription: &Subscription, now: Timestamp) -> Result<(), StoreError>;
    /// Subscriptions that are not deleted, after `after`, by id: of one space, or of all.
    async fn subscriptions(
        &self,
        space: Option<&SpaceId>,
        after: Option<SubscriptionId>,
        limit: usize,
    ) -> Result<Vec<(Subscription, Activity)>, StoreError>;
    /// One subscription that is not deleted.
    async fn subscription(
        &self,
        space: &SpaceId,
        id: SubscriptionId,
    ) -> Result<Option<(Subscription, Activity)>, StoreError>;

    // Plugins.

    /// Keeps a plugin's version with its component. False, and nothing written, if its space has one of this name and
    /// version with another digest; true if it is new, or there already. A bundled one (no space) replaces another of
    /// its name and version, since it comes with the host's own version.
    async fn put_plugin(&self, plugin: &Plugin, component: Bytes) -> Result<bool, StoreError>;
    /// All versions of the plugins that a space may use, its own and the bundled ones, by name, newest first; of one
    /// name if it is given.
    async fn plugins(&self, space: &SpaceId, name: Option<&PluginName>) -> Result<Vec<Plugin>, StoreError>;
    /// Deletes a version of a space's own plugin, unless deliveries of the space are yet to be tried again with it, of
    /// which up to `limit` are named. Its component goes too, if `with_component` and nothing else needs it.
    async fn delete_plugin(
        &self,
        plugin: &Plugin,
        with_component: bool,
        limit: usize,
    ) -> Result<DeletedPlugin, StoreError>;
    /// The plugin of this name and version that all spaces may use.
    async fn shared_plugin(&self, name: &PluginName, version: &PluginVersion) -> Result<Option<Plugin>, StoreError>;
    /// Removes the plugins that came of files for all spaces, but for those with these digests. Their components stay:
    /// subscriptions may run them.
    async fn remove_files_but(&self, digests: Vec<Digest>) -> Result<(), StoreError>;
    /// A component's bytes.
    async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError>;

    // Notices. Failures are grouped by `record`, and pauses noted by it; activations by `put_subscription`.

    /// Makes a notice of every group of failures that has one untold for as long as `window` and is not quiet, and lets
    /// it be quiet from then on, until `quiet_until`.
    async fn raise_notices(
        &self,
        now: Timestamp,
        window: SignedDuration,
        quiet_until: Timestamp,
    ) -> Result<(), StoreError>;
    /// Notices of which this is next, and due; the longest due first.
    async fn notices(&self, stage: NoticeStage, now: Timestamp, limit: usize) -> Result<Vec<Notice>, StoreError>;
    /// Takes a notice a step further.
    async fn step_notice(&self, id: &EventId, step: NoticeStep) -> Result<(), StoreError>;
    /// When the next notice is due; for events, also when the next one arises of a group.
    async fn next_notice(&self, stage: NoticeStage, window: SignedDuration) -> Result<Option<Timestamp>, StoreError>;

    // Shadows. Each begins and ends with what `put_subscription` writes.

    /// What was counted of a subscription's shadow, if it has one.
    async fn shadow(&self, subscription: SubscriptionId) -> Result<Option<Shadow>, StoreError>;
    /// Adds what was counted of shadows. Each is named by its subscription and what ran: of a shadow that is no more,
    /// nothing is written.
    async fn count_shadows(&self, counted: Vec<(SubscriptionId, PluginRef, Tally)>) -> Result<(), StoreError>;

    // What happened.

    /// A space's events, newest first, older than the event `before`.
    async fn events(&self, space: &SpaceId, before: Option<EventId>, limit: usize) -> Result<Vec<Event>, StoreError>;
    /// One event, and how many deliveries it made.
    async fn event(&self, space: &SpaceId, id: &EventId) -> Result<Option<(Event, u64)>, StoreError>;
    /// A space's deliveries, newest first.
    async fn deliveries(
        &self,
        space: &SpaceId,
        filter: DeliveryFilter,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError>;
    /// One delivery with its attempts, oldest first.
    async fn delivery(&self, space: &SpaceId, id: DeliveryId) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError>;
    /// Cancels or retries a delivery. Only what is pending or held can be cancelled. A retry makes what is final pending
    /// again, and due at `now`, as it does what is pending until later; what is held waits for its subscription.
    async fn command(
        &self,
        space: &SpaceId,
        id: DeliveryId,
        command: Command,
        now: Timestamp,
    ) -> Result<Commanded, StoreError>;
    /// Forgets up to `limit` of a subscription's final deliveries, with their attempts, that ended before `before`,
    /// oldest first; returns how many.
    async fn forget(&self, subscription: SubscriptionId, before: Timestamp, limit: usize) -> Result<usize, StoreError>;
    /// How many transactions that wrote something were committed since the store was opened: each is a flush of the disk.
    fn commits(&self) -> u64;
    /// How many deliveries are in each state that is not final.
    async fn backlog(&self) -> Result<Vec<(DeliveryState, u64)>, StoreError>;
    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}
