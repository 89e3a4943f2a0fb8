//! The inbox: passes deliveries from accepting to delivering through memory.
//!
//! A delivery that is due at once need not be read back from its row: it is leased in the transaction that accepts its
//! event, and pushed here. The inbox bounds their number and size, of all spaces and of each: a space gets room only while
//! it holds less than what is free. So one space alone has half, two have a third each, and however many fill their
//! shares, the next one finds room. A delivery that does not fit stays in its row, and the loop fetches it later.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Alarm;
use crate::config::DeliverConfig;
use hookmill_model::{Delivery, SpaceId};

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
    of_space: HashMap<SpaceId, Share>,
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
    bytes: usize,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut waiting = self.inbox.waiting();
        waiting.all.count -= 1;
        waiting.all.bytes -= self.bytes;
        let Some(own) = waiting.of_space.get_mut(&self.space) else { return };
        own.count -= 1;
        own.bytes -= self.bytes;
        if own.count == 0 {
            waiting.of_space.remove(&self.space);
        }
    }
}

impl Waiting {
    /// Returns the room that a space has left.
    fn room(&self, space: &SpaceId, max: Share) -> Share {
        let own = self.of_space.get(space).copied().unwrap_or_default();
        let left = |max: usize, all: usize, own: usize| max.saturating_sub(all).saturating_sub(own);
        let count = left(max.count, self.all.count, own.count);
        let bytes = left(max.bytes, self.all.bytes, own.bytes);
        if count == 0 || bytes == 0 { Share::default() } else { Share { count, bytes } }
    }

    fn take(&mut self, space: &SpaceId, bytes: usize) {
        self.all.count += 1;
        self.all.bytes += bytes;
        if let Some(own) = self.of_space.get_mut(space) {
            own.count += 1;
            own.bytes += bytes;
        } else {
            self.of_space.insert(space.clone(), Share { count: 1, bytes });
        }
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

    /// Returns the number of a space's deliveries that wait in memory.
    pub fn held(&self, space: &SpaceId) -> usize {
        self.waiting().of_space.get(space).map_or(0, |own| own.count)
    }

    /// Reserves room for one delivery of an event of that size, if its space has any.
    pub fn reserve(&self, space: &SpaceId, event_bytes: usize) -> Option<Reservation> {
        let mut waiting = self.waiting();
        if waiting.room(space, self.0.max).count == 0 {
            return None;
        }
        waiting.take(space, event_bytes);
        Some(Reservation { inbox: self.clone(), space: space.clone(), bytes: event_bytes })
    }

    /// Reserves room regardless of the limit, for a delivery that is in memory already.
    pub fn take(&self, space: &SpaceId, event_bytes: usize) -> Reservation {
        self.waiting().take(space, event_bytes);
        Reservation { inbox: self.clone(), space: space.clone(), bytes: event_bytes }
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
