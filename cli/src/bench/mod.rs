//! `hookmill bench`: what the host does in a second and what it costs, beside what would be possible at all.
//!
//! Host, load generator and receiver are a process each, on loopback. Machines differ and have moods, so everything is
//! measured in turn and that several times over, and what counts are ratios within one run.

mod bare;
mod child;
mod event;
mod floor;
mod goals;
mod growth;
mod host;
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
use host::{Setup, Subject, Template};
use measure::Around;
use report::Report;

/// What `bench` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Measure this alone; may be repeated. The floor is always measured
    #[arg(long, value_name = "NAME", value_parser = names())]
    only: Vec<String>,

    /// Measure growth too: 100,000 subscriptions, 1,000,000 waiting deliveries, 1,000 plugins. Takes some 15 minutes and 4 GB
    #[arg(long)]
    growth: bool,

    /// How often each is measured; what is shown is the median
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repetitions: u32,

    /// How long each load lasts
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    seconds: f64,

    /// Where data directories are made and removed again [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Fail unless each measured host delivers at least this part of what the floor does
    #[arg(long, value_name = "RATIO")]
    at_least: Option<f64>,

    /// What this process is in a bench that another one runs
    #[arg(long, hide = true)]
    role: Option<Role>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    Receiver,
    Load,
    Floor,
}

/// What is measured of the host.
const SETUPS: [Setup; 5] = [
    Setup { name: "plain", content_type: "application/json", plugin: None, subscriptions: 1, lines: 0 },
    Setup { name: "zapier", content_type: "application/json", plugin: Some("zapier"), subscriptions: 1, lines: 0 },
    Setup {
        name: "make-form",
        content_type: "application/x-www-form-urlencoded",
        plugin: Some("make"),
        subscriptions: 1,
        lines: 0,
    },
    Setup { name: "fan-out-10", content_type: "application/json", plugin: None, subscriptions: 10, lines: 0 },
    Setup { name: "ndjson-100", content_type: "application/json", plugin: None, subscriptions: 1, lines: 100 },
];

fn names() -> clap::builder::PossibleValuesParser {
    SETUPS.map(|setup| setup.name).into()
}

impl Args {
    /// Whether this process has work for one thread only: what stands beside the host leaves it the rest.
    pub(super) fn is_beside(&self) -> bool {
        matches!(self.role, Some(Role::Receiver | Role::Load))
    }
}

/// Measures, or is one of the processes that it takes.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.role {
        Some(Role::Receiver) => receiver::run().await,
        Some(Role::Load) => load::run().await,
        Some(Role::Floor) => floor::run().await,
        None => bench(args).await,
    }
}

async fn bench(args: Args) -> anyhow::Result<()> {
    hookmill_server::stages::send::install_crypto();
    let dir = match &args.dir {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let dir = dir.context("making a folder for data directories")?;
    let setups: Vec<_> =
        SETUPS.into_iter().filter(|setup| args.only.is_empty() || args.only.iter().any(|n| n == setup.name)).collect();
    let progress = progress(u64::from(args.repetitions) * (setups.len() as u64 + 3) + 1);
    progress.set_message("compiling the bundled plugins");
    let template = Template::make(dir.path().join("template")).await?;
    progress.inc(1);
    let mut report = Report::new(&args, dir.path());
    for repetition in 0..args.repetitions {
        let mut measure = async |name: &'static str, setup: Option<Setup>| {
            progress.set_message(format!("{name}, {} of {}", repetition + 1, args.repetitions));
            let folder = dir.path().join("data");
            report.add(name, one(&template, &folder, name, setup, args.seconds).await.context(name)?);
            progress.inc(1);
            anyhow::Ok(())
        };
        measure("limit", None).await?;
        measure("floor", None).await?;
        for setup in &setups {
            measure(setup.name, Some(*setup)).await?;
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

/// One measurement, with processes and a data directory of its own.
async fn one(
    template: &Template,
    folder: &Path,
    name: &str,
    setup: Option<Setup>,
    seconds: f64,
) -> anyhow::Result<measure::Figures> {
    let (receiver, address) = Child::start_role("receiver").await?;
    let (load, _) = Child::start_role("load").await?;
    std::fs::create_dir_all(folder)?;
    let mut subject = match setup {
        None if name == "limit" => Subject::Limit(address),
        None => Subject::floor(address, folder).await?,
        Some(setup) => {
            let host = template.host(folder).await?;
            host.subscribe(&setup, address).await?;
            Subject::Host(host, setup)
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
    // The template is ours and has no error in it; the default one would do.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar
}
