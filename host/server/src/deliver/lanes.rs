//! What waits in memory: a lane for each subscription, taken from in turn.
//!
//! One subscription whose receiver hangs fills its own lane and its own share of what is in flight, and no more.

use std::collections::{HashMap, VecDeque};

use crate::config::DeliverConfig;
use crate::queues::Leased;
use hookmill_model::SubscriptionId;

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Leased>,
    in_flight: usize,
    /// Was found full, and has rows that nobody fetches until it is not.
    overflowed: bool,
}

/// All lanes.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: HashMap<SubscriptionId, Lane>,
    /// Lanes that have something waiting and may send it, each once.
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

    /// Lets a delivery wait, or gives it back if its lane is full.
    #[must_use]
    pub(super) fn push(&mut self, leased: Leased) -> Option<Leased> {
        let id = leased.delivery.subscription_id;
        let lane = self.lanes.entry(id).or_default();
        if lane.waiting.len() >= self.waiting_each {
            lane.overflowed = true;
            return Some(leased);
        }
        lane.waiting.push_back(leased);
        if lane.waiting.len() == 1 && lane.in_flight < self.in_flight_each {
            self.ready.push_back(id);
        }
        None
    }

    /// The next delivery to work on, if there is one and room for it. [`finished`](Self::finished) must follow.
    pub(super) fn start(&mut self) -> Option<Leased> {
        if self.in_flight >= self.in_flight_max {
            return None;
        }
        let id = self.ready.pop_front()?;
        let lane = self.lanes.get_mut(&id)?;
        let leased = lane.waiting.pop_front()?;
        lane.in_flight += 1;
        self.in_flight += 1;
        if !lane.waiting.is_empty() && lane.in_flight < self.in_flight_each {
            self.ready.push_back(id);
        }
        Some(leased)
    }

    /// One delivery of this subscription is done with. True if its rows should be fetched again.
    pub(super) fn finished(&mut self, id: SubscriptionId) -> bool {
        self.in_flight -= 1;
        let Some(lane) = self.lanes.get_mut(&id) else { return false };
        // It was at its bound, so it stood in no queue; now it may send again.
        if lane.in_flight == self.in_flight_each && !lane.waiting.is_empty() {
            self.ready.push_back(id);
        }
        lane.in_flight -= 1;
        let refill = lane.overflowed && lane.waiting.len() <= self.waiting_each / 2;
        if refill {
            lane.overflowed = false;
        }
        if lane.in_flight == 0 && lane.waiting.is_empty() {
            self.lanes.remove(&id);
        }
        refill
    }

    /// Subscriptions whose rows should not be fetched for now.
    pub(super) fn full(&self) -> Vec<SubscriptionId> {
        self.lanes.iter().filter(|(_, lane)| lane.overflowed).map(|(id, _)| *id).collect()
    }

    /// How many are being worked on.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Everything that waits, for handing it back.
    pub(super) fn drain(&mut self) -> Vec<Leased> {
        self.ready.clear();
        self.lanes.values_mut().flat_map(|lane| lane.waiting.drain(..)).collect()
    }
}
