//! Deliveries that wait in memory: one lane for each subscription, in turn between spaces and then between a space's lanes.
//!
//! A place in flight goes to a space only while it holds fewer places than are free, and within the space to a lane only
//! while it holds fewer than the space may still take. So nobody takes the last places: one space whose receivers hang
//! holds half of all, two hold a third each, and the next one always finds a place.
//!
//! An attempt that has ended is not recorded at once, and would be sent again after a crash: so many of them count, too.
//! They are their space's: of both together, as many again may be held, shared by the same rule. A space whose attempts end
//! faster than they are recorded waits for that itself.
//!
//! A lane may have so many deliveries in flight as its receiver answers: each timeout halves their number, each answer
//! adds one. The lanes of a space that are down to one, since their receivers hang, share the places of one lane.
//!
//! A lane whose next delivery needs a plugin that is still being compiled is held: it takes no place in flight. A lane that
//! has used up its subscription's rate waits until the rate's time is over; meanwhile its deliveries go back to their rows,
//! since their leases would expire. What was sent before a restart is not known: a new period begins.

use std::collections::{BTreeSet, HashMap, VecDeque};

use hookmill_model::{Delivery, Rate, SpaceId, SubscriptionId};
use jiff::Timestamp;

use super::lane::{Check, Ended, Lane, may_take};
use crate::config::DeliverConfig;
use crate::queues::{Inbox, Leased};

/// Lanes that are kept although nothing is in them, for what is known of their receivers.
const IDLE_MAX: usize = 16_384;

/// What a space has in its lanes.
#[derive(Debug, Default)]
struct SpaceLanes {
    waiting: usize,
    in_flight: usize,
    /// Attempts that ended and are not recorded yet.
    unrecorded: usize,
    /// Those in flight that are in lanes that hang.
    hanging: usize,
    /// It had no room for its due rows: they are fetched when no more than this wait.
    refill_at: Option<usize>,
    /// The lanes that may start a delivery, each once; those that hang apart. A lane that no longer may, or belongs to the
    /// other queue, is found out when it has its turn.
    ready: VecDeque<SubscriptionId>,
    ready_hanging: VecDeque<SubscriptionId>,
    /// The last turn was a lane's that does not hang.
    hanging_next: bool,
    /// It stands in the ring.
    queued: bool,
}

impl SpaceLanes {
    fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.unrecorded == 0 && self.waiting == 0 && !self.queued && self.refill_at.is_none()
    }

    /// How many of the free places the space may still take.
    fn room(&self, free: Free) -> usize {
        let unrecorded = free.unrecorded.saturating_sub(self.in_flight + self.unrecorded);
        free.places.saturating_sub(self.in_flight).min(unrecorded)
    }
}

/// Places that no space holds.
#[derive(Clone, Copy, Debug)]
struct Free {
    /// In flight.
    places: usize,
    /// In flight or not recorded yet.
    unrecorded: usize,
}

/// All lanes.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: HashMap<SubscriptionId, Lane>,
    /// The spaces that have anything waiting or in flight.
    spaces: HashMap<SpaceId, SpaceLanes>,
    /// The spaces that may have a lane that may start a delivery, each once.
    ring: VecDeque<SpaceId>,
    in_flight: usize,
    unrecorded: usize,
    in_flight_max: usize,
    in_flight_each: usize,
    waiting_each: usize,
    /// How many lanes are held.
    held: usize,
    /// The lanes that wait for the end of a rate's time.
    paced: BTreeSet<(Timestamp, SubscriptionId)>,
    /// Those whose deliveries are to go back to their rows.
    to_empty: Vec<SubscriptionId>,
}

impl Lanes {
    pub(super) fn new(config: &DeliverConfig) -> Self {
        Self {
            lanes: HashMap::new(),
            spaces: HashMap::new(),
            ring: VecDeque::new(),
            in_flight: 0,
            unrecorded: 0,
            in_flight_max: config.in_flight_max,
            in_flight_each: config.in_flight_per_subscription_max,
            waiting_each: config.waiting_per_subscription_max,
            held: 0,
            paced: BTreeSet::new(),
            to_empty: Vec::new(),
        }
    }

