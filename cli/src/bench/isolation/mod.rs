//! `hookmill bench --isolation`: what a neighbour's attack does to a quiet space.
//!
//! The quiet space posts 20 events a second to two subscriptions, one of them with a plugin, and is measured before and
//! during each attack of another space on the same host. Host, load generator, receiver and attacker are one process each.
//!
//! An attacker and its receivers are elsewhere in reality, and do not take CPU from the host. Here they share its cores, so
//! their process has the lowest priority: the host and the quiet space's processes run first when they have work. The host's
//! work for the attacker has the priority that the host gives it. Where that work alone fills the machine, the attacker gets
//! what is left, and asks for less than one elsewhere could.

mod attacker;
mod attacks;
mod hostile;
mod loud;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

pub(super) use self::attacker::run as run_attacker;
use self::attacks::{ATTACKS, Attack};
use self::loud::Loud;
use super::child::Child;
use super::host::{Host, Template};
use super::load::{Load, LoadResult};
use super::receiver::{Ask, Tally};
use super::{Args, progress};

/// Events per second of the quiet space.
const QUIET_PER_S: f64 = 20.0;

/// Subscriptions of the quiet space, and so deliveries per event.
const QUIET_SUBSCRIPTIONS: u64 = 2;

/// The time that an attack has to begin before the quiet space is measured.
const ATTACK_BEGINS: Duration = Duration::from_secs(1);

/// The time after the last event within which a delivery still counts. Long, since what comes late counts in the percentiles.
const LATE: Duration = Duration::from_secs(10);

/// The time beyond the load's own after which the host counts as not responding.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bounds: by how much the 99th percentile may grow, its absolute maximum, and the part that must be delivered.
const P99_GROWTH_MAX: f64 = 3.0;
const P99_MS_MAX: f64 = 100.0;
const DELIVERED_MIN: f64 = 0.9;

/// Figures of the quiet space during one load.
#[derive(Clone, Copy, Debug)]
struct Quiet {
    p50_ms: f64,
    p99_ms: f64,
    /// Deliveries that arrived, of those that should have.
    delivered: f64,
}

/// One attack's row.
struct Row {
    attack: &'static Attack,
    before: Quiet,
    /// The figures during the attack, or why there are none.
    during: anyhow::Result<Quiet>,
}

impl Row {
    fn met(&self) -> bool {
        self.during.as_ref().is_ok_and(|during| {
            // A quarter of a millisecond is what two measurements of an idle host differ by.
            during.p99_ms <= (self.before.p99_ms.max(0.25) * P99_GROWTH_MAX)
                && during.p99_ms <= P99_MS_MAX
                && during.delivered >= DELIVERED_MIN
        })
    }

    fn show(&self) {
        let Attack { number, name, .. } = self.attack;
        let Quiet { p50_ms, p99_ms, .. } = self.before;
        let during = match &self.during {
            Ok(quiet) => format!("{:.1} / {:.1} | {:.0} %", quiet.p50_ms, quiet.p99_ms, quiet.delivered * 100.0),
            Err(err) => format!("{err:#} | 0 %"),
        };
        let met = if self.met() { "yes" } else { "no" };
        anstream::println!("| {number} | {name} | {p50_ms:.1} / {p99_ms:.1} | {during} | {met} |");
    }
}

