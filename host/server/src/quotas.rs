//! Quotas: how much of the host each space may use, and how much it does.
//!
//! Rates are token buckets in memory, so that no event waits for a query. They hold the amount of one period, and are full
//! after a start. What a request uses is known only when it is accepted, so a request may leave a bucket in debt; the next
//! is refused until the debt is paid.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookmill_model::{Quotas as Limits, SpaceId};
use hookmill_store::{Store, StoreError};
use jiff::Timestamp;

use crate::error::{Code, Error};

/// Spaces read from the store at a time.
const PAGE: usize = 1_000;

/// Seconds of a day.
const DAY_S: f64 = 86_400.0;

/// Seconds after which to try again to store more: retention deletes the oldest once a minute.
const STORED_RETRY_S: u32 = 60;

/// An amount that refills at a constant rate.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    level: f64,
    at: Timestamp,
}

impl Bucket {
    /// A bucket that holds `capacity`.
    pub fn full(capacity: f64, now: Timestamp) -> Self {
        Self { level: capacity, at: now }
    }

    /// Fills in what has accrued since the last call, `capacity` in `period_s` seconds; returns the level.
    fn refill(&mut self, capacity: f64, period_s: f64, now: Timestamp) -> f64 {
        let elapsed_s = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.level = (self.level + elapsed_s * capacity / period_s).min(capacity);
        self.at = now;
        self.level
    }

    /// Takes one.
    ///
    /// # Errors
    /// The seconds until there is one.
    pub fn take(&mut self, capacity: f64, period_s: f64, now: Timestamp) -> Result<(), u32> {
        let level = self.refill(capacity, period_s, now);
        if level >= 1.0 {
            self.level -= 1.0;
            return Ok(());
        }
        Err(wait_s(level, capacity, period_s))
    }
}

/// Returns the seconds until a bucket at this level holds one again, at least 1.
fn wait_s(level: f64, capacity: f64, period_s: f64) -> u32 {
    ((1.0 - level) * period_s / capacity).ceil().clamp(1.0, f64::from(u32::MAX)) as u32
}

/// A quota that is a rate.
#[derive(Clone, Copy)]
enum Rate {
    EventsPerS,
    EventsPerDay,
    DeliveriesPerS,
    DeliveriesPerDay,
}

const RATES: [Rate; 4] = [Rate::EventsPerS, Rate::EventsPerDay, Rate::DeliveriesPerS, Rate::DeliveriesPerDay];

impl Rate {
    fn name(self) -> &'static str {
        match self {
            Self::EventsPerS => "events_per_s",
            Self::EventsPerDay => "events_per_day",
            Self::DeliveriesPerS => "deliveries_per_s",
            Self::DeliveriesPerDay => "deliveries_per_day",
        }
    }

    fn limit(self, limits: &Limits) -> Option<f64> {
        let limit = match self {
            Self::EventsPerS => limits.events_per_s,
            Self::EventsPerDay => limits.events_per_day,
            Self::DeliveriesPerS => limits.deliveries_per_s,
            Self::DeliveriesPerDay => limits.deliveries_per_day,
        };
        limit.map(f64::from)
    }

    fn period_s(self) -> f64 {
        match self {
            Self::EventsPerS | Self::DeliveriesPerS => 1.0,
            Self::EventsPerDay | Self::DeliveriesPerDay => DAY_S,
        }
    }

    fn of(self, events: u64, deliveries: u64) -> f64 {
        match self {
            Self::EventsPerS | Self::EventsPerDay => events as f64,
            Self::DeliveriesPerS | Self::DeliveriesPerDay => deliveries as f64,
        }
    }
}

#[derive(Default)]
struct SpaceUse {
    own: Limits,
    /// One bucket for each rate that has a limit, created when it is first needed.
    buckets: [Option<Bucket>; RATES.len()],
}

/// The quotas of all spaces, and what has been used of their rates.
pub struct Quotas {
    default: Limits,
    spaces: Mutex<HashMap<SpaceId, SpaceUse>>,
}

