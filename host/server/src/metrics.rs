//! Metrics for operators: counters, gauges and histograms in the OpenMetrics text format that Prometheus reads.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use hookmill_model::{Attempt, DeliveryState, SpaceId};
use hookmill_store::Accepted;

/// The label with the result of an event or an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// The label with a space. There are as many as an administrator creates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SpaceLabel {
    space: String,
}

/// The label with a delivery state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

/// The label with a kind of rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// All metrics of a host.
pub struct Metrics {
    registry: Registry,
    events: Family<ResultLabel, Counter>,
    space_events: Family<SpaceLabel, Counter>,
    space_deliveries: Family<SpaceLabel, Counter>,
    space_refusals: Family<SpaceLabel, Counter>,
    space_stored_bytes: Family<SpaceLabel, Gauge>,
    attempts: Family<ResultLabel, Counter>,
    send_seconds: Histogram,
    transform_seconds: Histogram,
    schedule_lag_seconds: Histogram,
    backlog: Family<StateLabel, Gauge>,
    commits: Counter,
    unreadable_rows: Family<KindLabel, Gauge>,
    conditions_over_limits: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("hookmill"),
            events: Family::default(),
            space_events: Family::default(),
            space_deliveries: Family::default(),
            space_refusals: Family::default(),
            space_stored_bytes: Family::default(),
            attempts: Family::default(),
            // 1 ms to 65 s: the longest timeout is 60 s.
            send_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 17)),
            // 10 µs to 5 s: the longest time limit of a transform.
            transform_seconds: Histogram::new(exponential_buckets(0.000_01, 2.0, 20)),
            schedule_lag_seconds: Histogram::new(exponential_buckets(0.001, 4.0, 10)),
            backlog: Family::default(),
            commits: Counter::default(),
            unreadable_rows: Family::default(),
            conditions_over_limits: Counter::default(),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("events", "Events posted, by result", self.events.clone());
        registry.register("space_events", "Events posted, by space", self.space_events.clone());
        registry.register("space_deliveries", "Deliveries created, by space", self.space_deliveries.clone());
        let refusals = "Requests refused because a rate or the bytes of the space were exceeded";
        registry.register("space_refusals", refusals, self.space_refusals.clone());
        let stored = "Bytes of events, requests and responses that are stored, by space";
        registry.register("space_stored_bytes", stored, self.space_stored_bytes.clone());
        registry.register("attempts", "Delivery attempts, by outcome", self.attempts.clone());
        registry.register(
            "send_seconds",
            "Time from sending a request to the end of its response",
            self.send_seconds.clone(),
        );
        registry.register("transform_seconds", "Duration of transforms", self.transform_seconds.clone());
        registry.register(
            "schedule_lag_seconds",
            "Delay between the due time of an attempt and its start",
            self.schedule_lag_seconds.clone(),
        );
        registry.register("backlog", "Deliveries that are not final, by state", self.backlog.clone());
        registry.register("commits", "Committed transactions, each with one disk flush", self.commits.clone());
        let unreadable = "Rows that could not be read and were set aside since the start, by kind: see the log";
        registry.register("unreadable_rows", unreadable, self.unreadable_rows.clone());
        registry.register(
            "conditions_over_limits",
            "Conditions that were not evaluated: they were invalid, or used up their budget",
            self.conditions_over_limits.clone(),
        );
        self
    }

    /// Counts an event.
    pub fn event_accepted(&self, accepted: &Accepted) {
        let result = match accepted {
            Accepted::New { .. } => "accepted",
            Accepted::Repeat { .. } => "repeated",
            Accepted::Conflict => "conflict",
        };
        self.events.get_or_create(&ResultLabel { result }).inc();
    }

    /// Counts what a space has posted.
    pub fn space_used(&self, space: &SpaceId, events: u64, deliveries: u64) {
        let label = SpaceLabel { space: space.to_string() };
        self.space_events.get_or_create(&label).inc_by(events);
        self.space_deliveries.get_or_create(&label).inc_by(deliveries);
    }

    /// Counts a request that exceeded a rate of its space.
    pub fn space_refused(&self, space: &SpaceId) {
        self.space_refusals.get_or_create(&SpaceLabel { space: space.to_string() }).inc();
    }

    /// Counts conditions that could not be evaluated within their limits.
    pub fn conditions_over_limits(&self, count: u64) {
        self.conditions_over_limits.inc_by(count);
    }

    /// Counts an attempt.
    pub fn attempted(&self, attempt: &Attempt) {
        self.attempts.get_or_create(&ResultLabel { result: attempt.outcome.as_str() }).inc();
        self.transform_seconds.observe(attempt.figures.transform_us as f64 / 1e6);
        if attempt.request.is_some() {
            self.send_seconds.observe(attempt.send_us as f64 / 1e6);
        }
        let late = attempt.started_at.duration_since(attempt.due_at);
        self.schedule_lag_seconds.observe(late.as_secs_f64().max(0.0));
    }

    /// Sets the number of deliveries that are not final.
    pub fn set_backlog(&self, counts: &[(DeliveryState, u64)]) {
        for &(state, count) in counts {
            self.backlog
                .get_or_create(&StateLabel { state: state.as_str() })
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Sets the bytes that spaces store, of all that store some.
    pub fn set_stored_bytes(&self, stored: Vec<(SpaceId, u64)>) {
        // A space that is not among them stores nothing, or is gone.
        self.space_stored_bytes.clear();
        for (space, bytes) in stored {
            let label = SpaceLabel { space: space.to_string() };
            self.space_stored_bytes.get_or_create(&label).set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// Sets the number of rows that were set aside, given by their kinds, in order, and ids.
    pub fn set_unreadable(&self, rows: &[(&'static str, String)]) {
        for of_kind in rows.chunk_by(|(one, _), (next, _)| one == next) {
            let kind = of_kind[0].0;
            let count = i64::try_from(of_kind.len()).unwrap_or(i64::MAX);
            self.unreadable_rows.get_or_create(&KindLabel { kind }).set(count);
        }
    }

    /// Sets the number of committed transactions.
    pub fn set_commits(&self, commits: u64) {
        self.commits.inner().store(commits, Ordering::Relaxed);
    }

    /// Returns all metrics as text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
