//! The inbox: passes deliveries from accepting to delivering through memory.
//!
//! A delivery that is due at once need not be read back from its row: it is leased in the transaction that accepts its
//! event, and pushed here. The inbox bounds their number and size, of all spaces and of each: a space gets room only while
//! it holds less than what is free, and a subscription only while it holds less than its space still gets. So one space
//! alone has half, two have a third each, and however many fill their shares, the next one finds room. A delivery that
//! does not fit stays in its row, and the loop fetches it later.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Alarm;
use crate::config::DeliverConfig;
use hookmill_model::{Delivery, SpaceId, SubscriptionId};

/// The inbox of the deliver loop; clones share it.
#[derive(Clone, Debug)]
pub struct Inbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    arrived: Mutex<Vec<Leased>>,
    /// The time at which the next row is known to be due.
    alarm: Alarm,
    waiting: Mutex<Waiting>,
    max: Share,
}

/// A number of deliveries, and the bytes of their events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Deliveries.
    pub count: usize,
    /// Bytes.
    pub bytes: usize,
}

/// What waits in memory.
#[derive(Debug, Default)]
struct Waiting {
    all: Share,
    /// Of each space that has anything.
    of_space: HashMap<SpaceId, WaitingOfSpace>,
}

#[derive(Debug, Default)]
struct WaitingOfSpace {
    share: Share,
    /// Deliveries of each subscription that has any.
    of_subscription: HashMap<SubscriptionId, usize>,
}

/// A leased delivery, with its reservation in the inbox.
#[derive(Debug)]
pub struct Leased {
    /// The delivery.
    pub delivery: Delivery,
    /// Its reservation.
    pub reservation: Reservation,
}

/// Room in memory for one delivery; released on drop.
#[derive(Debug)]
pub struct Reservation {
    inbox: Inbox,
    space: SpaceId,
    subscription: SubscriptionId,
    bytes: usize,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut waiting = self.inbox.waiting();
        waiting.all.count -= 1;
        waiting.all.bytes -= self.bytes;
        let Some(own) = waiting.of_space.get_mut(&self.space) else { return };
        own.share.count -= 1;
        own.share.bytes -= self.bytes;
        if own.share.count == 0 {
            waiting.of_space.remove(&self.space);
        } else if let Entry::Occupied(mut count) = own.of_subscription.entry(self.subscription) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Waiting {
    /// Returns the room that a space has left.
    fn room(&self, space: &SpaceId, max: Share) -> Share {
        let own = self.of_space.get(space).map_or(Share::default(), |own| own.share);
        let left = |max: usize, all: usize, own: usize| max.saturating_sub(all).saturating_sub(own);
        let count = left(max.count, self.all.count, own.count);
        let bytes = left(max.bytes, self.all.bytes, own.bytes);
        if count == 0 || bytes == 0 { Share::default() } else { Share { count, bytes } }
    }

    /// Returns the number of deliveries for which a subscription has room left. One that has any leaves room for the first of
    /// another.
    fn room_of(&self, space: &SpaceId, subscription: SubscriptionId, max: Share) -> usize {
        let own = self.of_space.get(space).and_then(|own| own.of_subscription.get(&subscription)).copied();
        self.room(space, max).count.saturating_sub(own.map_or(0, |own| own + 1))
    }

    fn take(&mut self, space: &SpaceId, subscription: SubscriptionId, bytes: usize) {
        self.all.count += 1;
        self.all.bytes += bytes;
        if !self.of_space.contains_key(space) {
            self.of_space.insert(space.clone(), WaitingOfSpace::default());
        }
        let Some(own) = self.of_space.get_mut(space) else { return };
        own.share.count += 1;
        own.share.bytes += bytes;
        *own.of_subscription.entry(subscription).or_default() += 1;
    }
}

impl Inbox {
    /// Creates an empty inbox with the configured limits.
    pub fn new(config: &DeliverConfig) -> Self {
        Self(Arc::new(Inner {
            arrived: Mutex::default(),
            alarm: Alarm::default(),
            waiting: Mutex::default(),
            max: Share { count: config.waiting_max, bytes: config.waiting_bytes_max },
        }))
    }

    /// Returns whether nothing more fits, of any space.
    pub fn is_full(&self) -> bool {
        let Share { count, bytes } = self.waiting().all;
        count >= self.0.max.count || bytes >= self.0.max.bytes
    }

    /// Returns how much more of a space fits; nothing if it holds as much as is free.
    pub fn room(&self, space: &SpaceId) -> Share {
        self.waiting().room(space, self.0.max)
    }

    /// Returns for how many more deliveries a subscription has room.
    pub fn room_of(&self, space: &SpaceId, subscription: SubscriptionId) -> usize {
        self.waiting().room_of(space, subscription, self.0.max)
    }

    /// Returns the number of a space's deliveries that wait in memory.
    pub fn held(&self, space: &SpaceId) -> usize {
        self.waiting().of_space.get(space).map_or(0, |own| own.share.count)
    }

    /// Reserves room for one delivery of an event of that size, if its space and its subscription have any.
    pub fn reserve(&self, space: &SpaceId, subscription: SubscriptionId, event_bytes: usize) -> Option<Reservation> {
        let mut waiting = self.waiting();
        if waiting.room_of(space, subscription, self.0.max) == 0 {
            return None;
        }
        waiting.take(space, subscription, event_bytes);
        Some(self.reservation(space, subscription, event_bytes))
    }

    /// Reserves room regardless of the limit, for a delivery that is in memory already.
    pub fn take(&self, delivery: &Delivery) -> Reservation {
        let (space, subscription, bytes) = (&delivery.event.space, delivery.subscription_id, delivery.bytes());
        self.waiting().take(space, subscription, bytes);
        self.reservation(space, subscription, bytes)
    }

    fn reservation(&self, space: &SpaceId, subscription: SubscriptionId, bytes: usize) -> Reservation {
        Reservation { inbox: self.clone(), space: space.clone(), subscription, bytes }
    }

    /// Adds deliveries that were leased and committed.
    pub fn push(&self, leased: Vec<Leased>) {
        if !leased.is_empty() {
            self.arrived().extend(leased);
            self.0.alarm.ring();
        }
    }

    /// The alarm for the next due row; also rings on a push.
    pub fn alarm(&self) -> &Alarm {
        &self.0.alarm
    }

    /// Returns the deliveries that were pushed since the last call.
    pub fn arrivals(&self) -> Vec<Leased> {
        std::mem::take(&mut *self.arrived())
    }

    fn arrived(&self) -> MutexGuard<'_, Vec<Leased>> {
        // A panic cannot leave the list half-written: pushing and taking are one step each.
        self.0.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is locked.
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
