//! The operations of the store: each goes to the writer, or to the readers of callers or of the host's own loops.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use hookmill_model::{
    Activity, Attempt, Delivery, DeliveryId, DeliveryState, Digest, Event, EventId, EventType, Key, KeyId, Notice,
    NoticeStage, Pause, Plugin, PluginName, PluginRef, PluginVersion, Shadow, Space, SpaceId, Subscription,
    SubscriptionId, Tally,
};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::super::{
    Accepted, Command, Commanded, Counts, DeletedPlugin, DeliveryFilter, DeliveryHead, EventFilter, EventHead,
    EventTypeEntry, ListPart, NewEvent, NoticeStep, Record, Recorded, SpaceChange, Step, Store, StoreError,
};
use super::{
    Sqlite, accept, deliveries, events, lease, notices, open, plugins, record, search, shadows, spaces, subscriptions,
    tallies,
};

#[async_trait]
impl Store for Sqlite {
    fn take_keys(&self, count: usize) -> i64 {
        self.shared.take_keys(count)
    }

    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        self.writer.write(move |db| accept::accept(db, &events)).await
    }

    async fn pending(&self) -> Result<Vec<(SubscriptionId, Timestamp)>, StoreError> {
        let leased = self.shared.leases(|leases| leases.summary());
        let mut pending = self.own_readers.read(move |db| lease::pending(db, leased)).await?;
        pending.retain(|(id, _)| !self.shared.unreadable.has_subscription(*id));
        Ok(pending)
    }

    async fn lease_due(
        &self,
        now: Timestamp,
        leased_until: Timestamp,
        wanted: Vec<(SubscriptionId, usize)>,
        bytes_max: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut leased = self.writer.write(move |db| lease::lease(db, &wanted, now, leased_until, bytes_max)).await?;
        if leased.iter().all(|delivery| delivery.batched == 0) {
            return Ok(leased);
        }
        // A leased batch accepts no more events. A reader reads it, so that no commit waits.
        self.own_readers
            .read(move |db| {
                deliveries::read_batches(db, &mut leased)?;
                Ok(leased)
            })
            .await
    }

    async fn record(&self, records: Arc<[Record]>) -> Result<Vec<Recorded>, StoreError> {
        self.writer.write(move |db| record::record(db, &records)).await
    }

    async fn hand_back(&self, leases: Vec<(DeliveryId, Timestamp)>) -> Result<(), StoreError> {
        self.writer.write(move |db| lease::hand_back(db, &leases)).await
    }

    async fn end_all_leases(&self) -> Result<u64, StoreError> {
        let ended = self.writer.write(lease::end_all).await?;
        Ok((self.recovered.swap(0, Ordering::Relaxed) + ended) as u64)
    }

    async fn create_space(&self, space: Space) -> Result<bool, StoreError> {
        let id = space.id.clone();
        let created = self.writer.write(move |db| spaces::create(db, &space)).await?;
        if let Some(key) = created {
            self.shared.stored(|stored| stored.created(id, key));
        }
        Ok(created.is_some())
    }

    async fn spaces(&self, after: Option<SpaceId>, limit: usize) -> Result<Vec<Space>, StoreError> {
        let shared = Arc::clone(&self.shared);
        self.readers.read(move |db| spaces::list(db, &shared.unreadable, after.as_ref(), limit)).await
    }

    async fn space(&self, id: &SpaceId) -> Result<Option<Space>, StoreError> {
        let (of, shared) = (id.clone(), Arc::clone(&self.shared));
        self.readers.read_for(id, move |db| spaces::one(db, &shared.unreadable, &of)).await
    }

    async fn change_space(&self, id: &SpaceId, change: SpaceChange) -> Result<Option<Space>, StoreError> {
        let id = id.clone();
        self.writer.write(move |db| spaces::change(db, &id, &change)).await
    }

    async fn create_key(&self, key: Key) -> Result<(), StoreError> {
        self.writer.write(move |db| spaces::create_key(db, &key)).await
    }

    async fn keys(&self) -> Result<Vec<Key>, StoreError> {
        let shared = Arc::clone(&self.shared);
        self.own_readers.read(move |db| spaces::keys(db, &shared.unreadable)).await
    }

    async fn delete_key(&self, id: KeyId) -> Result<bool, StoreError> {
        self.writer.write(move |db| spaces::delete_key(db, id)).await
    }

    async fn put_event_type(&self, space: &SpaceId, entry: EventTypeEntry) -> Result<(), StoreError> {
        let space = space.clone();
        self.writer.write(move |db| spaces::put_event_type(db, &space, &entry)).await
    }

    async fn event_types(
        &self,
        space: &SpaceId,
        after: Option<EventType>,
        limit: usize,
    ) -> Result<ListPart<EventTypeEntry, EventType>, StoreError> {
        let (of, shared) = (space.clone(), Arc::clone(&self.shared));
        let list = move |db: &Connection| spaces::event_types(db, &shared.unreadable, &of, after.as_ref(), limit);
        self.readers.read_for(space, list).await
    }

    async fn delete_event_type(&self, space: &SpaceId, name: &EventType) -> Result<bool, StoreError> {
        let (space, name) = (space.clone(), name.clone());
        self.writer.write(move |db| spaces::delete_event_type(db, &space, &name)).await
    }

    async fn put_subscription(&self, subscription: &Subscription, now: Timestamp) -> Result<(), StoreError> {
        let subscription = subscription.clone();
        self.writer.write(move |db| subscriptions::put(db, &subscription, now)).await
    }

    async fn pause(&self, id: SubscriptionId, pause: &Pause, now: Timestamp) -> Result<bool, StoreError> {
        let pause = pause.clone();
        self.writer
            .write(move |db| {
                let paused = subscriptions::pause(db, id, &pause)?;
                if paused {
                    notices::paused(db, id, now, &pause, NoticeStage::Event)?;
                }
                Ok(paused)
            })
            .await
    }

    async fn subscriptions(
        &self,
        space: Option<&SpaceId>,
        after: Option<SubscriptionId>,
        limit: usize,
    ) -> Result<ListPart<(Subscription, Activity), SubscriptionId>, StoreError> {
        let (of, shared) = (space.cloned(), Arc::clone(&self.shared));
        let list = move |db: &Connection| subscriptions::list(db, &shared.unreadable, of.as_ref(), after, limit);
        match space {
            Some(space) => self.readers.read_for(space, list).await,
            None => self.own_readers.read(list).await,
        }
    }

    async fn subscription(
        &self,
        space: &SpaceId,
        id: SubscriptionId,
    ) -> Result<Option<(Subscription, Activity)>, StoreError> {
        let (of, shared) = (space.clone(), Arc::clone(&self.shared));
        self.readers.read_for(space, move |db| subscriptions::one(db, &shared.unreadable, &of, id)).await
    }

    async fn put_plugin(&self, plugin: &Plugin, component: Bytes) -> Result<bool, StoreError> {
        let plugin = plugin.clone();
        self.writer.write(move |db| plugins::put(db, &plugin, &component)).await
    }

    async fn plugins(&self, space: &SpaceId, name: Option<&PluginName>) -> Result<Vec<Plugin>, StoreError> {
        let (of, name, shared) = (space.clone(), name.cloned(), Arc::clone(&self.shared));
        self.readers.read_for(space, move |db| plugins::usable(db, &shared.unreadable, &of, name.as_ref())).await
    }

    async fn delete_plugin(
        &self,
        plugin: &Plugin,
        with_component: bool,
        limit: usize,
    ) -> Result<DeletedPlugin, StoreError> {
        let plugin = plugin.clone();
        self.writer.write(move |db| plugins::delete(db, &plugin, with_component, limit)).await
    }

    async fn shared_plugin(&self, name: &PluginName, version: &PluginVersion) -> Result<Option<Plugin>, StoreError> {
        let (name, version, shared) = (name.clone(), version.clone(), Arc::clone(&self.shared));
        self.own_readers.read(move |db| plugins::shared(db, &shared.unreadable, &name, &version)).await
    }

    async fn remove_files_but(&self, digests: Vec<Digest>) -> Result<(), StoreError> {
        self.writer.write(move |db| plugins::remove_files_but(db, &digests)).await
    }

    async fn component_digests(&self) -> Result<Vec<Digest>, StoreError> {
        self.own_readers.read(plugins::component_digests).await
    }

    async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.own_readers.read(move |db| plugins::component(db, digest)).await
    }

    async fn events(
        &self,
        space: &SpaceId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<ListPart<Event, EventId>, StoreError> {
        let of = space.clone();
        self.readers.read_for(space, move |db| events::list(db, &of, before.as_ref(), limit)).await
    }

    async fn event_heads(
        &self,
        space: &SpaceId,
        filter: EventFilter,
        limit: usize,
    ) -> Result<ListPart<EventHead, EventId>, StoreError> {
        let of = space.clone();
        self.readers.read_for(space, move |db| events::heads(db, &of, &filter, limit)).await
    }

    async fn event(&self, space: &SpaceId, id: &EventId) -> Result<Option<(Event, u64)>, StoreError> {
        let (of, id) = (space.clone(), id.clone());
        self.readers.read_for(space, move |db| events::one(db, &of, &id)).await
    }

    async fn deliveries(
        &self,
        space: &SpaceId,
        filter: DeliveryFilter,
        limit: usize,
    ) -> Result<ListPart<DeliveryHead, DeliveryId>, StoreError> {
        let of = space.clone();
        let shared = Arc::clone(&self.shared);
        let fresh = move |space| shared.leases(|leases| leases.fresh_of(space));
        self.readers.read_for(space, move |db| search::list(db, &of, &filter, limit, fresh)).await
    }

    async fn counts(
        &self,
        space: &SpaceId,
        subscription: Option<SubscriptionId>,
        since: Timestamp,
        until: Timestamp,
        step: Step,
    ) -> Result<Vec<Counts>, StoreError> {
        let of = space.clone();
        self.readers.read_for(space, move |db| tallies::read(db, &of, subscription, since..until, step)).await
    }

    async fn delivery_head(&self, space: &SpaceId, id: DeliveryId) -> Result<Option<DeliveryHead>, StoreError> {
        let of = space.clone();
        self.readers.read_for(space, move |db| deliveries::head(db, &of, id)).await
    }

    async fn delivery_bytes(&self, space: &SpaceId, id: DeliveryId) -> Result<u64, StoreError> {
        let of = space.clone();
        self.readers.read_for(space, move |db| deliveries::bytes(db, &of, id)).await
    }

    async fn delivery(&self, space: &SpaceId, id: DeliveryId) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
        let of = space.clone();
        let shared = Arc::clone(&self.shared);
        let leased_until = move |key| shared.leases(|leases| leases.get(key).map(|lease| lease.until));
        self.readers.read_for(space, move |db| deliveries::one(db, &of, id, leased_until)).await
    }

    async fn command(
        &self,
        space: &SpaceId,
        id: DeliveryId,
        command: Command,
        now: Timestamp,
    ) -> Result<Commanded, StoreError> {
        let space = space.clone();
        self.writer.write(move |db| deliveries::command(db, &space, id, command, now)).await
    }

    async fn shadow(&self, subscription: SubscriptionId) -> Result<Option<Shadow>, StoreError> {
        self.readers.read(move |db| shadows::one(db, subscription)).await
    }

    async fn count_shadows(&self, counted: Vec<(SubscriptionId, PluginRef, Tally)>) -> Result<(), StoreError> {
        self.writer.write(move |db| shadows::count(db, &counted)).await
    }

    async fn raise_notices(
        &self,
        now: Timestamp,
        window: SignedDuration,
        quiet_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer.write(move |db| notices::raise(db, now, window, quiet_until)).await
    }

    async fn notices(&self, stage: NoticeStage, now: Timestamp, limit: usize) -> Result<Vec<Notice>, StoreError> {
        self.own_readers.read(move |db| notices::waiting(db, stage, now, limit)).await
    }

    async fn step_notice(&self, id: &EventId, step: NoticeStep) -> Result<(), StoreError> {
        let id = id.clone();
        self.writer.write(move |db| notices::step(db, &id, step)).await
    }

    async fn next_notice(&self, stage: NoticeStage, window: SignedDuration) -> Result<Option<Timestamp>, StoreError> {
        self.own_readers.read(move |db| notices::next(db, stage, window)).await
    }

    fn unreadable(&self) -> Vec<(&'static str, String)> {
        self.shared.unreadable.all()
    }

    fn commits(&self) -> u64 {
        self.writer.commits()
    }

    fn backlog(&self) -> [(DeliveryState, u64); 2] {
        self.writer.backlog()
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.writer.write(|db| open::probe(db)).await
    }
}
