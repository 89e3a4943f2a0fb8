//! The goals for the figures.

use serde_json::{Value, json};

use super::report::Report;

/// A figure and its bound.
pub(super) struct Goal {
    what: &'static str,
    bound: Bound,
    measured: f64,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn holds(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.measured >= bound,
            Bound::AtMost(bound) => self.measured <= bound,
        }
    }

    fn bound(&self) -> String {
        match self.bound {
            Bound::AtLeast(bound) => format!("≥ {bound}"),
            Bound::AtMost(bound) => format!("≤ {bound}"),
        }
    }

    pub(super) fn as_json(&self) -> Value {
        json!({"goal": self.what, "bound": self.bound(), "measured": self.measured, "met": self.holds()})
    }

    pub(super) fn show(&self) {
        let met = if self.holds() { "met" } else { "not met" };
        anstream::println!("| {} {} | {:.2} | {met} |", self.what, self.bound(), self.measured);
    }
}

/// The goals whose figures were measured.
pub(super) fn of(report: &Report) -> Vec<Goal> {
    use Bound::{AtLeast, AtMost};
    let floor = |name, figure| report.ratio((name, figure), ("floor", figure));
    let scaled = |name, figure, by: f64| Some(report.median(name, figure)? * by);
    let against = |name| report.ratio((name, "delivered_per_s"), ("10 subscriptions", "delivered_per_s"));
    let beyond_code = || {
        let each = |figure| report.median("plugins", figure);
        Some((each("resident_bytes_each")? - each("artefact_bytes_each")?) / 1e3)
    };
    [
        ("delivered per second without a plugin, of the floor's,", AtLeast(0.5), floor("plain", "delivered_per_s")),
        ("delivered per second with zapier, of the floor's,", AtLeast(0.35), floor("zapier", "delivered_per_s")),
        // 60 µs and 90 µs where the floor takes 20.
        ("CPU of a delivery without a plugin, times the floor's,", AtMost(3.0), floor("plain", "cpu_us")),
        ("CPU of a delivery with zapier, times the floor's,", AtMost(4.5), floor("zapier", "cpu_us")),
        ("transforms of two threads, times those of one,", AtLeast(1.8), report.median("transforms", "two_threads")),
        ("µs to create and drop an instance", AtMost(10.0), report.median("transforms", "instantiate_us")),
        ("p99 ms at 200 events a second", AtMost(3.0), scaled("plain", "trickle_p99_us", 1e-3)),
        ("p99 ms at half the peak", AtMost(20.0), scaled("plain", "half_p99_us", 1e-3)),
        ("throughput with 1,000 subscriptions, times that with 10,", AtLeast(0.9), against("1,000 subscriptions")),
        ("throughput with 100,000 subscriptions, times that with 10,", AtLeast(0.9), against("100,000 subscriptions")),
        ("throughput with 1,000,000 waiting, times that with none,", AtLeast(0.9), against("1,000,000 waiting")),
        (
            "transforms among 1,000 loaded plugins, times those alone,",
            AtLeast(0.9),
            report.ratio(("plugins", "among_per_s"), ("plugins", "alone_per_s")),
        ),
        ("kB of a loaded plugin beyond its code", AtMost(300.0), beyond_code()),
        ("MB of an idle host", AtMost(40.0), scaled("idle", "resident_bytes", 1e-6)),
        ("ms to start with 100,000 subscriptions", AtMost(1_000.0), report.median("start", "start_ms")),
    ]
    .into_iter()
    .filter_map(|(what, bound, measured)| Some(Goal { what, bound, measured: measured? }))
    .collect()
}
