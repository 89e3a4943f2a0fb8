//! 202 means committed and flushed: the real program on a disk that is slow, fails or hangs.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::support::process::Process;
use crate::support::sink::Sink;
use crate::support::slow_disk::{Mode, SlowDisk};

const EVENTS: &str = "/v1/spaces/acme/events";

/// Maximum wait for an expected event.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host on a slow disk, with the space `acme`.
struct Scene {
    disk: SlowDisk,
    dir: TempDir,
    key: String,
    host: Process,
}

impl Scene {
    async fn start() -> Self {
        let (disk, dir) = (SlowDisk::start(), tempfile::tempdir().unwrap());
        // Compiled plugins are kept between tests, so that later starts compile nothing.
        let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("durability");
        std::fs::create_dir_all(&compiled).unwrap();
        std::os::unix::fs::symlink(compiled, dir.path().join("compiled")).unwrap();
        // One at a time: two hosts that create the folder's key at once would each consider the other's plugins damaged.
        static STARTING: Mutex<()> = Mutex::const_new(());
        let starting = STARTING.lock().await;
        let host = Process::start_with(dir.path(), disk.env()).await;
        drop(starting);
        assert!(disk.flushes().done > 0, "the host does not use the slow disk");
        let key = host.key.clone().unwrap();
        let scene = Self { disk, dir, key, host };
        scene.make("/v1/spaces", json!({"id": "acme", "name": "Acme"})).await;
        scene
    }

    /// Kills the host with `kill -9`, and starts it on a working disk.
    async fn restart(self) -> Self {
        let Self { disk, dir, key, host } = self;
        host.kill().await;
        disk.turn(Mode::Slow);
        let host = Process::start_with(dir.path(), disk.env()).await;
        Self { disk, dir, key, host }
    }

    async fn make(&self, path: &str, what: Value) {
        let (status, answer) = self.host.call(&self.key, Method::POST, path, what.to_string()).await.unwrap();
        assert_eq!(status, 201, "{answer}");
    }

    async fn subscribe(&self, sink: &Sink) {
        let subscription = json!({"name": "test", "url": sink.url("/"), "event_types": ["*"]});
        self.make("/v1/spaces/acme/subscriptions", subscription).await;
    }

    async fn post(&self, id: &str) -> (StatusCode, Value) {
        let event = json!({"id": id, "type": "lead.create", "data": {}}).to_string();
        self.host.call(&self.key, Method::POST, EVENTS, event).await.unwrap()
    }

    /// Posts an event that must be accepted.
    async fn accepted(&self, id: &str) -> String {
        let (status, answer) = self.post(id).await;
        assert_eq!(status, 202, "{answer}");
        id.to_owned()
    }

    /// Posts an event that the disk fails to write.
    async fn refused(&self, id: &str) {
        let (status, answer) = self.post(id).await;
        assert_eq!((status.as_u16(), &answer["code"]), (503, &json!("disk_failed")), "{answer}");
    }

