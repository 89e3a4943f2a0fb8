//! The measurements, as a table or as JSON.

use std::path::Path;

use anyhow::ensure;
use serde_json::{Value, json};

use super::Args;
use super::goals::{self, Goal};
use super::measure::Figures;

/// All measurements, in the order in which each name was first added.
pub(super) struct Report {
    settings: Value,
    measured: Vec<(&'static str, Vec<Figures>)>,
}

/// A figure over all repetitions.
#[derive(Clone, Copy)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let median = *values.get(values.len() / 2)?;
        Some(Self { median, least: *values.first()?, most: *values.last()? })
    }

    fn as_json(self) -> Value {
        json!({"median": self.median, "min": self.least, "max": self.most})
    }
}

impl Report {
    /// Makes an empty report.
    pub(super) fn new(args: &Args, dir: &Path) -> Self {
        let settings = json!({
            "hookmill": env!("CARGO_PKG_VERSION"), "sqlite": rusqlite::version(), "machine": machine(),
            "repetitions": args.repetitions, "seconds": args.seconds, "folder": dir.parent(),
        });
        Self { settings, measured: Vec::new() }
    }

    /// Adds one measurement.
    pub(super) fn add(&mut self, name: &'static str, figures: Figures) {
        match self.measured.iter_mut().find(|(other, _)| *other == name) {
            Some((_, all)) => all.push(figures),
            None => self.measured.push((name, vec![figures])),
        }
    }

    /// Returns the median of a figure.
    pub(super) fn median(&self, name: &str, figure: &str) -> Option<f64> {
        self.spread(name, figure).map(|spread| spread.median)
    }

    /// Returns the ratio of a figure of one subject to a figure of another: the median over the repetitions.
    pub(super) fn ratio(&self, one: (&str, &str), other: (&str, &str)) -> Option<f64> {
        self.ratios(one, other).map(|spread| spread.median)
    }

    /// Computes the ratio within each repetition.
    fn ratios(&self, (name, figure): (&str, &str), (other, of): (&str, &str)) -> Option<Spread> {
        let pairs = self.values(name, figure).into_iter().zip(self.values(other, of));
        Spread::of(pairs.map(|(this, other)| this / other).collect())
    }

    fn spread(&self, name: &str, figure: &str) -> Option<Spread> {
        Spread::of(self.values(name, figure))
    }

    /// Returns the values of a figure, one for each repetition.
    fn values(&self, name: &str, figure: &str) -> Vec<f64> {
        let all = self.measured.iter().find(|(other, _)| *other == name).into_iter().flat_map(|(_, all)| all);
        all.filter_map(|figures| figures.iter().find(|(other, _)| *other == figure)).map(|(_, value)| *value).collect()
    }

    /// Returns the ratio of a subject's deliveries to the floor's.
    fn of_floor(&self, name: &str) -> Option<Spread> {
        self.ratios((name, "delivered_per_s"), ("floor", "delivered_per_s"))
    }

    /// Prints the report.
    pub(super) fn show(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            anstream::println!("{}", serde_json::to_string_pretty(&self.as_json())?);
        } else {
            self.show_table();
        }
        Ok(())
    }

    fn as_json(&self) -> Value {
        let figures = |name: &str, all: &[Figures]| {
            let names = all.first().into_iter().flatten().map(|(figure, _)| *figure);
            let mut object: serde_json::Map<_, _> =
                names.filter_map(|figure| Some((figure.to_owned(), self.spread(name, figure)?.as_json()))).collect();
            object.extend(self.of_floor(name).map(|ratio| ("of_floor".to_owned(), ratio.as_json())));
            Value::Object(object)
        };
        let measured: serde_json::Map<_, _> =
            self.measured.iter().map(|(name, all)| ((*name).to_owned(), figures(name, all))).collect();
        let goals: Vec<_> = goals::of(self).iter().map(Goal::as_json).collect();
        json!({"settings": self.settings, "measured": measured, "goals": goals})
    }

    fn show_table(&self) {
        for (name, value) in self.settings.as_object().into_iter().flatten() {
            anstream::println!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        anstream::println!(
            "\n| | delivered/s (least–most) | of floor | accepted/s | CPU µs | p50/p99 ms at half | p50/p99 ms at 200/s | peak MB | bytes written | flushes/s |"
        );
        anstream::println!("|---|---|---|---|---|---|---|---|---|---|");
        let hosts = self.measured.iter().filter(|(name, _)| self.median(name, "accepted_per_s").is_some());
        hosts.for_each(|(name, _)| self.show_row(name));
        anstream::println!("\n| goal | measured | |\n|---|---|---|");
        goals::of(self).iter().for_each(Goal::show);
    }

    fn show_row(&self, name: &str) {
        let text = |figure: &str, scale: f64, digits: usize| {
            self.spread(name, figure).map_or_else(|| "–".to_owned(), |it| format!("{:.digits$}", it.median * scale))
        };
        let delivered = self
            .spread(name, "delivered_per_s")
            .map_or_else(String::new, |it| format!("{:.0} ({:.0}–{:.0})", it.median, it.least, it.most));
        let ratio = self.of_floor(name).map_or_else(String::new, |it| format!("{:.0} %", it.median * 100.0));
        anstream::println!(
            "| {name} | {delivered} | {ratio} | {} | {} | {} / {} | {} / {} | {} | {} | {} |",
            text("accepted_per_s", 1.0, 0),
            text("cpu_us", 1.0, 1),
            text("half_p50_us", 1e-3, 1),
            text("half_p99_us", 1e-3, 1),
            text("trickle_p50_us", 1e-3, 1),
            text("trickle_p99_us", 1e-3, 1),
            text("peak_bytes", 1e-6, 0),
            text("written_bytes", 1.0, 0),
            text("flushes_per_s", 1.0, 0),
        );
    }

    /// Fails if a host delivers less than this fraction of the floor's rate.
    pub(super) fn check(&self, at_least: Option<f64>) -> anyhow::Result<()> {
        let Some(at_least) = at_least else { return Ok(()) };
        for (name, _) in
            self.measured.iter().filter(|(name, _)| super::WORKLOADS.iter().any(|workload| workload.name == *name))
        {
            let ratio = self.of_floor(name).map_or(0.0, |ratio| ratio.median);
            ensure!(ratio >= at_least, "{name} delivers {ratio:.2} of the floor's rate: expected at least {at_least}");
        }
        Ok(())
    }
}

/// The processor and the kernel.
fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |(_, m)| m);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} × {model}, Linux {}", read("/proc/sys/kernel/osrelease").trim())
}
