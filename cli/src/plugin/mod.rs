//! `hookmill plugin`: the tools of plugin authors, from an empty folder to a plugin on a host. One file for each command.

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

Exit codes: 0 success; 1 failure: a golden pair differs, a host would refuse the component, a tool is missing; 2 invalid
arguments. With --json, the result is one JSON document on standard output, whatever the exit code; errors are on standard
error.";

/// The arguments of `plugin`.
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
    /// Create a project: a working plugin, its tests, the SDK, the contract
    New(new::Args),
    /// Build a project's component, with the language's own toolchain
    Build(build::Args),
    /// Run a project's golden pairs in the host's engine, under the host's limits
    Test(test::Args),
    /// Describe a component, and check whether a host would accept it
    Inspect(inspect::Args),
    /// Run a component on one event, and print the request that would be sent
    Run(run::Args),
    /// Measure the cost of components
    Bench(bench::Args),
    /// Upload a component to a host, or to an OCI registry
    Push(push::Args),
    /// Download a component from an OCI registry
    Pull(pull::Args),
    /// List the plugins that a space can use
    List(list::Args),
    /// Make a project from the JavaScript in a subscription's configuration
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
