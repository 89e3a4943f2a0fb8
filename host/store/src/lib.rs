//! The store: the source of truth, in rows.
//!
//! Memory is only a fast path; whatever a host loses, it finds here again. All SQL of the product is in this crate.
//! [`Store`] is a trait so that it can have several implementations; its operations are coarse and take batches, because a
//! commit costs one flush of the disk, whatever its contents.
//!
//! Its users rely on the following:
//! - [`Store::accept`] and [`Store::record`] return only when the commit is on disk.
//! - A lease (`leased_until`) is advisory: it keeps two workers off one delivery, expires by itself, and ends with the
//!   process. Correctness depends only on [`Store::record`], which writes only if the delivery is as the lease left it.
//!
//! They do not rely on an expired lease being exclusive. A delivery may then be sent twice; it is recorded once.
#![forbid(unsafe_code)]

mod accepting;
mod error;
mod filter;
mod finding;
mod forgetting;
mod listing;
mod plugin;
mod queueing;
mod replaying;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hookmill_model::{
    Activity, Attempt, CountedAttempt, Delivery, DeliveryId, DeliveryState, Digest, Event, EventId, EventType,
    FieldPath, Key, KeyId, MailAddress, Notice, NoticeStage, Pause, PausePolicy, PinnedPlugin, Plugin, PluginKey,
    PluginName, PluginRef, PluginVersion, Quotas, Shadow, Space, SpaceId, Subscription, SubscriptionId, Tally,
};
use jiff::{SignedDuration, Timestamp};

pub use accepting::{Accepted, Identity, IndexedValue, NewBatch, NewDelivery, NewEvent};
pub use error::StoreError;
pub use filter::{DeliveryFilter, EventFilter, StatusFilter};
pub use finding::{FindStore, LookupHit};
pub use forgetting::{ErasureStep, Expired, ForgetStore, Forgotten, Place};
pub use listing::{Counts, DeliveryHead, EventHead, ListPart, Step};
pub use plugin::{DeletedPlugin, WaitingDeliveries};
pub use queueing::{ListedSubscription, Queue, QueueStore, SpaceQueue};
pub use replaying::{NewReplay, ReplayEntry, ReplaySlice, ReplayStep, ReplayStore};
pub use sqlite::{OpenError, Sqlite};

/// The result of work on a leased delivery.
#[derive(Clone, Debug)]
pub struct Record {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its subscription.
    pub subscription_id: SubscriptionId,
    /// The lease under which it was worked on.
    pub leased_until: Timestamp,
    /// The attempt, if one was made; none if the delivery is held or cancelled instead.
    pub attempt: Option<Attempt>,
    /// Its next state.
    pub state: DeliveryState,
    /// When the next attempt is due, if the state is pending; otherwise when the last was.
    pub due_at: Timestamp,
    /// Now.
    pub at: Timestamp,
    /// The reason.
    pub reason: Option<String>,
    /// The pinned plugin for the next attempt, kept with the delivery until it is final. None if nothing is kept.
    pub pinned: Option<Arc<PinnedPlugin>>,
    /// When it pauses its subscription.
    pub pause_policy: PausePolicy,
    /// Whether the plugin that ran is the one that the subscription has now; see [`CountedAttempt`].
    pub current_plugin: bool,
    /// Whether it is a test, which does not count for the subscription's activity.
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

/// The result of writing a [`Record`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was written.
    Written {
        /// Whether it paused its subscription.
        paused: bool,
    },
    /// The delivery was no longer as the lease left it: the lease had expired and another worker took over, or the delivery
    /// was cancelled. Nothing was written.
    Stale,
}

/// A caller's command for one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Do not send it.
    Cancel,
    /// Send it again, now, whatever its result was.
    Resend {
        /// Whether to send the last request, byte for byte except its signature and the number of the attempt; otherwise the
        /// delivery is transformed again.
        verbatim: bool,
    },
}

/// The result of a [`Command`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commanded {
    /// It was carried out.
    Done,
    /// The delivery does not exist in this space.
    Unknown,
    /// It is being sent at this moment.
    InFlight,
    /// Nothing was ever sent that could be resent verbatim.
    NothingSent,
    /// Its state (given here) does not allow it: a final delivery cannot be cancelled, a held one cannot be resent.
    NotIn(DeliveryState),
}

