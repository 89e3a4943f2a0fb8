//! `hookmill plugin test`: runs a project's golden pairs in the host's engine, under the host's limits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstyle::Style;
use anyhow::ensure;
use hookmill_engine::{Engine, Inspected, PluginRun, Prepared};
use hookmill_server::plugins::golden::{self, Case};
use hookmill_server::texts::{LineDiff, LineRun};
use serde_json::{Value, json};

use super::project::Project;
use super::style::{self, BAD, DIM, GOOD};
use super::{build, engine, watch};

/// The arguments of `plugin test`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The project's folder, or a folder within it
    #[arg(default_value = ".")]
    path: PathBuf,

    /// Build the component first
    #[arg(long)]
    build: bool,

    /// Write the plugin's requests to the golden files; review the difference before you commit it
    #[arg(long)]
    update: bool,

    /// Build and test again whenever a file of the project changes
    #[arg(long, conflicts_with = "update")]
    watch: bool,
}

/// Tests once, or after each change.
pub(super) async fn run(args: Args, json: bool) -> anyhow::Result<()> {
    let project = Project::find(&args.path)?;
    let engine = engine::engine()?;
    if !args.watch {
        return once(&project, &engine, args.build, args.update, json).await;
    }
    let mut changes = watch::watch(&project.root)?;
    // One for all rounds: Ctrl-C during a round ends the command after it.
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        if let Err(err) = once(&project, &engine, true, false, json).await {
            anstream::eprintln!("{BAD}{err:#}{BAD:#}");
        }
        anstream::eprintln!("{DIM}waiting for a change; press Ctrl-C to stop{DIM:#}");
        tokio::select! {
            () = changes.next() => {}
            _ = &mut interrupted => return Ok(()),
        }
    }
}

async fn once(project: &Project, engine: &Engine, build: bool, update: bool, json: bool) -> anyhow::Result<()> {
    let component = if build { build::build(project)? } else { project.component() };
    ensure!(
        component.is_file(),
        "{} not found: run `hookmill plugin build` first, or pass --build",
        build::shown(&component)
    );
    let plugin = engine::prepare(engine, &component).await?;
    let cases = Case::all(&project.golden())?;
    ensure!(
        !cases.is_empty(),
        "{} has no golden pair: expected at least one CASE.delivery.json",
        project.golden().display()
    );
    let mut reports = Vec::new();
    for case in &cases {
        let report = try_case(engine, &plugin, case, update).await?;
        if !json {
            report.show();
        }
        reports.push(report);
    }
    let failed = reports.iter().filter(|report| report.verdict == Verdict::Different).count();
    if json {
        anstream::println!("{}", json!({"cases": reports.iter().map(Report::as_json).collect::<Vec<_>>()}));
    } else {
        anstream::println!("{} pairs, {failed} different", reports.len());
    }
    ensure!(failed == 0, "{failed} of {} golden pairs differ; `--update` accepts the new requests", reports.len());
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    Different,
    Written,
}

/// The result of a golden pair.
struct Report {
    case: Case,
    verdict: Verdict,
    golden: Option<Value>,
    made: Value,
    transformed: PluginRun,
}

async fn try_case(
    engine: &Engine,
    (inspected, prepared): &(Inspected, Arc<Prepared>),
    case: &Case,
    update: bool,
) -> anyhow::Result<Report> {
    let mut delivery = case.delivery()?;
    // A configuration that does not match the schema is passed unchanged: the plugin's response to it can be tested too.
    if let Ok(config) = engine::configured(inspected, &delivery.config).await {
        delivery.config = config;
    }
    let transformed = golden::transform(engine, prepared, &delivery).await?;
    let made = golden::as_file(&transformed);
    let golden = case.request()?;
    let verdict = match &golden {
        Some(golden) if *golden == made => Verdict::Same,
        _ if update => {
            case.write_request(&made)?;
            Verdict::Written
        }
        _ => Verdict::Different,
    };
    Ok(Report { case: case.clone(), verdict, golden, made, transformed })
}

impl Report {
    fn show(&self) {
        let (style, word) = match self.verdict {
            Verdict::Same => (GOOD, "ok"),
            Verdict::Different => (BAD, "differs"),
            Verdict::Written => (GOOD, "written"),
        };
        let figures = style::figures(&self.transformed.figures);
        anstream::println!("{style}{word:<8}{style:#}{:<32} {DIM}{figures}{DIM:#}", self.case.name());
        if self.verdict == Verdict::Different {
            self.show_difference();
        }
        if self.verdict != Verdict::Same {
            for line in &self.transformed.logs {
                anstream::println!("        {DIM}{:?}{DIM:#} {}", line.level, line.message);
            }
        }
    }

    fn show_difference(&self) {
        let Some(golden) = &self.golden else {
            let file = self.case.request_file();
            return anstream::println!("        {} not found; `--update` writes it", build::shown(Path::new(&file)));
        };
        let (golden, made) = (golden::pretty(golden), golden::pretty(&self.made));
        let LineDiff { before, after, runs } = LineDiff::new(&golden, &made);
        let print = |style: Style, sign: char, lines: &[&str]| {
            for line in lines {
                anstream::println!("        {style}{sign} {}{style:#}", line.trim_end());
            }
        };
        for LineRun { equal, before: old, after: new } in runs {
            if equal {
                print(DIM, ' ', &after[new]);
            } else {
                print(BAD, '-', &before[old]);
                print(GOOD, '+', &after[new]);
            }
        }
    }

    fn as_json(&self) -> Value {
        let verdict = match self.verdict {
            Verdict::Same => "same",
            Verdict::Different => "different",
            Verdict::Written => "written",
        };
        let PluginRun { logs, figures, .. } = &self.transformed;
        json!({
            "case": self.case.name(), "verdict": verdict, "golden": self.golden, "made": self.made, "logs": logs,
            "figures": figures,
        })
    }
}
