//! Deliveries that wait in memory: one lane for each subscription, served in turn.
//!
//! A subscription whose receiver hangs fills its own lane and its own share of what is in flight, and no more. A lane
//! whose next delivery needs a plugin that is still being compiled is held: it takes no place in flight.

use std::collections::{HashMap, VecDeque};

use hookmill_model::{Delivery, SubscriptionId};

use crate::config::DeliverConfig;
use crate::queues::Leased;

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Leased>,
    in_flight: usize,
    /// It was full, or was emptied while held: it has rows that are not fetched until there is room again.
    overflowed: bool,
    /// Nothing starts until it is released.
    held: bool,
}

impl Lane {
    fn may_start(&self, in_flight_max: usize) -> bool {
        !self.held && !self.waiting.is_empty() && self.in_flight < in_flight_max
    }
}

/// All lanes.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: HashMap<SubscriptionId, Lane>,
    /// The lanes that may start a delivery, each once.
    ready: VecDeque<SubscriptionId>,
    in_flight: usize,
    in_flight_max: usize,
    in_flight_each: usize,
    waiting_each: usize,
}

impl Lanes {
    pub(super) fn new(config: &DeliverConfig) -> Self {
        Self {
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            in_flight: 0,
            in_flight_max: config.in_flight_max,
            in_flight_each: config.in_flight_per_subscription_max,
            waiting_each: config.waiting_per_subscription_max,
        }
    }

    /// Adds a delivery to its lane, or returns it if the lane has no room.
    #[must_use]
    pub(super) fn push(&mut self, leased: Leased) -> Option<Leased> {
        let id = leased.delivery.subscription_id;
        let lane = self.lanes.entry(id).or_default();
        if lane.waiting.len() >= self.waiting_each || (lane.held && lane.overflowed) {
            lane.overflowed = true;
            return Some(leased);
        }
        lane.waiting.push_back(leased);
        if lane.waiting.len() == 1 && lane.may_start(self.in_flight_each) {
            self.ready.push_back(id);
        }
        None
    }

    /// The next delivery to work on, if there is one and room for it. [`finished`](Self::finished) must follow.
    ///
    /// A lane whose next delivery `can_start` turns down is held until [`release`](Self::release).
    pub(super) fn start(&mut self, mut can_start: impl FnMut(&Delivery) -> bool) -> Option<Leased> {
        while self.in_flight < self.in_flight_max {
            let id = self.ready.pop_front()?;
            let lane = self.lanes.get_mut(&id)?;
            if !can_start(&lane.waiting.front()?.delivery) {
                lane.held = true;
                continue;
            }
            let leased = lane.waiting.pop_front()?;
            lane.in_flight += 1;
            self.in_flight += 1;
            if lane.may_start(self.in_flight_each) {
                self.ready.push_back(id);
            }
            return Some(leased);
        }
        None
    }

    /// Records that one delivery of this subscription has ended. True if the subscription's rows should be fetched again.
    pub(super) fn finished(&mut self, id: SubscriptionId) -> bool {
        self.in_flight -= 1;
        let Some(lane) = self.lanes.get_mut(&id) else { return false };
        let was_at_its_bound = lane.in_flight == self.in_flight_each;
        lane.in_flight -= 1;
        if was_at_its_bound && lane.may_start(self.in_flight_each) {
            self.ready.push_back(id);
        }
        self.refill(id)
    }

    /// Lets a held lane start deliveries again. True if the subscription's rows should be fetched again.
    pub(super) fn release(&mut self, id: SubscriptionId) -> bool {
        let Some(lane) = self.lanes.get_mut(&id) else { return false };
        lane.held = false;
        if lane.may_start(self.in_flight_each) {
            self.ready.push_back(id);
        }
        self.refill(id)
    }

    /// Ends an overflow for which there is room again, and removes a lane that has nothing left.
    fn refill(&mut self, id: SubscriptionId) -> bool {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| !lane.held) else { return false };
        let refill = lane.overflowed && lane.waiting.len() <= self.waiting_each / 2;
        if refill {
            lane.overflowed = false;
        }
        if lane.in_flight == 0 && lane.waiting.is_empty() {
            self.lanes.remove(&id);
        }
        refill
    }

    /// Takes what waits in held lanes, to be handed back to its rows: it must not fill the memory that others need.
    pub(super) fn empty_held(&mut self) -> Vec<Leased> {
        let mut taken = Vec::new();
        for lane in self.lanes.values_mut().filter(|lane| lane.held && !lane.waiting.is_empty()) {
            lane.overflowed = true;
            taken.extend(lane.waiting.drain(..));
        }
        taken
    }

    /// The subscriptions whose rows should not be fetched for now.
    pub(super) fn full(&self) -> Vec<SubscriptionId> {
        self.lanes.iter().filter(|(_, lane)| lane.overflowed).map(|(id, _)| *id).collect()
    }

    /// How many deliveries are being worked on.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Takes everything that waits, to be handed back to its rows.
    pub(super) fn drain(&mut self) -> Vec<Leased> {
        self.ready.clear();
        self.lanes.values_mut().flat_map(|lane| lane.waiting.drain(..)).collect()
    }
}
