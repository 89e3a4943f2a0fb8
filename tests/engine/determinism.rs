//! The same plugin and event give the same bytes and the same fuel: a thousand times, on a busy machine, in another
//! process's engine, compiled anew.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hookmill_bundled::PLUGINS;
use hookmill_engine::Limits;
use hookmill_engine::{Engine, Prepared};
use hookmill_server::plugins::golden::{self, Case};

use crate::support::host::BINARY;

/// Runs that must agree.
const RUNS: usize = 1_000;

/// What must agree.
#[derive(Debug, PartialEq)]
struct ShadowJob {
    request: String,
    logs: String,
    fuel_used: u64,
    memory_bytes: u64,
}

async fn prepare(folder: &Path, name: &str) -> (Engine, Arc<Prepared>) {
    let engine = Engine::new(&Limits::default(), folder, BINARY.into()).unwrap();
    let plugin = PLUGINS.iter().find(|plugin| plugin.name == name).unwrap();
    let component = Bytes::from(plugin.component());
    let digest = hookmill_model::Digest::of(&component);
    let prepared = engine.load(digest, component).await.unwrap();
    (engine, prepared)
}

async fn see((engine, prepared): &(Engine, Arc<Prepared>), delivery: &golden::Delivery) -> ShadowJob {
    let made = golden::transform(engine, prepared, delivery).await.unwrap();
    ShadowJob {
        request: golden::as_file(&made).to_string(),
        logs: format!("{:?}", made.logs),
        fuel_used: made.figures.fuel_used,
        memory_bytes: made.figures.memory_bytes,
    }
}

/// Keeps every core busy until it is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn start() -> Self {
        let on = Arc::new(AtomicBool::new(true));
        for _ in 0..4 {
            let on = on.clone();
            std::thread::spawn(move || {
                while on.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(on)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

async fn agrees(name: &str, case: &str) {
    let file = format!("../plugins/{name}/golden/{case}.delivery.json");
    let delivery = Case::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap().delivery().unwrap();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hookmill").join("compiled");
    let plugin = prepare(&kept, name).await;
    let first = see(&plugin, &delivery).await;
    assert!(first.fuel_used > 0);
    let load = Load::start();
    for run in 0..RUNS {
        // Several at once, as a host has them.
        let (one, other) = tokio::join!(see(&plugin, &delivery), see(&plugin, &delivery));
        assert_eq!(one, first, "{name}, run {run}");
        assert_eq!(other, first, "{name}, run {run}");
    }
    drop(load);
    // An engine that is new, as after a restart.
    assert_eq!(see(&prepare(&kept, name).await, &delivery).await, first, "{name}, loaded again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rust_plugin_gives_the_same_on_a_thousand_runs_under_load_and_after_a_restart() {
    agrees("zapier", "deal").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_javascript_plugin_gives_the_same_on_a_thousand_runs_under_load_and_after_a_restart() {
    agrees("javascript", "time-and-chance-follow-from-the-delivery").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_compiled_anew_gives_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/zapier/golden/deal.delivery.json");
    let delivery = Case::of(&file).unwrap().delivery().unwrap();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hookmill").join("compiled");
    let before = see(&prepare(&kept, "zapier").await, &delivery).await;
    assert_eq!(see(&prepare(folder.path(), "zapier").await, &delivery).await, before);
}
