//! The cost of accepting an event with few and with many subscriptions in its space, 3 of which match.
//!
//! `cargo bench -p hookmill-benches --bench accept`: the two `accept` figures are for 100 events in one request, committed to
//! a real database; `match` is the part that could grow with the number of subscriptions.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

mod common;

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hookmill_engine::Engine;
use hookmill_model::{EventType, Space};
use hookmill_server::clock::Clock;
use hookmill_server::config::Config;
use hookmill_server::host::Host;
use hookmill_server::ingest::{IncomingEvent, Target, accept};
use hookmill_server::registry::Allowance;
use hookmill_store::{Sqlite, Store};
use serde_json::value::RawValue;
use tokio::runtime::Runtime;

use common::{event, space, subscription};

const BATCH: usize = 100;
const DATA: &str = r#"{"id":"5b8f2a4e","name":"Licences 2026","status":"won","value":12.50,"tags":["renewal"]}"#;

/// A host whose space has this many subscriptions, three of which match `deal.won`.
async fn host(dir: &std::path::Path, subscriptions: usize) -> Arc<Host> {
    let mut config = Config { data_dir: dir.to_owned(), ..Config::default() };
    // Nothing is delivered here, so deliveries must not accumulate in memory.
    config.deliver.waiting_max = 1;
    let clock = Clock::system();
    let store = Arc::new(Sqlite::open(dir).unwrap());
    store
        .create_space(Space {
            id: space(),
            name: "Acme".to_owned(),
            administrators: Vec::new(),
            plugin_keys: Vec::new(),
            indexed_paths: Vec::new(),
            quotas: hookmill_model::Quotas::default(),
            retention: hookmill_model::Retention::default(),
            created_at: clock.now(),
        })
        .await
        .unwrap();
    let patterns = ["deal.won", "deal.*", "*"].map(str::to_owned).into_iter();
    let others = (3..subscriptions).map(|number| format!("other.type{number}"));
    let puts: Vec<_> = patterns
        .chain(others)
        .map(|pattern| {
            let (store, subscription, now) = (store.clone(), subscription(&pattern, clock.now()), clock.now());
            tokio::spawn(async move { store.put_subscription(&subscription, now).await.unwrap() })
        })
        .collect();
    for put in puts {
        put.await.unwrap();
    }
    let engine = Engine::new(&config.plugin, &dir.join("compiled"), "unused".into()).unwrap();
    Host::new(config, clock, store, engine).await.unwrap()
}

fn posted() -> IncomingEvent {
    let data = Arc::from(RawValue::from_string(DATA.to_owned()).unwrap());
    let kind = EventType::parse("deal.won").unwrap();
    IncomingEvent { id: None, kind, occurred_at: None, data, changed_fields: None, previous: None }
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let sizes = [10, 100_000];
    let dirs = sizes.map(|_| tempfile::tempdir().unwrap());
    let hosts: Vec<_> =
        sizes.iter().zip(&dirs).map(|(size, dir)| (size, runtime.block_on(host(dir.path(), *size)))).collect();

    let mut group = criterion.benchmark_group("match");
    for (size, host) in &hosts {
        let event = Arc::new(event(DATA, host.clock.now()));
        let matching = async || host.registry.matching(&event, &mut Allowance::default()).await.wanted;
        assert_eq!(runtime.block_on(matching()).len(), 3);
        group.bench_function(BenchmarkId::from_parameter(size), |bench| bench.to_async(&runtime).iter(matching));
    }
    group.finish();

    let mut group = criterion.benchmark_group("accept");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (size, host) in &hosts {
        group.bench_function(BenchmarkId::from_parameter(size), |bench| {
            bench.to_async(&runtime).iter(|| async {
                let batch = (0..BATCH).map(|_| posted()).collect();
                let receipts = accept(host, space(), batch, Target::Matching).await.unwrap();
                assert!(receipts.iter().all(|receipt| receipt.as_ref().unwrap().deliveries == 3));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
