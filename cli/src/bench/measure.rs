//! Measuring one subject: at its highest rate, then at half of that, then at a low rate.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::ensure;

use super::child::Child;
use super::host::Subject;
use super::load::{Load, LoadResult};
use super::receiver::{Ask, Tally};

/// Connections that post concurrently: enough that one flush of the disk covers many events.
const CONNECTIONS: usize = 128;

/// The low rate.
const TRICKLE_PER_S: f64 = 200.0;

/// Maximum wait for deliveries after the last event was accepted.
const PATIENCE_S: u64 = 120;

/// Interval at which the receiver is asked for its count.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// The figures of one measurement by name, without those that a subject does not have.
pub(super) type Figures = Vec<(&'static str, f64)>;

/// The deliveries per second, if they were measured.
pub(super) fn delivered_per_s(figures: &Figures) -> Option<f64> {
    figures.iter().find(|(name, _)| *name == "delivered_per_s").map(|(_, value)| *value)
}

/// The processes around the measured one.
pub(super) struct Around {
    pub(super) load: Child,
    pub(super) receiver: Child,
    pub(super) address: SocketAddr,
}

impl Around {
    /// Measures, with phases of this many seconds.
    pub(super) async fn measure(&mut self, subject: &mut Subject, seconds: f64) -> anyhow::Result<Figures> {
        let mut figures = self.peak(subject, seconds).await?;
        let Some(delivered_per_s) = delivered_per_s(&figures).filter(|_| !matches!(subject, Subject::Limit(_))) else {
            return Ok(figures);
        };
        let events_per_s = delivered_per_s / subject.fan_out() as f64;
        let (_, half) = self.run(subject, self.load_of(subject, seconds, Some(events_per_s / 2.0))).await?;
        figures.extend([("half_p50_us", half.p50_us.into()), ("half_p99_us", half.p99_us.into())]);
        let (_, trickle) = self.run(subject, self.load_of(subject, seconds, Some(TRICKLE_PER_S))).await?;
        figures.extend([("trickle_p50_us", trickle.p50_us.into()), ("trickle_p99_us", trickle.p99_us.into())]);
        Ok(figures)
    }

    /// Measures the highest rate.
    pub(super) async fn peak(&mut self, subject: &mut Subject, seconds: f64) -> anyhow::Result<Figures> {
        // Opens connections, loads plugins, fills caches.
        self.run(subject, self.load_of(subject, seconds / 2.0, None)).await?;
        let before = (subject.used()?, subject.flushes().await?);
        let (posted, received) = self.run(subject, self.load_of(subject, seconds, None)).await?;
        let after = (subject.used()?, subject.flushes().await?);

        let per_s = |count: u64, until_ns: u64| count as f64 * 1e9 / until_ns.saturating_sub(posted.first_ns) as f64;
        let mut figures = vec![
            ("accepted_per_s", per_s(posted.events, posted.last_ns)),
            ("delivered_per_s", per_s(received.count, received.last_ns)),
        ];
        if let ((Some(was), Some(flushes)), (Some(is), Some(flushes_after))) = (before, after) {
            let each = |was: u64, is: u64| is.saturating_sub(was) as f64 / received.count as f64;
            figures.extend([
                ("cpu_us", each(was.cpu_us, is.cpu_us)),
                ("written_bytes", each(was.written_bytes, is.written_bytes)),
                ("flushes_per_s", per_s(flushes_after.saturating_sub(flushes), received.last_ns)),
                ("peak_bytes", is.peak_bytes as f64),
            ]);
        }
        Ok(figures)
    }

    fn load_of(&self, subject: &Subject, seconds: f64, events_per_s: Option<f64>) -> Load {
        subject.load(self.address, CONNECTIONS, seconds, events_per_s)
    }

    /// Posts, and waits until all accepted events have arrived.
    pub(super) async fn run(&mut self, subject: &Subject, load: Load) -> anyhow::Result<(LoadResult, Tally)> {
        let posted: LoadResult = self.load.ask(&load).await?;
        let expected = posted.events * subject.fan_out();
        let since = tokio::time::Instant::now();
        loop {
            let Tally { count, .. } = self.receiver.ask(&Ask::Count).await?;
            if count >= expected {
                break;
            }
            let waited = since.elapsed().as_secs();
            ensure!(
                waited < PATIENCE_S,
                "{} of {expected} deliveries did not arrive within {waited} s",
                expected - count
            );
            tokio::time::sleep(ASK_EVERY).await;
        }
        Ok((posted, self.receiver.ask(&Ask::Take).await?))
    }
}
