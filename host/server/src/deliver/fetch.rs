//! Fetching due rows into the lanes: of each space in turn, and within a space of each subscription.
//!
//! The store says which subscriptions have pending rows and since when; who has room for how many is decided here. So the
//! cost does not depend on how many rows anyone has, and one backlog never delays another.

use std::collections::HashMap;

use hookmill_model::{Delivery, SpaceId, SubscriptionId};
use hookmill_store::StoreError;
use jiff::Timestamp;
use tokio::task::JoinError;

use super::{Deliver, STORE_PAUSE};
use crate::queues::Leased;

/// Rows to lease, and when to look again.
#[derive(Debug, Default)]
struct Wanted {
    rows: Vec<(SubscriptionId, usize)>,
    next: Option<Timestamp>,
}

impl Wanted {
    fn look_at(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

/// What a step of a fetch returned.
#[derive(Debug)]
pub(super) enum Fetched {
    /// The subscriptions that have pending rows, and since when.
    Pending(Result<Vec<(SubscriptionId, Timestamp)>, StoreError>),
    /// Rows that were leased.
    Leased(Result<Vec<Delivery>, StoreError>),
}

impl Deliver {
    /// Begins to fetch due rows into the lanes. The loop does not wait for it: others commit what may take some time, and
    /// what is in memory is started meanwhile.
    pub(super) fn fetch(&mut self) {
        self.host.inbox.alarm().forget();
        let host = self.host.clone();
        self.fetching.spawn(async move { Fetched::Pending(host.store.pending().await) });
    }

    /// Takes in what a step of a fetch returned; leases rows after the first.
    pub(super) fn fetched(&mut self, ended: Result<Fetched, JoinError>) {
        match ended.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic())) {
            Fetched::Pending(Ok(pending)) => self.lease(pending),
            Fetched::Leased(Ok(rows)) => {
                self.leased(rows);
                // There may be more.
                self.host.inbox.alarm().due(self.host.clock.now());
            }
            Fetched::Pending(Err(err)) | Fetched::Leased(Err(err)) => {
                self.store_failed("fetching due deliveries", &err);
            }
        }
    }

    fn lease(&mut self, pending: Vec<(SubscriptionId, Timestamp)>) {
        let host = self.host.clone();
        let now = host.clock.now();
        let Wanted { rows, next } = self.wanted(pending, now);
        if rows.is_empty() {
            next.into_iter().for_each(|next| host.inbox.alarm().due(next));
            return;
        }
        self.fetching.spawn(async move {
            let bytes_max = host.config.deliver.waiting_bytes_max / 2;
            Fetched::Leased(host.store.lease_due(now, host.lease_until(now), rows, bytes_max).await)
        });
    }

    /// Adds leased rows to their lanes.
    pub(super) fn leased(&mut self, rows: Vec<Delivery>) {
        for delivery in rows {
            let reservation = self.host.inbox.take(&delivery);
            self.overflow.extend(self.lanes.push(Leased { delivery, reservation }));
        }
    }

    /// Shares out what is fetched at once among the subscriptions with due rows, those that wait the longest first.
    fn wanted(&mut self, pending: Vec<(SubscriptionId, Timestamp)>, now: Timestamp) -> Wanted {
        let mut wanted = Wanted::default();
        let mut due = Vec::new();
        for (id, at) in pending {
            if at > now {
                wanted.look_at(at);
                continue;
            }
            // A deleted subscription has no space here; its rows are cancelled one by one.
            let compiled = self.host.registry.get(id);
            let rate = compiled.as_ref().and_then(|compiled| compiled.subscription.rate);
            let space = compiled.as_ref().map(|compiled| compiled.subscription.space.clone());
            let room = space.as_ref().map_or(usize::MAX, |space| self.host.inbox.room_of(space, id));
            // A full lane says when there is room again.
            if !self.lanes.is_full(id, rate, room) {
                // What its rate does not allow would have to be handed back. Each row takes up three of its room: one of what
                // is free, of what its space may still hold, and of what it may itself.
                let allowed = rate.map_or(usize::MAX, |rate| rate.count as usize);
                let most = allowed.min(self.lanes.room(id)).min(room.div_ceil(3));
                due.push(Due { at, id, space, most });
            }
        }
        due.sort_unstable_by_key(|due| due.at);
        let later = now.checked_add(STORE_PAUSE).unwrap_or(now);
        let mut rooms = self.rooms(&due, later, &mut wanted);
        let mut left = self.host.config.deliver.fetch_max;
        for Due { id, space, most, .. } in due {
            let Some(room) = rooms.get_mut(&space) else { continue };
            let rows = (room.rows / room.subscriptions).max(1).min(room.rows).min(left).min(most);
            room.subscriptions -= 1;
            if rows == 0 {
                // The others go first, or what fills its share is being committed.
                wanted.look_at(if most == 0 { later } else { now });
                continue;
            }
            room.rows -= rows;
            left -= rows;
            wanted.rows.push((id, rows));
        }
        wanted
    }

    /// Returns the share of each space that has due rows and room for them.
    fn rooms(&mut self, due: &[Due], later: Timestamp, wanted: &mut Wanted) -> HashMap<Option<SpaceId>, Room> {
        let mut rooms: HashMap<Option<SpaceId>, Room> = HashMap::new();
        for due in due {
            rooms.entry(due.space.clone()).or_default().subscriptions += 1;
        }
        let each = (self.host.config.deliver.fetch_max / rooms.len().max(1)).max(1);
        let inbox = &self.host.inbox;
        rooms.retain(|space, room| {
            let Some(space) = space else {
                room.rows = each;
                return true;
            };
            let full = self.lanes.is_full_space(space, inbox);
            // Each row takes up two of it, for the same reason.
            room.rows = each.min(inbox.room(space).count.div_ceil(2));
            if full {
                // The space's lanes say when there is room again, unless what fills it is lost before it is there.
                wanted.look_at(later);
            }
            !full
        });
        rooms
    }
}

/// A subscription with due rows, of which `most` may be fetched.
#[derive(Debug)]
struct Due {
    at: Timestamp,
    id: SubscriptionId,
    space: Option<SpaceId>,
    most: usize,
}

/// What may be fetched of one space.
#[derive(Debug, Default)]
struct Room {
    subscriptions: usize,
    rows: usize,
}