    /// Returns the ids of all events.
    async fn events(&self) -> HashSet<String> {
        let path = format!("{EVENTS}?limit=200");
        let (status, answer) = self.host.call(&self.key, Method::GET, &path, String::new()).await.unwrap();
        assert_eq!(status, 200, "{answer}");
        let events = answer["data"].as_array().unwrap().iter();
        events.map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_202_comes_after_the_flush_that_follows_its_post() {
    let scene = Scene::start().await;
    for number in 0..20 {
        // Without subscriptions, the event is the only thing to write. One thread commits, so a flush that is done and had
        // not begun before the post began after it.
        let before = scene.disk.flushes().begun;
        scene.accepted(&format!("e{number}")).await;
        let done = scene.disk.flushes().done;
        assert!(done > before, "event {number} was accepted with {done} flushes done and {before} begun before it");
    }
    scene.host.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_answered_listed_or_delivered_while_its_flush_is_stuck() {
    let scene = Arc::new(Scene::start().await);
    let sink = Sink::start().await;
    scene.subscribe(&sink).await;
    scene.disk.turn(Mode::Stuck);
    let ids: HashSet<_> = (0..8).map(|number| format!("e{number}")).collect();
    let mut posts = JoinSet::new();
    for id in ids.clone() {
        let scene = scene.clone();
        posts.spawn(async move { scene.accepted(&id).await });
    }
    scene.disk.wait_until_stuck().await;

    // There is nothing to wait for: this checks that nothing happens for a while.
    let answered = timeout(Duration::from_millis(200), posts.join_next()).await;
    assert!(answered.is_err(), "answered before the flush: {answered:?}");
    assert_eq!(scene.events().await, HashSet::new());
    let arrivals = sink.wait_for_count(1, Instant::now()).await;
    assert!(arrivals.is_empty(), "delivered before the flush: {arrivals:?}");
    assert!(scene.disk.flushes().stuck);

    scene.disk.turn(Mode::Slow);
    let answered = timeout(PATIENCE, posts.join_all()).await.unwrap();
    assert_eq!(answered.into_iter().collect::<HashSet<_>>(), ids);
    assert_eq!(scene.events().await, ids);
    let seen = sink.wait_for_all(&ids, PATIENCE).await;
    assert_eq!(seen.into_keys().collect::<HashSet<_>>(), ids);
    Arc::into_inner(scene).unwrap().host.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_the_disk_fails_to_write_is_not_answered_with_202_and_one_with_202_is_kept() {
    let scene = Scene::start().await;
    let sink = Sink::start().await;
    scene.subscribe(&sink).await;
    let mut accepted = HashSet::new();
    for number in 0..4 {
        accepted.insert(scene.accepted(&format!("before{number}")).await);
    }
    scene.disk.turn(Mode::Broken);
    for number in 0..4 {
        scene.refused(&format!("refused{number}")).await;
    }
    assert_eq!(scene.events().await, accepted);

    // The host recovers by itself as soon as the disk does.
    scene.disk.turn(Mode::Slow);
    for number in 0..4 {
        accepted.insert(scene.accepted(&format!("after{number}")).await);
    }
    assert_eq!(scene.events().await, accepted);

    // If the host is killed before another commit overwrites the failed one, it may find the event in the log: written, but
    // never flushed. An error does not mean that the event was not accepted; the producer posts it again.
    scene.disk.turn(Mode::Broken);
    scene.refused("last").await;
    let scene = scene.restart().await;
    let events = scene.events().await;
    assert!(events.is_superset(&accepted), "lost: {:?}", accepted.difference(&events));
    accepted.insert(scene.accepted("last").await);
    assert_eq!(scene.events().await, accepted);

    let seen = sink.wait_for_all(&accepted, PATIENCE).await;
    assert_eq!(seen.into_keys().collect::<HashSet<_>>(), accepted);
    scene.host.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_disk_fails_is_not_ready_and_asks_producers_to_come_again() {
    let scene = Scene::start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |path: &str| client.get(format!("{}{path}", scene.host.base)).send().await.unwrap();
    // The result of a probe is used for a while.
    let becomes = async |status: u16| {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = get("/readyz").await;
            if answer.status() == status {
                return answer;
            }
            assert!(Instant::now() < until, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    becomes(200).await;
    for mode in [Mode::Broken, Mode::Stuck] {
        scene.disk.turn(mode);
        let answer = becomes(503).await;
        assert_eq!(answer.headers()["retry-after"], "10");
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], "disk_failed", "{mode:?}");
        assert_eq!(get("/healthz").await.status(), 200);
        if mode == Mode::Broken {
            scene.refused("e1").await;
            let event = client.post(format!("{}{EVENTS}", scene.host.base)).bearer_auth(&scene.key);
            let event = event.header("content-type", "application/json").body(r#"{"type":"lead.create","data":1}"#);
            assert_eq!(event.send().await.unwrap().headers()["retry-after"], "10");
        }
        scene.disk.turn(Mode::Slow);
        becomes(200).await;
    }
    scene.accepted("e1").await;
    scene.host.terminate().await;
}
