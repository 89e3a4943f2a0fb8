//! Turns: one space's transforms leave another's their slots and their share of the processors.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hookmill_engine::{Engine, Limits, Prepared};
use tokio::task::JoinSet;

use crate::engine::fixture::{engine_with, is_echo, kept, rogue, tell_in};

/// Starts so many transforms of a space; each counts itself when it is over.
fn spin(set: &mut JoinSet<()>, count: usize, engine: &Engine, plugin: &Arc<Prepared>, over: &Arc<AtomicUsize>) {
    for _ in 0..count {
        let (engine, plugin, over) = (engine.clone(), Arc::clone(plugin), Arc::clone(over));
        set.spawn(async move {
            tell_in("noisy", &engine, &plugin, "spin").await;
            over.fetch_add(1, Ordering::Relaxed);
        });
    }
}

/// Each time, the runtime polls some sixty tasks.
async fn let_all_begin() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_space_that_loops_in_all_its_transforms_leaves_another_its_slots() {
    let limits = Limits { fuel_base: u64::MAX / 2, wall_clock_ms_max: 60_000, transforms_max: 8, ..Limits::default() };
    let engine = engine_with(&limits, &kept());
    let plugin = rogue(&engine).await;
    let (mut spinning, over) = (JoinSet::new(), Arc::default());
    spin(&mut spinning, 50, &engine, &plugin, &over);
    let_all_begin().await;
    for _ in 0..20 {
        assert!(is_echo(&tell_in("acme", &engine, &plugin, "echo").await));
    }
    assert_eq!(over.load(Ordering::Relaxed), 0, "they never end");
}

#[tokio::test]
async fn a_long_transform_takes_turns_with_another_spaces_and_not_with_each_of_them() {
    // About 70 ms each.
    let engine = engine_with(&Limits { fuel_base: 1_000_000_000, ..Limits::default() }, &kept());
    let plugin = rogue(&engine).await;
    let (mut spinning, over) = (JoinSet::new(), Arc::default());
    spin(&mut spinning, 20, &engine, &plugin, &over);
    let_all_begin().await;
    tell_in("acme", &engine, &plugin, "spin").await;
    let before = over.load(Ordering::Relaxed);
    assert!(before <= 5, "{before} of the other space's ended first");
    spinning.join_all().await;
}

#[tokio::test]
async fn what_waits_for_a_turn_does_not_run_out_of_time() {
    // About 20 ms each on an idle machine, and so many on this one.
    let patient = Limits { fuel_base: 300_000_000, wall_clock_ms_max: 60_000, ..Limits::default() };
    let engine = engine_with(&patient, &kept());
    let plugin = rogue(&engine).await;
    let mut five_us = 0;
    for _ in 0..5 {
        five_us += tell_in("acme", &engine, &plugin, "spin").await.figures.transform_us;
    }
    // All of the hundred take twice the limit.
    let engine = engine_with(&Limits { wall_clock_ms_max: five_us / 100, ..patient }, &kept());
    let plugin = rogue(&engine).await;
    let mut all = JoinSet::new();
    for _ in 0..100 {
        let (engine, plugin) = (engine.clone(), Arc::clone(&plugin));
        all.spawn(async move { tell_in("acme", &engine, &plugin, "spin").await });
    }
    for run in all.join_all().await {
        let code = run.result.expect_err("it spins").code;
        assert_eq!(code, hookmill_model::PluginFaultCode::OutOfFuel);
    }
}

#[tokio::test]
async fn a_turn_that_nobody_waits_for_any_more_goes_to_the_next() {
    let limits = Limits { fuel_base: u64::MAX / 2, wall_clock_ms_max: 60_000, transforms_max: 1, ..Limits::default() };
    let engine = engine_with(&limits, &kept());
    let plugin = rogue(&engine).await;
    let (mut spinning, over) = (JoinSet::new(), Arc::default());
    spin(&mut spinning, 10, &engine, &plugin, &over);
    let_all_begin().await;
    spinning.shutdown().await;
    for _ in 0..3 {
        assert!(is_echo(&tell_in("acme", &engine, &plugin, "echo").await));
    }
}