impl Quotas {
    /// Reads the quotas of every space.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn load(store: &dyn Store, default: Limits) -> Result<Self, StoreError> {
        let quotas = Self { default, spaces: Mutex::default() };
        let mut after = None;
        loop {
            let page = store.spaces(after, PAGE).await?;
            after = page.last().map(|space| space.id.clone());
            let last = page.len() < PAGE;
            page.iter().for_each(|space| quotas.set(&space.id, space.quotas));
            if last {
                return Ok(quotas);
            }
        }
    }

    /// Sets a space's own quotas. Its rates start with full buckets.
    pub fn set(&self, space: &SpaceId, own: Limits) {
        if own == Limits::default() {
            self.lock().remove(space);
        } else {
            self.lock().insert(space.clone(), SpaceUse { own, ..SpaceUse::default() });
        }
    }

    /// Returns what applies to a space: its own quotas, and the defaults for the rest.
    pub fn limits(&self, space: &SpaceId) -> Limits {
        self.lock().get(space).map(|used| used.own).unwrap_or_default().or(self.default)
    }

    /// Checks that a space may post events now.
    ///
    /// # Errors
    /// If a rate is exceeded: it is named, with the seconds after which to try again.
    pub fn check_rates(&self, space: &SpaceId, now: Timestamp) -> Result<(), Error> {
        let mut spaces = self.lock();
        let Some((limits, used)) = self.rated(&mut spaces, space) else { return Ok(()) };
        for (rate, bucket) in RATES.into_iter().zip(&mut used.buckets) {
            let Some(limit) = rate.limit(&limits) else { continue };
            let level = bucket.get_or_insert(Bucket::full(limit, now)).refill(limit, rate.period_s(), now);
            if level < 1.0 {
                let detail = format!("the space's quota `{}` of {limit} is used up", rate.name());
                let retry_after_s = Some(wait_s(level, limit, rate.period_s()));
                return Err(Error { retry_after_s, ..Error::new(Code::QuotaExceeded, detail) });
            }
        }
        Ok(())
    }

    /// Checks that a space may store more, now that it stores so many bytes.
    ///
    /// # Errors
    /// If it stores as much as its quota: that is named, with the seconds after which to try again.
    pub fn check_stored(&self, space: &SpaceId, stored: u64) -> Result<(), Error> {
        match self.limits(space).stored_bytes {
            Some(limit) if stored >= limit => {
                let detail = format!(
                    "the space's quota `stored_bytes` of {limit} is used up: wait until its retention frees some, shorten that, \
                     erase, or ask for a higher quota"
                );
                let retry_after_s = Some(STORED_RETRY_S);
                Err(Error { retry_after_s, ..Error::new(Code::QuotaExceeded, detail) })
            }
            _ => Ok(()),
        }
    }

    /// Returns how many deliveries a space may have now that are not of an event being posted: half of each rate is left to
    /// those.
    ///
    /// # Errors
    /// The seconds until there is one.
    pub fn spare_deliveries(&self, space: &SpaceId, now: Timestamp) -> Result<u64, u32> {
        let mut spaces = self.lock();
        let Some((limits, used)) = self.rated(&mut spaces, space) else { return Ok(u64::MAX) };
        let mut spare = u64::MAX;
        for (rate, bucket) in RATES.into_iter().zip(&mut used.buckets).filter(|(rate, _)| rate.of(0, 1) > 0.0) {
            let Some(limit) = rate.limit(&limits) else { continue };
            let level = bucket.get_or_insert(Bucket::full(limit, now)).refill(limit, rate.period_s(), now);
            // Of a very small one, the last.
            let least = (limit / 2.0 + 1.0).min(limit);
            if level < least {
                return Err(wait_s(1.0 + level - least, limit, rate.period_s()));
            }
            spare = spare.min((level - least + 1.0) as u64);
        }
        Ok(spare)
    }

    /// Counts events that were accepted, and their deliveries.
    pub fn count(&self, space: &SpaceId, events: u64, deliveries: u64, now: Timestamp) {
        let mut spaces = self.lock();
        let Some((limits, used)) = self.rated(&mut spaces, space) else { return };
        for (rate, bucket) in RATES.into_iter().zip(&mut used.buckets) {
            let Some(limit) = rate.limit(&limits) else { continue };
            let bucket = bucket.get_or_insert(Bucket::full(limit, now));
            bucket.refill(limit, rate.period_s(), now);
            bucket.level -= rate.of(events, deliveries);
        }
    }

    /// Returns what has been used of each rate that has a limit, by name: what its bucket lacks.
    pub fn used(&self, space: &SpaceId, now: Timestamp) -> Vec<(&'static str, u64)> {
        let mut spaces = self.lock();
        let Some((limits, used)) = self.rated(&mut spaces, space) else { return Vec::new() };
        let rates = RATES.into_iter().zip(&mut used.buckets).filter_map(|(rate, bucket)| {
            let limit = rate.limit(&limits)?;
            let level = bucket.as_mut().map_or(limit, |bucket| bucket.refill(limit, rate.period_s(), now));
            Some((rate.name(), (limit - level).ceil() as u64))
        });
        rates.collect()
    }

    /// Returns a space's limits and use; none if it has no rate at all, which costs no entry.
    fn rated<'a>(
        &self,
        spaces: &'a mut HashMap<SpaceId, SpaceUse>,
        space: &SpaceId,
    ) -> Option<(Limits, &'a mut SpaceUse)> {
        let own = spaces.get(space).map(|used| used.own).unwrap_or_default();
        let limits = own.or(self.default);
        RATES.iter().any(|rate| rate.limit(&limits).is_some()).then(|| {
            let used = spaces.entry(space.clone()).or_default();
            (limits, used)
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SpaceId, SpaceUse>> {
        // Every change is one step.
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks that one more of something fits a quota.
///
/// # Errors
/// If there are `used` already: the quota is named.
pub fn check_count(name: &str, limit: Option<u32>, used: u64) -> Result<(), Error> {
    match limit {
        Some(limit) if used >= u64::from(limit) => {
            let detail =
                format!("the space's quota `{name}` of {limit} is used up: delete one, or ask for a higher quota");
            Err(Error::new(Code::QuotaReached, detail))
        }
        _ => Ok(()),
    }
}
