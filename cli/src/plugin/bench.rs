//! `hookmill plugin bench`: compares the cost of components in one run.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hookmill_server::plugins::golden::{self, Case, Delivery};
use serde_json::{Value, json};

use super::engine;
use super::style::{self, BOLD};

/// The arguments of `plugin bench`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The components
    #[arg(required = true)]
    files: Vec<PathBuf>,

    /// The delivery, in the format of golden pairs
    #[arg(long, value_name = "CASE.delivery.json")]
    delivery: PathBuf,

    /// Runs of each component; the median is shown
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
}

/// The cost of a component.
struct Cost {
    file: String,
    size_bytes: u64,
    compile: Duration,
    load: Duration,
    instantiate: Duration,
    total: Duration,
    fuel_used: u64,
    memory_bytes: u64,
    resident_bytes: u64,
}

/// Measures the components, and prints a table.
pub(super) async fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let delivery = Case::of(&args.delivery)?.delivery()?;
    let mut costs = Vec::new();
    for file in &args.files {
        let _working = style::working(format!("measuring {}", file.display()));
        costs.push(measure(file, &delivery, args.runs).await.with_context(|| file.display().to_string())?);
    }
    if json {
        anstream::println!("{}", json!({"components": costs.iter().map(Cost::as_json).collect::<Vec<_>>()}));
        return Ok(());
    }
    anstream::println!(
        "{BOLD}{:<24}{:>11}{:>10}{:>9}{:>12}{:>9}{:>9}{:>12}{:>11}{:>11}{BOLD:#}",
        "component",
        "size",
        "compile",
        "load",
        "instantiate",
        "call",
        "total",
        "fuel",
        "memory",
        "resident"
    );
    costs.iter().for_each(Cost::show);
    Ok(())
}

async fn measure(file: &Path, delivery: &Delivery, runs: u32) -> anyhow::Result<Cost> {
    let component = engine::read(file)?;
    let size_bytes = component.len() as u64;
    // An empty cache, so that the component is compiled, and then another engine, so that it is loaded.
    let folder = tempfile::tempdir()?;
    let started = Instant::now();
    let inspected = engine::engine_in(folder.path())?.inspect(component.clone()).await?;
    let compile = started.elapsed();
    let engine = engine::engine_in(folder.path())?;
    let before = resident_bytes();
    let started = Instant::now();
    let prepared = engine.load(inspected.digest, component).await?;
    let load = started.elapsed();
    let resident_bytes = resident_bytes().saturating_sub(before);
    let first = golden::transform(&engine, &prepared, delivery).await?;
    let (expected, fuel_used) = (golden::as_file(&first), first.figures.fuel_used);
    let (mut totals, mut instantiations) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let started = Instant::now();
        let made = golden::transform(&engine, &prepared, delivery).await?;
        totals.push(started.elapsed());
        ensure!(made.figures.fuel_used == fuel_used, "the fuel differs between runs");
        ensure!(golden::as_file(&made) == expected, "the request differs between runs");
        let started = Instant::now();
        engine.instantiate(&prepared).await?;
        instantiations.push(started.elapsed());
    }
    Ok(Cost {
        file: name(file),
        size_bytes,
        compile,
        load,
        instantiate: median(instantiations),
        total: median(totals),
        fuel_used,
        memory_bytes: first.figures.memory_bytes,
        resident_bytes,
    })
}

impl Cost {
    fn as_json(&self) -> Value {
        let Self { file, size_bytes, fuel_used, memory_bytes, resident_bytes, .. } = self;
        json!({
            "component": file, "size_bytes": size_bytes, "compile_ms": ms(self.compile), "load_ms": ms(self.load),
            "instantiate_us": us(self.instantiate), "call_us": us(self.call()), "total_us": us(self.total),
            "fuel_used": fuel_used, "memory_bytes": memory_bytes, "resident_bytes": resident_bytes,
        })
    }

    fn show(&self) {
        anstream::println!(
            "{:<24}{:>11}{:>7.0} ms{:>6.1} ms{:>9.1} µs{:>6.0} µs{:>6.0} µs{:>12}{:>11}{:>11}",
            self.file,
            style::bytes(self.size_bytes),
            ms(self.compile),
            ms(self.load),
            us(self.instantiate),
            us(self.call()),
            us(self.total),
            style::grouped(self.fuel_used),
            style::bytes(self.memory_bytes),
            style::bytes(self.resident_bytes)
        );
    }

    /// The duration of a transform without making the instance.
    fn call(&self) -> Duration {
        self.total.saturating_sub(self.instantiate)
    }
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

fn us(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

fn median(mut taken: Vec<Duration>) -> Duration {
    taken.sort();
    taken.get(taken.len() / 2).copied().unwrap_or_default()
}

/// The name of a component for its author: the project's, if it is a project's.
fn name(file: &Path) -> String {
    let project = || file.parent()?.parent()?.file_name();
    let own = file.file_name().filter(|name| *name != "plugin.wasm");
    own.or_else(project).unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

/// The resident memory of this process; 0 if the system does not report it.
fn resident_bytes() -> u64 {
    const PAGE: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE
}
