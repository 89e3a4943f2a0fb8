//! What the pages do, on the command line: tables for people, `--json` for scripts. One file for each resource.

mod deliveries;
mod event_types;
mod events;
mod keys;
mod pretty;
mod session;
mod spaces;
mod subscriptions;
mod table;
mod time;

use clap::Subcommand;

use super::remote::{HOSTS_HELP, RemoteArgs};
pub(super) use pretty::body as pretty_body;
pub(super) use session::{Session, print};

/// How `--help` ends.
const EXIT_CODES: &str = "\
With --json, standard output is what the host answered, numbers and all; of a list, one document with `data` and
`next_cursor`. Exit codes: 0 success, 1 failure, 2 invalid arguments.";

/// The commands, one for each resource of the API.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List, show, create and delete spaces: one tenant's events and subscriptions
    #[command(after_help = help(spaces::EXAMPLES))]
    Spaces(Args<spaces::Command>),
    /// List, create and delete API keys
    #[command(after_help = help(keys::EXAMPLES))]
    Keys(Args<keys::Command>),
    /// List, show, define and delete event types
    #[command(after_help = help(event_types::EXAMPLES))]
    EventTypes(Args<event_types::Command>),
    /// List, show, create, edit, pause, activate and delete subscriptions
    #[command(after_help = help(subscriptions::EXAMPLES))]
    Subscriptions(Args<subscriptions::Command>),
    /// Send events
    #[command(after_help = help(events::EXAMPLES))]
    Events(Args<events::Command>),
    /// List, show, resend, cancel and follow deliveries
    #[command(after_help = help(deliveries::EXAMPLES))]
    Deliveries(Args<deliveries::Command>),
}

/// The arguments of a command.
#[derive(Debug, clap::Args)]
pub(crate) struct Args<C: Subcommand> {
    #[command(subcommand)]
    command: C,

    #[command(flatten)]
    common: Common,
}

/// Returns what follows a command's help.
fn help(examples: &str) -> String {
    format!("{examples}\n\n{HOSTS_HELP}\n\n{EXIT_CODES}")
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
struct Common {
    /// Print what the host answered, for scripts
    #[arg(long, global = true)]
    json: bool,

    #[command(flatten)]
    remote: RemoteArgs,
}

/// How many entries a list has.
#[derive(Debug, clap::Args)]
pub(crate) struct Limit {
    /// The most entries that are listed
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

/// Confirmation of what cannot be undone.
#[derive(Debug, clap::Args)]
pub(crate) struct Confirm {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Runs the command.
///
/// # Errors
/// If an argument is missing, the host cannot be called or refuses, or the output cannot be written.
pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Spaces(Args { command, common }) => spaces::run(command, &Session::new(common)?).await,
        Command::Keys(Args { command, common }) => keys::run(command, &Session::new(common)?).await,
        Command::EventTypes(Args { command, common }) => event_types::run(command, &Session::new(common)?).await,
        Command::Subscriptions(Args { command, common }) => subscriptions::run(command, &Session::new(common)?).await,
        Command::Events(Args { command, common }) => events::run(command, &Session::new(common)?).await,
        Command::Deliveries(Args { command, common }) => deliveries::run(command, &Session::new(common)?).await,
    }
}
