//! The `hookmill` program: arguments to a configuration, signals, and one file for each subcommand. The rest is the
//! libraries'.
#![forbid(unsafe_code)]

#[expect(clippy::disallowed_methods, reason = "measures with the machine's clock, and calls the hosts that it starts")]
mod bench;
mod compile;
#[expect(clippy::disallowed_methods, reason = "calls the host that it starts, and dates what its receiver gets")]
mod demo;
mod diagnose;
mod import;
mod openapi;
mod plugin;
mod remote;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

/// A delivery takes and gives back hundreds of small pieces of memory, on several threads: of a profile of the host under
/// load, a sixth was the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A WebAssembly plugin host for webhook payloads.
///
/// Post an event, and every subscription's receiver gets it: reshaped by the subscription's own sandboxed plugin,
/// delayed as asked, signed over the exact bytes sent, retried, and written down.
#[derive(Debug, Parser)]
#[command(name = "hookmill", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    serve: serve::Args,
}

const AFTER_HELP: &str = "\
Without a command, `serve` runs. HOOKMILL_LOG sets what is logged (error, warn, info, debug, or a filter such as
`info,hookmill::send=debug`). Exit codes: 0 all went well, 1 it failed, 2 the arguments were wrong.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the host: the API, and the deliveries
    Serve(serve::Args),
    /// Show the whole path on this machine: a host, a receiver, real events, checked signatures
    Demo(demo::Args),
    /// Write plugins: start, build, test, inspect, run and push them
    Plugin(plugin::Args),
    /// Make subscriptions of another system's webhooks: LeadSquared's, Livespace's, Breakcold's
    Import(import::Args),
    /// Find out why a subscription's webhooks do not come
    Diagnose(diagnose::Args),
    /// Print the description of the HTTP API (OpenAPI 3.1, JSON)
    Openapi,
    /// Measure what the host does in a second on this machine and what it costs, beside the least that is possible
    Bench(bench::Args),
    /// Compile one component (the host runs this in a process of its own, with limits)
    #[command(hide = true)]
    Compile(compile::Args),
}

/// Parses the arguments and runs what they ask for.
fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        // The compiler's process does one thing on one thread, and writes nothing but its result.
        Some(Command::Compile(args)) => compile::run(&args),
        Some(Command::Openapi) => openapi::run(),
        Some(Command::Demo(args)) => with_runtime("warn", demo::run(args)),
        Some(Command::Plugin(args)) => with_runtime("warn", plugin::run(args)),
        Some(Command::Import(args)) => with_runtime("warn", import::run(args)),
        Some(Command::Diagnose(args)) => with_runtime("warn", diagnose::run(args)),
        Some(Command::Bench(args)) if args.is_beside() => with(Builder::new_current_thread(), "warn", bench::run(args)),
        Some(Command::Bench(args)) => with_runtime("warn", bench::run(args)),
        Some(Command::Serve(args)) => with_runtime("info", serve::run(args)),
        None => with_runtime("info", serve::run(cli.serve)),
    };
    result.unwrap_or_else(|err| {
        complain(&err);
        ExitCode::FAILURE
    })
}

/// This program, which compiles plugins as `hookmill compile`.
fn program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("finding the program itself, which compiles plugins")
}

#[expect(clippy::print_stderr, reason = "the last word of a failed command")]
fn complain(err: &anyhow::Error) {
    eprintln!("hookmill: {err:#}");
}

fn with_runtime(log_level: &str, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    with(Builder::new_multi_thread(), log_level, work)
}

fn with(
    mut runtime: Builder,
    log_level: &str,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_env("HOOKMILL_LOG").unwrap_or_else(|_| EnvFilter::new(log_level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    runtime.enable_all().build()?.block_on(work).map(|()| ExitCode::SUCCESS)
}