/// A step of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeStep {
    /// Its event is created, its mail is next.
    Mail,
    /// Its mail could not be sent, and is due again at this time.
    Later(Timestamp),
    /// Everything is sent: the notice is deleted.
    Done,
}

/// An event type in a space's catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct EventTypeEntry {
    /// The type.
    pub name: EventType,
    /// Its meaning.
    pub description: String,
    /// A JSON Schema of its data.
    pub schema: Option<serde_json::Value>,
    /// An example of its data.
    pub example: Option<serde_json::Value>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A change of a space; fields that are none stay as they are.
#[derive(Clone, Debug, Default)]
pub struct SpaceChange {
    /// Its name.
    pub name: Option<String>,
    /// The recipients of mails about failed deliveries.
    pub administrators: Option<Vec<MailAddress>>,
    /// The keys of those who may sign plugins.
    pub plugin_keys: Option<Vec<PluginKey>>,
    /// The paths of events' data whose values are indexed.
    pub indexed_paths: Option<Vec<FieldPath>>,
    /// How much of the host it may use.
    pub quotas: Option<Quotas>,
    /// How many days it keeps its history; none for the host's default.
    pub keep_days: Option<Option<u32>>,
    /// How many bytes of it; none for no limit but the host's.
    pub keep_bytes: Option<Option<u64>>,
}

/// The persistent state of a host. The module's documentation states what its users rely on.
#[async_trait]
pub trait Store: FindStore + ForgetStore + QueueStore + ReplayStore {
    // The pipeline.

    /// Takes consecutive keys, from which ids of events and deliveries are made; returns the first.
    fn take_keys(&self, count: usize) -> i64;

    /// Commits events with their deliveries, in one transaction; the results are in order.
    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError>;

    /// Returns the subscriptions with pending deliveries, by id, each with the time at which its next one is due or its
    /// next lease expires. Takes as long as there are such subscriptions, however long their queues are.
    async fn pending(&self) -> Result<Vec<(SubscriptionId, Timestamp)>, StoreError>;

