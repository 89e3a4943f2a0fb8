//! The attacker's process: it runs one attack, with its receivers, at the lowest priority.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::super::child::Served;
use super::attacks::ATTACKS;
use super::loud::Loud;

/// What the process is asked first: which attack, on which host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) number: String,
    pub(super) address: SocketAddr,
    /// A key of the attacking space.
    pub(super) key: String,
    pub(super) seed: u64,
}

/// Runs until its parent exits. Anything asked after the beginning is answered with true: the attack goes on.
pub(in super::super) async fn run() -> anyhow::Result<()> {
    // It does not listen, but its parent expects an address.
    let mut parent = Served::ready(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let Some(Begin { number, address, key, seed }) = parent.next().await? else { return Ok(()) };
    let attack = ATTACKS.iter().find(|attack| attack.number == number).context("the attack is unknown")?;
    let attacking = tokio::spawn((attack.run)(Arc::new(Loud::new(address, key, seed).await?)));
    parent.answer(&true)?;
    tokio::select! {
        ended = attacking => ended?.context("the attack itself failed")?,
        asked = async { while parent.next::<()>().await?.is_some() { parent.answer(&true)?; } anyhow::Ok(()) } => asked?,
    }
    Ok(())
}
