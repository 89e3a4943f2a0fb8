//! `hookmill plugin`: all that an author needs, from an empty folder to a plugin on a host. One file for each command.

mod bench;
mod build;
mod eject;
mod engine;
mod inspect;
mod list;
mod new;
mod project;
mod pull;
mod push;
mod run;
mod style;
mod test;
mod toolchain;
mod watch;

use clap::Subcommand;

const AFTER_HELP: &str = "\
From an idea to a running plugin:
  hookmill plugin new deals --lang javascript
  cd deals && npm install
  hookmill plugin test --build
  HOOKMILL_KEY=hmk_… hookmill plugin push --space acme

Exit codes: 0 all went well; 1 it failed: a pair differs, the host would refuse the component, a tool is missing; 2 the
arguments were wrong. With --json, what there is to tell is one JSON document on standard output, whatever the exit code;
why something could not be done stands on standard error.";

/// What `plugin` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,

    /// Print one JSON document, for scripts
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a project: a plugin that works, its tests, the SDK, the contract
    New(new::Args),
    /// Build a project's component, with the language's own toolchain
    Build(build::Args),
    /// Run a project's golden pairs through the real engine, under the real limits
    Test(test::Args),
    /// Tell what a component is, and whether a host would take it
    Inspect(inspect::Args),
    /// Run a component on one event and print the request that would be sent
    Run(run::Args),
    /// Measure what components cost
    Bench(bench::Args),
    /// Send a component to a host, or to an OCI registry
    Push(push::Args),
    /// Get a component from an OCI registry
    Pull(pull::Args),
    /// List the plugins that a space can use
    List(list::Args),
    /// Make a project of JavaScript that stands in a subscription's configuration
    Eject(eject::Args),
}

/// Runs the command.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let json = args.json;
    match args.command {
        Command::New(args) => new::run(&args, json),
        Command::Build(args) => build::run(&args, json),
        Command::Test(args) => test::run(args, json).await,
        Command::Inspect(args) => inspect::run(&args, json).await,
        Command::Run(args) => run::run(&args, json).await,
        Command::Bench(args) => bench::run(&args, json).await,
        Command::Push(args) => push::run(&args, json).await,
        Command::Pull(args) => pull::run(&args, json).await,
        Command::Eject(args) => eject::run(&args, json).await,
        Command::List(args) => list::run(&args, json).await,
    }
}
