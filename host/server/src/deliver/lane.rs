//! One subscription's lane: what waits in it, and how much of it may be in flight.

use std::collections::VecDeque;

use hookmill_model::{Rate, SpaceId, Subscription};
use jiff::Timestamp;

use crate::queues::Leased;

/// How an attempt ended, for what is known of its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The receiver answered, whatever it said.
    Answered,
    /// It did not answer in time.
    TimedOut,
    /// Nothing was sent, or the connection failed at once.
    Otherwise,
}

/// What a subscription allows its lane.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    pub(super) in_flight_max: Option<u32>,
    /// With the present time.
    pub(super) rate: Option<(Rate, Timestamp)>,
}

impl Pace {
    pub(super) fn of(subscription: &Subscription, now: impl FnOnce() -> Timestamp) -> Self {
        let rate = subscription.rate.map(|rate| (rate, now()));
        Self { in_flight_max: subscription.in_flight_max, rate }
    }
}

/// Whether a delivery can be started.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    /// If its lane may, at this pace.
    At(Pace),
    /// Its plugin is not compiled yet.
    Held,
}

/// The time of a rate, and what was started in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    pub(super) rate: Rate,
    pub(super) ends_at: Timestamp,
    pub(super) started: u32,
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) space: SpaceId,
    pub(super) waiting: VecDeque<Leased>,
    pub(super) in_flight: usize,
    /// Deliveries that may be in flight, as its receiver answers.
    pub(super) in_flight_max: usize,
    /// The same, as its subscription wants.
    pub(super) in_flight_wanted: usize,
    /// The time of its subscription's rate, if it has one.
    pub(super) period: Option<Period>,
    /// It used up its rate: nothing starts until that time is over.
    pub(super) paced: bool,
    /// Its receiver did not answer the last of them, though there was only one.
    pub(super) hangs: bool,
    /// It was full, or was emptied while held: it has rows that are fetched once no more than this wait.
    pub(super) refill_at: Option<usize>,
    /// Nothing starts until it is released.
    pub(super) held: bool,
    /// It stands in one of its space's queues.
    pub(super) queued: bool,
}

impl Lane {
    pub(super) fn new(space: SpaceId, in_flight_max: usize) -> Self {
        Self {
            space,
            waiting: VecDeque::new(),
            in_flight: 0,
            in_flight_max,
            in_flight_wanted: usize::MAX,
            period: None,
            paced: false,
            hangs: false,
            refill_at: None,
            held: false,
            queued: false,
        }
    }

    /// Takes note of what an attempt says of the receiver.
    pub(super) fn learn(&mut self, ended: Ended, in_flight_max: usize) {
        match ended {
            Ended::Answered => {
                self.in_flight_max = (self.in_flight_max + 1).min(in_flight_max);
                self.hangs = false;
            }
            Ended::TimedOut => {
                self.in_flight_max = (self.in_flight_max / 2).max(1);
                self.hangs = self.in_flight_max == 1;
            }
            Ended::Otherwise => {}
        }
    }

    pub(super) fn may_start(&self) -> bool {
        let in_flight_max = self.in_flight_max.min(self.in_flight_wanted);
        !self.held && !self.paced && !self.waiting.is_empty() && self.in_flight < in_flight_max
    }

    /// Counts a start against the rate. The time at which the next may start, if none may for now.
    pub(super) fn count(&mut self, rate: Option<(Rate, Timestamp)>) -> Option<Timestamp> {
        let Some((rate, now)) = rate else {
            self.period = None;
            return None;
        };
        let ends_at = now.checked_add(rate.per.length()).unwrap_or(now);
        let current = self.period.filter(|period| period.rate == rate && now < period.ends_at);
        let period = self.period.insert(current.unwrap_or(Period { rate, ends_at, started: 0 }));
        if period.started >= rate.count {
            return Some(period.ends_at);
        }
        period.started += 1;
        None
    }

    /// Whether it knows more than a new one would: of its receiver, or of its rate.
    pub(super) fn knows_more(&self, in_flight_max: usize) -> bool {
        self.hangs || self.in_flight_max < in_flight_max || self.period.is_some()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.waiting.is_empty() && !self.held && !self.paced && self.refill_at.is_none()
    }
}

/// Whether a lane that holds so many places gets one of its space's `room`: the first, or one that leaves a first for
/// another. Each takes up two of the room: one of the free places, and one of those that the space may still take.
pub(super) fn may_take(held: usize, room: usize) -> bool {
    held == 0 || held + 2 <= room
}