    /// Adds a delivery to its lane, or returns it if the lane has no room.
    #[must_use]
    pub(super) fn push(&mut self, leased: Leased) -> Option<Leased> {
        let id = leased.delivery.subscription_id;
        let lane =
            self.lanes.entry(id).or_insert_with(|| Lane::new(leased.delivery.event.space.clone(), self.in_flight_each));
        if lane.waiting.len() >= self.waiting_each || lane.paced || (lane.held && lane.refill_at.is_some()) {
            lane.refill_at.get_or_insert(lane.waiting.len() / 2);
            return Some(leased);
        }
        lane.waiting.push_back(leased);
        match self.spaces.get_mut(&lane.space) {
            Some(space) => space.waiting += 1,
            None => _ = self.spaces.insert(lane.space.clone(), SpaceLanes { waiting: 1, ..SpaceLanes::default() }),
        }
        self.queue(id);
        None
    }

    /// Gives the lane a turn, if it may start a delivery.
    fn queue(&mut self, id: SubscriptionId) {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.may_start() && !lane.queued) else { return };
        let Some(space) = self.spaces.get_mut(&lane.space) else { return };
        lane.queued = true;
        if lane.hangs { &mut space.ready_hanging } else { &mut space.ready }.push_back(id);
        if !space.queued {
            space.queued = true;
            self.ring.push_back(lane.space.clone());
        }
    }

    /// The next delivery to work on, if there is one and room for it. [`finished`](Self::finished) must follow.
    ///
    /// A lane whose next delivery `check` holds starts nothing until [`release`](Self::release).
    pub(super) fn start(&mut self, mut check: impl FnMut(&Delivery) -> Check) -> Option<Leased> {
        let free = Free {
            places: self.in_flight_max.saturating_sub(self.in_flight),
            unrecorded: (2 * self.in_flight_max).saturating_sub(self.in_flight + self.unrecorded),
        };
        let turns = if free.places > 0 && free.unrecorded > 0 { self.ring.len() } else { 0 };
        for _ in 0..turns {
            let name = self.ring.pop_front()?;
            let Some(space) = self.spaces.get_mut(&name) else { continue };
            let mut stopped = Stopped { held: &mut self.held, paced: &mut self.paced, to_empty: &mut self.to_empty };
            let started = next(&mut self.lanes, space, free, &mut check, &mut stopped);
            self.in_flight += usize::from(started.is_some());
            if space.ready.is_empty() && space.ready_hanging.is_empty() {
                space.queued = false;
            } else {
                self.ring.push_back(name);
            }
            if started.is_some() {
                return started;
            }
        }
        None
    }

    /// Records that one delivery of this subscription has ended. True if the subscription's rows should be fetched again.
    pub(super) fn finished(&mut self, id: SubscriptionId, ended: Ended) -> bool {
        self.in_flight -= 1;
        let Some(lane) = self.lanes.get_mut(&id) else { return false };
        let Some(space) = self.spaces.get_mut(&lane.space) else { return false };
        let hung = lane.hangs;
        space.hanging -= if hung { lane.in_flight } else { 0 };
        lane.in_flight -= 1;
        space.in_flight -= 1;
        lane.learn(ended, self.in_flight_each);
        space.hanging += if lane.hangs { lane.in_flight } else { 0 };
        self.queue(id);
        self.refill(id)
    }

    /// Records that an attempt of this space has ended and is to be recorded. [`recorded`](Self::recorded) must follow.
    pub(super) fn unrecorded(&mut self, space: &SpaceId) {
        self.unrecorded += 1;
        match self.spaces.get_mut(space) {
            Some(own) => own.unrecorded += 1,
            None => _ = self.spaces.insert(space.clone(), SpaceLanes { unrecorded: 1, ..SpaceLanes::default() }),
        }
    }

    /// Records that an attempt of this space has been recorded.
    pub(super) fn recorded(&mut self, space: &SpaceId) {
        self.unrecorded -= 1;
        let Some(own) = self.spaces.get_mut(space) else { return };
        own.unrecorded -= 1;
        if own.is_idle() {
            self.spaces.remove(space);
        }
    }

    /// Lets a held lane start deliveries again. True if the subscription's rows should be fetched again.
    pub(super) fn release(&mut self, id: SubscriptionId) -> bool {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.held) else { return false };
        lane.held = false;
        self.held -= 1;
        self.queue(id);
        self.refill(id)
    }

    /// When the next lane's rate allows it to start again.
    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        self.paced.first().map(|(at, _)| *at)
    }

    /// Lets the lanes start again whose rate allows it. True if rows should be fetched again.
    pub(super) fn wake(&mut self, now: Timestamp) -> bool {
        let mut woken = false;
        while let Some((_, id)) = self.paced.first().copied().filter(|(at, _)| *at <= now) {
            self.paced.pop_first();
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            (lane.paced, lane.refill_at, lane.period) = (false, None, None);
            woken = true;
            self.queue(id);
            self.refill(id);
        }
        woken
    }

    /// Ends an overflow for which there is room again, and removes a lane of which nothing is left to know.
    fn refill(&mut self, id: SubscriptionId) -> bool {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| !lane.held && !lane.paced) else { return false };
        let mut refill = lane.refill_at.take_if(|refill_at| lane.waiting.len() <= *refill_at).is_some();
        if let Some(space) = self.spaces.get_mut(&lane.space) {
            if space.refill_at.is_some_and(|refill_at| space.waiting <= refill_at) {
                space.refill_at = None;
                refill = true;
            }
            if space.is_idle() {
                self.spaces.remove(&lane.space);
            }
        }
        if lane.is_idle() && !lane.knows_more(self.in_flight_each) {
            self.lanes.remove(&id);
        } else if self.lanes.len() > 2 * IDLE_MAX {
            self.lanes.retain(|_, lane| !lane.is_idle());
        }
        refill
    }

    /// Takes what waits in lanes that have used up their rate, to be handed back to its rows.
    pub(super) fn empty_paced(&mut self) -> Vec<Leased> {
        let mut taken = Vec::new();
        for id in self.to_empty.drain(..) {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            lane.refill_at = Some(0);
            if let Some(space) = self.spaces.get_mut(&lane.space) {
                space.waiting -= lane.waiting.len();
                space.refill_at = None;
            }
            taken.extend(lane.waiting.drain(..));
        }
        taken
    }

    /// Takes what waits in held lanes of spaces that have no room left, to be handed back to its rows: it must not fill the
    /// memory that others need.
    pub(super) fn empty_held(&mut self, inbox: &Inbox) -> Vec<Leased> {
        let mut taken = Vec::new();
        if self.held == 0 {
            return taken;
        }
        let held = self.lanes.values_mut().filter(|lane| lane.held && !lane.waiting.is_empty());
        for lane in held.filter(|lane| inbox.room(&lane.space).count == 0) {
            lane.refill_at = Some(0);
            if let Some(space) = self.spaces.get_mut(&lane.space) {
                space.waiting -= lane.waiting.len();
                space.refill_at = None;
            }
            taken.extend(lane.waiting.drain(..));
        }
        taken
    }

    /// How many more deliveries of this subscription fit into its lane.
    pub(super) fn room(&self, id: SubscriptionId) -> usize {
        self.lanes.get(&id).map_or(self.waiting_each, |lane| self.waiting_each.saturating_sub(lane.waiting.len()))
    }

    /// Whether the lane's rows should not be fetched for now, given the room that its subscription has in memory. Another
    /// rate than the one that it used up ends its wait.
    pub(super) fn is_full(&mut self, id: SubscriptionId, rate: Option<Rate>, room: usize) -> bool {
        let Some(lane) = self.lanes.get_mut(&id) else { return false };
        if let Some(period) = lane.period.filter(|period| lane.paced && Some(period.rate) != rate) {
            self.paced.remove(&(period.ends_at, id));
            (lane.paced, lane.refill_at, lane.period) = (false, None, None);
        }
        if lane.waiting.len() >= self.waiting_each || (room == 0 && !lane.waiting.is_empty()) {
            lane.refill_at.get_or_insert(lane.waiting.len() / 2);
        }
        lane.refill_at.is_some()
    }

    /// Whether a space's rows should not be fetched for now, since it has no room in memory. They are fetched once half of
    /// what it has there is gone, or earlier.
    pub(super) fn is_full_space(&mut self, name: &SpaceId, inbox: &Inbox) -> bool {
        if inbox.room(name).count > 0 {
            return false;
        }
        let space = self.spaces.entry(name.clone()).or_default();
        space.refill_at.get_or_insert(inbox.held(name) / 2);
        true
    }

    /// How many deliveries are being worked on.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Takes everything that waits, to be handed back to its rows.
    pub(super) fn drain(&mut self) -> Vec<Leased> {
        self.ring.clear();
        self.lanes.values_mut().flat_map(|lane| lane.waiting.drain(..)).collect()
    }
}