/// Runs the attacks, prints the table, and fails if a row is not within its bounds.
pub(super) async fn run(args: &Args, dir: &Path) -> anyhow::Result<()> {
    let seed = args.seed.unwrap_or_else(|| rand::rng().random());
    let mut rng = StdRng::seed_from_u64(seed);
    let mut attacks: Vec<_> = ATTACKS
        .iter()
        .filter(|attack| args.attack.is_empty() || args.attack.iter().any(|n| n == attack.number))
        .collect();
    attacks.shuffle(&mut rng);
    let progress = progress(attacks.len() as u64 + 1);
    progress.set_message("compiling the bundled plugins");
    let template = Template::make(dir.join("template")).await?;
    let mut rows = Vec::new();
    for attack in attacks {
        progress.inc(1);
        progress.set_message(attack.name);
        rows.push(one(&template, &dir.join("data"), attack, args.seconds, rng.random()).await.context(attack.name)?);
    }
    progress.finish_and_clear();
    rows.sort_by_key(|row| ATTACKS.iter().position(|attack| std::ptr::eq(attack, row.attack)));
    anstream::println!("seed: {seed}\n");
    anstream::println!("| | attack of another space | p50 / p99 ms before | during | delivered | within the bounds |");
    anstream::println!("|---|---|---|---|---|---|");
    rows.iter().for_each(Row::show);
    let failed = rows.iter().filter(|row| !row.met()).count();
    anyhow::ensure!(failed == 0, "{failed} of {} attacks harm a neighbour", rows.len());
    Ok(())
}

/// Measures one attack, on its own host.
async fn one(
    template: &Template,
    folder: &Path,
    attack: &'static Attack,
    seconds: f64,
    seed: u64,
) -> anyhow::Result<Row> {
    let (mut receiver, address) = Child::start_role("receiver").await?;
    let (mut load, _) = Child::start_role("load").await?;
    let host = template.host(folder).await?;
    let space = json!({"id": "quiet", "name": "Quiet"});
    host.call(reqwest::Method::POST, "/v1/spaces", &space).await?;
    for (name, plugin) in [("plain", None), ("zapier", Some(json!({"name": "zapier", "config": {}})))] {
        let mut subscription = json!({"name": name, "url": format!("http://{address}/{name}"), "event_types": ["*"]});
        subscription["plugin"] = plugin.unwrap_or_default();
        host.call(reqwest::Method::POST, "/v1/spaces/quiet/subscriptions", &subscription).await?;
    }
    // Loads the plugin and opens connections.
    quiet(&host, &mut load, &mut receiver, address, 1.0).await?;
    let before = quiet(&host, &mut load, &mut receiver, address, seconds).await?;
    let (mut attacker, _) = Child::start_role_last("attacker").await?;
    let (number, key) = (attack.number.to_owned(), Loud::create(&host).await?);
    let begin = attacker::Begin { number, address: host.address, key, seed };
    attacker.ask::<bool>(&begin).await?;
    tokio::time::sleep(ATTACK_BEGINS).await;
    let during = quiet(&host, &mut load, &mut receiver, address, seconds).await;
    attacker.ask::<bool>(&()).await.context("the attack itself failed")?;
    attacker.kill().await?;
    host.child.kill().await?;
    std::fs::remove_dir_all(folder)?;
    Ok(Row { attack, before, during })
}

/// Loads the quiet space and measures it.
async fn quiet(
    host: &Host,
    load: &mut Child,
    receiver: &mut Child,
    address: std::net::SocketAddr,
    seconds: f64,
) -> anyhow::Result<Quiet> {
    let asked = Load {
        address: host.address,
        path: "/v1/spaces/quiet/events".to_owned(),
        key: Some(host.key.clone()),
        signed: false,
        connections: 4,
        receiver: address,
        fan_out: QUIET_SUBSCRIPTIONS,
        seconds,
        rate: Some(QUIET_PER_S),
        lines: 0,
    };
    let limit = Duration::from_secs_f64(seconds) + PATIENCE;
    let posted: LoadResult =
        tokio::time::timeout(limit, load.ask(&asked)).await.context("the host did not respond")??;
    let expected = posted.events * QUIET_SUBSCRIPTIONS;
    let until = tokio::time::Instant::now() + LATE;
    while receiver.ask::<Tally>(&Ask::Count).await?.count < expected && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let tally: Tally = receiver.ask(&Ask::Take).await?;
    Ok(Quiet {
        p50_ms: f64::from(tally.p50_us) / 1e3,
        p99_ms: f64::from(tally.p99_us) / 1e3,
        delivered: tally.count as f64 / (QUIET_PER_S * seconds * QUIET_SUBSCRIPTIONS as f64).floor().max(1.0),
    })
}
