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

use super::remote::RemoteArgs;
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
    Spaces(spaces::Args),
    /// List, create and delete API keys
    Keys(keys::Args),
    /// List, show, define and delete event types
    EventTypes(event_types::Args),
    /// List, show, create, edit, pause, activate and delete subscriptions
    Subscriptions(subscriptions::Args),
    /// Send events
    Events(events::Args),
    /// List, show, resend, cancel and follow deliveries
    Deliveries(deliveries::Args),
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
struct Limit {
    /// The most entries that are listed
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

/// Confirmation of what cannot be undone.
#[derive(Debug, clap::Args)]
struct Confirm {
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
        Command::Spaces(args) => spaces::run(args).await,
        Command::Keys(args) => keys::run(args).await,
        Command::EventTypes(args) => event_types::run(args).await,
        Command::Subscriptions(args) => subscriptions::run(args).await,
        Command::Events(args) => events::run(args).await,
        Command::Deliveries(args) => deliveries::run(args).await,
    }
}
