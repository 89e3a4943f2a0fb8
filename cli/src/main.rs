//! The `hookmill` program: arguments to a configuration, signals, and one module for each subcommand. Everything else is in
//! the libraries.
#![forbid(unsafe_code)]

#[cfg(feature = "bench")]
#[expect(clippy::disallowed_methods, reason = "measures with the machine's clock, and calls the hosts that it starts")]
mod bench;
mod check_schema;
#[cfg(feature = "client")]
mod client;
mod compile;
#[cfg(feature = "client")]
mod completions;
#[cfg(feature = "demo")]
#[expect(clippy::disallowed_methods, reason = "calls the host that it starts, and dates what its receiver gets")]
mod demo;
mod diagnose;
mod hosts;
mod import;
#[cfg(feature = "client")]
mod listen;
mod openapi;
#[cfg(feature = "authors")]
mod plugin;
mod remote;
mod serve;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

/// A delivery allocates and frees hundreds of small blocks on several threads: in a profile of the host under load, the
/// system's allocator took a sixth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A WebAssembly plugin host for webhook payloads.
///
/// Post an event, and every subscription's receiver gets it: reshaped by the subscription's own sandboxed plugin,
/// delayed as configured, signed over the exact bytes sent, retried, and recorded.
#[derive(Debug, Parser)]
#[command(name = "hookmill", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    serve: serve::Args,
}

const AFTER_HELP: &str = "\
Examples:
  hookmill demo                                  the whole path on this machine, in seconds
  hookmill serve --data-dir /var/lib/hookmill    run a host; it prints its address and, once, an admin key
  hookmill plugin new deals --lang rust          start a plugin
  hookmill listen --subscribe 'deal.*'           receive a space's webhooks here, verified and printed
  hookmill deliveries tail                       what the host sends, live
  HOOKMILL_KEY=hmk_… hookmill diagnose sub_… --space acme

Without a command, `serve` runs. HOOKMILL_LOG sets what is logged to standard error: error, warn, info, debug, or a filter
such as `info,hookmill_server::stages::send=debug`.

Exit codes: 0 success, 1 failure, 2 invalid arguments.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the host: the API and the deliveries
    Serve(serve::Args),
    /// Show the whole path on this machine: a host, a receiver, real events, verified signatures
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    /// Write plugins: create, build, test, inspect, run and push them
    #[cfg(feature = "authors")]
    Plugin(plugin::Args),
    #[cfg(feature = "client")]
    #[command(flatten)]
    Client(client::Command),
    /// Receive webhooks here: verify, print and answer them as told
    #[cfg(feature = "client")]
    Listen(listen::Args),
    /// Print the completions for a shell
    #[cfg(feature = "client")]
    Completions(completions::Args),
    /// Create subscriptions from the webhooks of LeadSquared, Livespace or Breakcold
    Import(import::Args),
    /// Find out why a subscription's webhooks do not arrive
    Diagnose(diagnose::Args),
    /// Print the description of the HTTP API (OpenAPI 3.1, JSON)
    Openapi,
    /// Measure the host's throughput and cost on this machine, relative to the least that a durable host can do
    #[cfg(feature = "bench")]
    Bench(bench::Args),
    /// Compile one component (the host runs this as a child process, with limits)
    #[command(hide = true)]
    Compile(compile::Args),
    /// Check a schema or a value (the host runs this as a child process, with limits)
    #[command(hide = true)]
    CheckSchema(check_schema::Args),
}

/// Parses the arguments and runs the command.
fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        // The compiling process does one thing on one thread, and writes nothing but its result.
        Some(Command::Compile(args)) => compile::run(&args),
        Some(Command::CheckSchema(args)) => check_schema::run(&args),
        Some(Command::Openapi) => openapi::run(),
        #[cfg(feature = "demo")]
        Some(Command::Demo(args)) => with_runtime("warn", demo::run(args)),
        #[cfg(feature = "authors")]
        Some(Command::Plugin(args)) => with_runtime("warn", plugin::run(args)),
        #[cfg(feature = "client")]
        Some(Command::Client(command)) => with_runtime("warn", client::run(command)),
        #[cfg(feature = "client")]
        Some(Command::Listen(args)) => with_runtime("warn", listen::run(args)),
        #[cfg(feature = "client")]
        Some(Command::Completions(args)) => completions::run(&args),
        Some(Command::Import(args)) => with_runtime("warn", import::run(args)),
        Some(Command::Diagnose(args)) => with_runtime("warn", diagnose::run(args)),
        #[cfg(feature = "bench")]
        Some(Command::Bench(args)) if args.is_single_threaded() => {
            with(Builder::new_current_thread(), "warn", bench::run(args))
        }
        #[cfg(feature = "bench")]
        Some(Command::Bench(args)) => with_runtime("warn", bench::run(args)),
        Some(Command::Serve(args)) => with_runtime("info", serve::run(args)),
        None => with_runtime("info", serve::run(cli.serve)),
    };
    result.unwrap_or_else(|err| {
        // Whoever read the output has seen enough: `hookmill deliveries list | head`.
        let has_closed = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
        if err.downcast_ref().is_some_and(has_closed) {
            return ExitCode::SUCCESS;
        }
        report(&err);
        if err.is::<remote::Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
    })
}

/// The path of this program, which compiles plugins as `hookmill compile`.
fn program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("finding the path of this program, which compiles plugins")
}

#[expect(clippy::print_stderr, reason = "how a command reports its failure")]
fn report(err: &anyhow::Error) {
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