/// The lanes that stop when it is their turn.
struct Stopped<'a> {
    held: &'a mut usize,
    paced: &'a mut BTreeSet<(Timestamp, SubscriptionId)>,
    to_empty: &'a mut Vec<SubscriptionId>,
}

/// Starts the next delivery of a space, if it may take one of the free places.
fn next(
    lanes: &mut HashMap<SubscriptionId, Lane>,
    space: &mut SpaceLanes,
    free: Free,
    check: &mut impl FnMut(&Delivery) -> Check,
    stopped: &mut Stopped<'_>,
) -> Option<Leased> {
    let room = space.room(free);
    if room == 0 {
        return None;
    }
    let hanging_first = std::mem::replace(&mut space.hanging_next, false);
    for hanging in [hanging_first, !hanging_first] {
        let turns = if hanging { space.ready_hanging.len() } else { space.ready.len() };
        for _ in 0..turns {
            if hanging && !may_take(space.hanging, room) {
                break;
            }
            let id = if hanging { &mut space.ready_hanging } else { &mut space.ready }.pop_front()?;
            let Some(lane) = lanes.get_mut(&id) else { continue };
            if lane.hangs != hanging {
                if lane.hangs { &mut space.ready_hanging } else { &mut space.ready }.push_back(id);
                continue;
            }
            if !lane.may_start() {
                lane.queued = false;
                continue;
            }
            if !hanging && !may_take(lane.in_flight, room) {
                space.ready.push_back(id);
                continue;
            }
            let Check::At(pace) = check(&lane.waiting.front()?.delivery) else {
                (lane.held, lane.queued) = (true, false);
                *stopped.held += 1;
                continue;
            };
            lane.in_flight_wanted = pace.in_flight_max.map_or(usize::MAX, |max| max as usize);
            if !lane.may_start() {
                lane.queued = false;
                continue;
            }
            if let Some(at) = lane.count(pace.rate) {
                (lane.paced, lane.queued) = (true, false);
                stopped.paced.insert((at, id));
                stopped.to_empty.push(id);
                continue;
            }
            let leased = lane.waiting.pop_front()?;
            lane.in_flight += 1;
            space.waiting -= 1;
            space.in_flight += 1;
            space.hanging += usize::from(hanging);
            space.hanging_next = !hanging;
            lane.queued = lane.may_start();
            if lane.queued {
                if hanging { &mut space.ready_hanging } else { &mut space.ready }.push_back(id);
            }
            return Some(leased);
        }
    }
    None
}
