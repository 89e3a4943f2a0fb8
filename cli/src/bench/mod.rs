//! `hookmill bench`: the host's throughput and its cost, relative to what is possible on the machine.
//!
//! Host, load generator and receiver are one process each, on loopback. Absolute figures vary by machine and run, so the
//! subjects are measured in turn, several times, and the ratios within one run are what counts.

mod bare;
mod child;
mod event;
mod floor;
mod goals;
mod growth;
mod host;
mod isolation;
mod load;
mod measure;
mod receiver;
mod report;
mod transforms;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use child::Child;
use host::{Subject, Template, Workload};
use measure::Around;
use report::Report;

/// The arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Measure only this; may be repeated. The limit and the floor are always measured
    #[arg(long, value_name = "NAME", value_parser = names())]
    only: Vec<String>,

    /// Measure growth too: 100,000 subscriptions, 1,000,000 waiting deliveries, 1,000 plugins. Takes about 15 minutes and 4 GB
    #[arg(long)]
    growth: bool,

    /// Measure what attacks of one space do to another instead; fails if one harms it. Takes about 5 minutes
    #[arg(long)]
    isolation: bool,

    /// With --isolation: only this attack; may be repeated
    #[arg(long, value_name = "NUMBER", requires = "isolation")]
    attack: Vec<String>,

    /// With --isolation: the seed of the attacks' order and sizes [default: random, printed]
    #[arg(long, value_name = "NUMBER", requires = "isolation")]
    seed: Option<u64>,

    /// Measurements of each; the median is shown
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repetitions: u32,

    /// Duration of each load
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    seconds: f64,

    /// The folder for temporary data directories [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Fail unless each measured host delivers at least this fraction of the floor's rate
    #[arg(long, value_name = "RATIO")]
    at_least: Option<f64>,

    /// The role of this process in a bench that another process runs
    #[arg(long, hide = true)]
    role: Option<Role>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    Receiver,
    Load,
    Floor,
    Attacker,
}

/// The host's workloads.
const WORKLOADS: [Workload; 5] = [
    Workload { name: "plain", content_type: "application/json", plugin: None, subscriptions: 1, lines: 0 },
    Workload { name: "zapier", content_type: "application/json", plugin: Some("zapier"), subscriptions: 1, lines: 0 },
    Workload {
        name: "make-form",
        content_type: "application/x-www-form-urlencoded",
        plugin: Some("make"),
        subscriptions: 1,
        lines: 0,
    },
    Workload { name: "fan-out-10", content_type: "application/json", plugin: None, subscriptions: 10, lines: 0 },
    Workload { name: "ndjson-100", content_type: "application/json", plugin: None, subscriptions: 1, lines: 100 },
];

fn names() -> clap::builder::PossibleValuesParser {
    WORKLOADS.map(|workload| workload.name).into()
}

impl Args {
    /// Whether this process needs one thread only: the load generator and the receiver leave the others to the host.
    pub(super) fn is_single_threaded(&self) -> bool {
        matches!(self.role, Some(Role::Receiver | Role::Load))
    }
}

/// Measures, or runs as one of the bench's child processes.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.role {
        Some(Role::Receiver) => receiver::run().await,
        Some(Role::Load) => load::run().await,
        Some(Role::Floor) => floor::run().await,
        Some(Role::Attacker) => {
            hookmill_server::stages::send::install_crypto();
            isolation::run_attacker().await
        }
        None => bench(args).await,
    }
}

async fn bench(args: Args) -> anyhow::Result<()> {
    hookmill_server::stages::send::install_crypto();
    let dir = match &args.dir {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let dir = dir.context("creating a folder for data directories")?;
    if args.isolation {
        return isolation::run(&args, dir.path()).await;
    }
    let workloads: Vec<_> = WORKLOADS
        .into_iter()
        .filter(|workload| args.only.is_empty() || args.only.iter().any(|n| n == workload.name))
        .collect();
    let progress = progress(u64::from(args.repetitions) * (workloads.len() as u64 + 3) + 1);
    progress.set_message("compiling the bundled plugins");
    let template = Template::make(dir.path().join("template")).await?;
    progress.inc(1);
    let mut report = Report::new(&args, dir.path());
    for repetition in 0..args.repetitions {
        let mut measure = async |name: &'static str, workload: Option<Workload>| {
            progress.set_message(format!("{name}, {} of {}", repetition + 1, args.repetitions));
            let folder = dir.path().join("data");
            report.add(name, one(&template, &folder, name, workload, args.seconds).await.context(name)?);
            progress.inc(1);
            anyhow::Ok(())
        };
        measure("limit", None).await?;
        measure("floor", None).await?;
        for workload in &workloads {
            measure(workload.name, Some(*workload)).await?;
        }
        progress.set_message(format!("transforms, {} of {}", repetition + 1, args.repetitions));
        report.add("transforms", transforms::measure(&template.folder.join("compiled"), args.seconds).await?);
        progress.inc(1);
    }
    if args.growth {
        let how = (args.repetitions, args.seconds);
        growth::measure(&template, dir.path(), how, &progress, |name, figures| report.add(name, figures)).await?;
    }
    progress.finish_and_clear();
    report.show(args.json)?;
    report.check(args.at_least)
}

/// Makes one measurement, with its own processes and data directory.
async fn one(
    template: &Template,
    folder: &Path,
    name: &str,
    workload: Option<Workload>,
    seconds: f64,
) -> anyhow::Result<measure::Figures> {
    let (receiver, address) = Child::start_role("receiver").await?;
    let (load, _) = Child::start_role("load").await?;
    host::create_private(folder)?;
    let mut subject = match workload {
        None if name == "limit" => Subject::Limit(address),
        None => Subject::floor(address, folder).await?,
        Some(workload) => {
            let host = template.host(folder).await?;
            host.subscribe(&workload, address).await?;
            Subject::Host(host, workload)
        }
    };
    let mut around = Around { load, receiver, address };
    let figures = around.measure(&mut subject, seconds).await;
    subject.end().await?;
    std::fs::remove_dir_all(folder)?;
    figures
}

fn progress(steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    // The template is a valid constant; if it were not, the default would do.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar
}
