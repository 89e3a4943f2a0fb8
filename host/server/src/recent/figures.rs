//! Counts and durations of the last minutes, in little memory: histograms, and slots of time that expire.

use std::collections::VecDeque;

/// The distribution of values, each within 6 % of what it was. A handful of buckets is used, of some hundred bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// Buckets with their counts, in order.
    buckets: Vec<(u16, u32)>,
}

/// Returns the bucket of a value: exact below 16, then eight for each doubling.
fn bucket(value: u64) -> u16 {
    if value < 16 {
        return u16::try_from(value).unwrap_or(0);
    }
    let exponent = value.ilog2();
    let part = (value >> (exponent - 3)) & 7;
    u16::try_from(16 + (u64::from(exponent) - 4) * 8 + part).unwrap_or(u16::MAX)
}

/// Returns the middle of a bucket.
fn middle(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < 16 {
        return bucket;
    }
    let (exponent, part) = (4 + (bucket - 16) / 8, (bucket - 16) % 8);
    let step = 1 << (exponent - 3);
    (8 + part) * step + step / 2
}

impl Histogram {
    /// Counts a value.
    pub(super) fn count(&mut self, value: u64) {
        let bucket = bucket(value);
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(1),
            Err(at) => self.buckets.insert(at, (bucket, 1)),
        }
    }
}

/// Buckets of all numbers of 64 bits.
const BUCKETS: usize = 16 + 60 * 8;

/// The distribution of several histograms' values.
#[derive(Debug)]
pub(super) struct Distribution {
    buckets: [u32; BUCKETS],
    count: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], count: 0 }
    }
}

impl Distribution {
    /// Adds a histogram's values.
    pub(super) fn add(&mut self, histogram: &Histogram) {
        for (bucket, count) in &histogram.buckets {
            let sum = &mut self.buckets[usize::from(*bucket)];
            *sum = sum.saturating_add(*count);
            self.count += u64::from(*count);
        }
    }

    /// Returns the value that so many percent of the values do not exceed; none if there are no values.
    pub(super) fn percentile(&self, percent: u64) -> Option<u64> {
        let mut left = (self.count * percent).div_ceil(100);
        (0..).zip(self.buckets).filter(|(_, count)| *count > 0).find_map(|(bucket, count)| {
            let found = u64::from(count) >= left;
            left = left.saturating_sub(count.into());
            found.then(|| middle(bucket))
        })
    }
}

/// Values of the last `KEPT` slots of `SECONDS` each, and of the current one. Slots without a value take no memory.
#[derive(Debug)]
pub(super) struct Slots<T, const SECONDS: i64, const KEPT: i64> {
    slots: VecDeque<(i64, T)>,
}

impl<T, const SECONDS: i64, const KEPT: i64> Default for Slots<T, SECONDS, KEPT> {
    fn default() -> Self {
        Self { slots: VecDeque::new() }
    }
}

impl<T: Default, const SECONDS: i64, const KEPT: i64> Slots<T, SECONDS, KEPT> {
    /// Returns the current slot, and drops those that have expired. `now` is in seconds.
    pub(super) fn current(&mut self, now: i64) -> &mut T {
        let now = now.div_euclid(SECONDS);
        while self.slots.front().is_some_and(|(slot, _)| *slot < now - KEPT) {
            self.slots.pop_front();
        }
        // A clock that was set back goes on in the last slot.
        if self.slots.back().is_none_or(|(slot, _)| *slot < now) {
            self.slots.push_back((now, T::default()));
        }
        &mut self.slots.back_mut().expect("one was added").1
    }

    /// Returns the slots that have not expired.
    pub(super) fn all(&self, now: i64) -> impl Iterator<Item = &T> {
        let first = now.div_euclid(SECONDS) - KEPT;
        self.slots.iter().filter(move |(slot, _)| *slot >= first).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_within_6_percent_of_the_value() {
        for value in [0, 1, 15, 16, 17, 100, 999, 12_345, 60_000_000, 7_000_000_000, u64::MAX / 3] {
            let mut histogram = Histogram::default();
            (0..95).for_each(|_| histogram.count(value));
            (0..5).for_each(|_| histogram.count(u64::MAX));
            let mut distribution = Distribution::default();
            distribution.add(&histogram);
            let found = distribution.percentile(95).expect("there are values");
            assert!(found.abs_diff(value) <= value / 16, "{value}: {found}");
        }
        assert_eq!(Distribution::default().percentile(95), None);
    }

    #[test]
    fn half_of_the_values_do_not_exceed_the_median() {
        let mut histogram = Histogram::default();
        (1..=10).for_each(|value| histogram.count(value));
        let mut distribution = Distribution::default();
        distribution.add(&histogram);
        assert_eq!([50, 95, 100].map(|percent| distribution.percentile(percent)), [Some(5), Some(10), Some(10)]);
    }

    #[test]
    fn slots_expire() {
        let mut slots: Slots<u32, 300, 3> = Slots::default();
        for now in [0, 299, 300, 900] {
            *slots.current(now) += 1;
        }
        let sum = |now| slots.all(now).sum::<u32>();
        assert_eq!([899, 1_200, 1_500, 2_100].map(sum), [4, 2, 1, 0]);
        *slots.current(1_500) += 1;
        assert_eq!(slots.slots.len(), 2);
    }
}
