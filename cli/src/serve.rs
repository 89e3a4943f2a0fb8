//! `hookmill serve`: the host itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use hookmill_server::clock::Clock;
use hookmill_server::config::Config;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The arguments of `serve`, which override the file.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A configuration file (TOML); host/server/src/config.rs and config/ list every setting with its default
    #[arg(long, value_name = "FILE", env = "HOOKMILL_CONFIG")]
    config: Option<PathBuf>,

    /// The address that the API listens on [default: 127.0.0.1:8470]
    #[arg(long, value_name = "ADDRESS:PORT", env = "HOOKMILL_LISTEN")]
    listen: Option<SocketAddr>,

    /// The folder of the database and the compiled plugins [default: hookmill-data]
    #[arg(long, value_name = "DIR", env = "HOOKMILL_DATA_DIR")]
    data_dir: Option<PathBuf>,

    /// Allow sending to this private or local network; may be repeated
    #[arg(long, value_name = "NETWORK/BITS")]
    allow_network: Vec<IpNet>,
}

impl Args {
    fn config(self) -> anyhow::Result<Config> {
        let mut config = self.config.as_deref().map_or_else(|| Ok(Config::default()), Config::read)?;
        config.listen = self.listen.unwrap_or(config.listen);
        config.data_dir = self.data_dir.unwrap_or(config.data_dir);
        config.send.allow_networks.extend(self.allow_network);
        Ok(config)
    }
}

/// Runs the host until SIGINT or SIGTERM, then drains.
#[expect(clippy::print_stdout, reason = "what an operator needs at once, the key above all, does not belong in a log")]
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let mut config = args.config()?;
    fit_descriptors(&mut config)?;
    let (listen, data_dir) = (config.listen, config.data_dir.clone());
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("listening on {listen}; if another host is running there, choose another address with --listen")
    })?;
    let (host, first_key) = hookmill_server::open(config, Clock::system(), crate::program()?).await?;
    // Before the host reports that it runs: a signal may follow at once.
    let signals = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    println!("Hookmill listens on http://{}", listener.local_addr()?);
    println!("Data directory: {}", std::path::absolute(&data_dir)?.display());
    if let Some(key) = first_key {
        println!(
            "Admin key (shown only once, keep it): {key}\n\
             Open the address in a browser and sign in with the key, or call the API with it."
        );
    }
    let shutdown = CancellationToken::new();
    tokio::spawn(cancel_on_signal(signals, shutdown.clone()));
    hookmill_pages::run(host, listener, shutdown).await
}

/// Raises the limit of descriptors as far as the system lets it, and fits the configuration to it: the soft limit is 1,024 by
/// default, of which each caller and each receiver takes one.
fn fit_descriptors(config: &mut Config) -> anyhow::Result<()> {
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).context("raising the limit of open files")?;
    if config.fit(descriptors) {
        tracing::warn!(
            descriptors,
            accept.connections_max = config.accept.connections_max,
            deliver.in_flight_max = config.deliver.in_flight_max,
            send.idle_connections_max = config.send.idle_connections_max,
            "the limit of open files is low: connections are fewer than configured"
        );
    } else {
        tracing::info!(descriptors, "limit of open files");
    }
    Ok(())
}

/// The first signal starts an orderly shutdown, the second exits at once.
async fn cancel_on_signal((mut interrupt, mut terminate): (Signal, Signal), shutdown: CancellationToken) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    shutdown.cancel();
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::warn!("second signal received, exiting at once");
    std::process::exit(1);
}