    /// Leases deliveries that are due at `now` and have no lease (or an expired one): of each subscription up to so many,
    /// the longest due first, until the data of all of them reaches `bytes_max`. There may be fewer if another worker leases
    /// at the same time: only [`pending`](Self::pending) shows that none is left.
    async fn lease_due(
        &self,
        now: Timestamp,
        leased_until: Timestamp,
        wanted: Vec<(SubscriptionId, usize)>,
        bytes_max: usize,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Commits the results of leased deliveries and their subscriptions' activity in one transaction; the results are in
    /// order.
    ///
    /// A delivery is held only for a paused subscription: if that is active again by now, the delivery stays pending; if it
    /// is deleted, the delivery is cancelled. Skipped attempts and tests neither end a streak of failures nor add to it.
    async fn record(&self, records: Arc<[Record]>) -> Result<Vec<Recorded>, StoreError>;

    /// Releases unused leases, each identified by its delivery and its end.
    async fn hand_back(&self, leases: Vec<(DeliveryId, Timestamp)>) -> Result<(), StoreError>;

    /// Ends all leases, since their holder is gone. Returns how many there were, with the deliveries that the process before
    /// was sending for the first time.
    async fn end_all_leases(&self) -> Result<u64, StoreError>;

    // Spaces and keys.

    /// Creates a space; false if the id is taken.
    async fn create_space(&self, space: Space) -> Result<bool, StoreError>;
    /// Returns the spaces after `after`, by id.
    async fn spaces(&self, after: Option<SpaceId>, limit: usize) -> Result<Vec<Space>, StoreError>;
    /// Returns a space.
    async fn space(&self, id: &SpaceId) -> Result<Option<Space>, StoreError>;
    /// Changes a space; none if it does not exist.
    async fn change_space(&self, id: &SpaceId, change: SpaceChange) -> Result<Option<Space>, StoreError>;
    /// Creates a key.
    async fn create_key(&self, key: Key) -> Result<(), StoreError>;
    /// Returns all keys, oldest first.
    async fn keys(&self) -> Result<Vec<Key>, StoreError>;
    /// Deletes a key; false if it does not exist.
    async fn delete_key(&self, id: KeyId) -> Result<bool, StoreError>;

    // Event types.

    /// Adds or replaces an event type.
    async fn put_event_type(&self, space: &SpaceId, entry: EventTypeEntry) -> Result<(), StoreError>;
    /// Returns a space's event types after `after`, by name; fewer than `limit` if they are large.
    async fn event_types(
        &self,
        space: &SpaceId,
        after: Option<EventType>,
        limit: usize,
    ) -> Result<ListPart<EventTypeEntry, EventType>, StoreError>;
    /// Removes an event type; false if it does not exist.
    async fn delete_event_type(&self, space: &SpaceId, name: &EventType) -> Result<bool, StoreError>;

    // Subscriptions.

    /// Creates or replaces a subscription. A change of state takes effect on its deliveries in the same transaction: on
    /// activation, held deliveries become pending (due at `now` or later) and all failures in a row are forgotten; on
    /// deletion, pending and held deliveries without a lease are cancelled. With another plugin or configuration, the
    /// plugin's failures in a row are forgotten.
    async fn put_subscription(&self, subscription: &Subscription, now: Timestamp) -> Result<(), StoreError>;
    /// Pauses a subscription if it is active, and raises the notice of it. True if it was active.
    async fn pause(&self, id: SubscriptionId, pause: &Pause, now: Timestamp) -> Result<bool, StoreError>;
    /// Returns the subscriptions after `after` that are not deleted, by id: of one space, or of all; fewer than `limit` if
    /// they are large.
    async fn subscriptions(
        &self,
        space: Option<&SpaceId>,
        after: Option<SubscriptionId>,
        limit: usize,
    ) -> Result<ListPart<(Subscription, Activity), SubscriptionId>, StoreError>;
    /// Returns a subscription that is not deleted.
    async fn subscription(
        &self,
        space: &SpaceId,
        id: SubscriptionId,
    ) -> Result<Option<(Subscription, Activity)>, StoreError>;

    // Plugins.

    /// Stores a plugin's version with its component. False, and nothing written, if its space has this name and version with
    /// another digest; true if it is new or already stored. A bundled plugin (no space) replaces another of its name and
    /// version, since it comes with the host's own version.
    async fn put_plugin(&self, plugin: &Plugin, component: Bytes) -> Result<bool, StoreError>;
    /// Returns all versions of the plugins that a space may use, its own and the bundled ones, by name, newest first; only
    /// of one name if it is given.
    async fn plugins(&self, space: &SpaceId, name: Option<&PluginName>) -> Result<Vec<Plugin>, StoreError>;
    /// Deletes a version of a space's own plugin, unless deliveries of the space are still to be retried with it, of which up
    /// to `limit` are returned. Its component is deleted too, if `with_component` and nothing else needs it.
    async fn delete_plugin(
        &self,
        plugin: &Plugin,
        with_component: bool,
        limit: usize,
    ) -> Result<DeletedPlugin, StoreError>;
    /// Returns the plugin of this name and version that all spaces may use.
    async fn shared_plugin(&self, name: &PluginName, version: &PluginVersion) -> Result<Option<Plugin>, StoreError>;
    /// Removes the plugins for all spaces that came from files, except those with these digests. Their components stay:
    /// subscriptions may run them.
    async fn remove_files_but(&self, digests: Vec<Digest>) -> Result<(), StoreError>;
    /// Returns the digests of all components.
    async fn component_digests(&self) -> Result<Vec<Digest>, StoreError>;
    /// Returns a component's bytes.
    async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError>;

    // Notices. `record` groups failures and raises notices of pauses; `put_subscription` raises those of activations.

    /// Raises a notice for every group of failures with one unreported for `window` that is not quiet, and makes the group
    /// quiet until `quiet_until`.
    async fn raise_notices(
        &self,
        now: Timestamp,
        window: SignedDuration,
        quiet_until: Timestamp,
    ) -> Result<(), StoreError>;
    /// Returns the notices for which this stage is next and due, the longest due first.
    async fn notices(&self, stage: NoticeStage, now: Timestamp, limit: usize) -> Result<Vec<Notice>, StoreError>;
    /// Moves a notice to its next step.
    async fn step_notice(&self, id: &EventId, step: NoticeStep) -> Result<(), StoreError>;
    /// Returns when the next notice is due; for events, also when the next group is to be raised.
    async fn next_notice(&self, stage: NoticeStage, window: SignedDuration) -> Result<Option<Timestamp>, StoreError>;

    // Shadows. Each starts and ends with a subscription that `put_subscription` writes.

    /// Returns the progress of a subscription's shadow, if it has one.
    async fn shadow(&self, subscription: SubscriptionId) -> Result<Option<Shadow>, StoreError>;
    /// Adds counts to shadows, each identified by its subscription and the plugin that ran: counts of a shadow that has
    /// ended are dropped.
    async fn count_shadows(&self, counted: Vec<(SubscriptionId, PluginRef, Tally)>) -> Result<(), StoreError>;

    // Events and deliveries.

    /// Returns a space's events with their data, newest first, older than the event `before`; fewer than `limit` if they
    /// are large.
    async fn events(
        &self,
        space: &SpaceId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<ListPart<Event, EventId>, StoreError>;
    /// Returns a space's events without their data, newest first.
    async fn event_heads(
        &self,
        space: &SpaceId,
        filter: EventFilter,
        limit: usize,
    ) -> Result<ListPart<EventHead, EventId>, StoreError>;
    /// Returns an event and the number of its deliveries.
    async fn event(&self, space: &SpaceId, id: &EventId) -> Result<Option<(Event, u64)>, StoreError>;
    /// Returns a space's deliveries, newest first. A filter that few deliveries pass ends the part early: each call
    /// examines a bounded number of deliveries.
    async fn deliveries(
        &self,
        space: &SpaceId,
        filter: DeliveryFilter,
        limit: usize,
    ) -> Result<ListPart<DeliveryHead, DeliveryId>, StoreError>;
    /// Returns what happened to the deliveries of a space, or of one of its subscriptions, in each step from the one of
    /// `since` to the one before `until`, oldest first; steps in which nothing happened are left out. It was counted when it
    /// happened: reading it takes as long as there are minutes with counts.
    async fn counts(
        &self,
        space: &SpaceId,
        subscription: Option<SubscriptionId>,
        since: Timestamp,
        until: Timestamp,
        step: Step,
    ) -> Result<Vec<Counts>, StoreError>;
    /// Returns a delivery without its events' data and its attempts.
    async fn delivery_head(&self, space: &SpaceId, id: DeliveryId) -> Result<Option<DeliveryHead>, StoreError>;
    /// Returns the bytes of a delivery's requests and responses.
    async fn delivery_bytes(&self, space: &SpaceId, id: DeliveryId) -> Result<u64, StoreError>;
    /// Returns a delivery with its attempts, oldest first.
    async fn delivery(&self, space: &SpaceId, id: DeliveryId) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError>;
    /// Cancels or resends a delivery. Only a pending or held delivery can be cancelled. A resend makes a final delivery
    /// pending again, due at `now`, and makes a pending one due at `now`; a held one waits for its subscription.
    async fn command(
        &self,
        space: &SpaceId,
        id: DeliveryId,
        command: Command,
        now: Timestamp,
    ) -> Result<Commanded, StoreError>;
    /// Returns the rows that could not be read and were set aside since the store was opened: their kinds and ids. Listings
    /// leave them out; the deliveries of a subscription among them wait in their rows.
    fn unreadable(&self) -> Vec<(&'static str, String)>;
    /// Returns the number of transactions that were committed since the store was opened: each is a flush of the disk.
    fn commits(&self) -> u64;
    /// Returns the number of deliveries in each state that is not final. It is kept in memory, and costs no query.
    fn backlog(&self) -> [(DeliveryState, u64); 2];
    /// Checks that the store can write: commits a transaction that writes one page, behind the queue.
    async fn probe(&self) -> Result<(), StoreError>;
}
