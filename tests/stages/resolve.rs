//! Name resolution: bounded, shared and kept, whatever a name server does.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookmill_model::{Request, SendFaultCode, SpaceId};
use hookmill_server::config::SendConfig;
use hookmill_server::stages::send::resolve::{LookupError, Resolver};
use hookmill_server::stages::send::{Client, SendError, Sent};
use http::{HeaderMap, Method};
use tokio::task::JoinSet;

use crate::support::receiver::Receiver;

/// A name server: names that end in `.hang` get no answer until it is dropped, those in `.gone` do not exist, and all
/// others are this machine.
#[derive(Clone, Default)]
struct Names(Arc<State>);

#[derive(Default)]
struct State {
    asked: AtomicUsize,
    hanging: AtomicUsize,
    over: Mutex<bool>,
    ended: Condvar,
}

impl Names {
    fn resolver(&self, config: &SendConfig) -> Resolver {
        let state = Arc::clone(&self.0);
        Resolver::with_lookup(config, move |name| {
            state.asked.fetch_add(1, Ordering::Relaxed);
            if name.ends_with(".gone") {
                return Err(io::Error::other("no such name"));
            }
            if name.ends_with(".full") {
                // EMFILE.
                return Err(io::Error::from_raw_os_error(24));
            }
            if name.ends_with(".hang") {
                state.hanging.fetch_add(1, Ordering::Relaxed);
                let over = state.over.lock().unwrap();
                drop(state.ended.wait_while(over, |over| !*over).unwrap());
            }
            Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
        })
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::Relaxed)
    }

    fn hanging(&self) -> usize {
        self.0.hanging.load(Ordering::Relaxed)
    }

    fn end(&self) {
        *self.0.over.lock().unwrap() = true;
        self.0.ended.notify_all();
    }
}

fn config() -> SendConfig {
    SendConfig {
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        lookups_max: 4,
        lookups_per_space_max: 2,
        lookup_timeout_s: 30,
        ..SendConfig::default()
    }
}

/// For tests in which names hang.
fn impatient(seconds: u64) -> SendConfig {
    SendConfig { lookup_timeout_s: seconds, ..config() }
}

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

fn space(id: &str) -> SpaceId {
    id.parse().unwrap()
}

async fn send(client: &Client, of: &str, url: &str) -> Result<Sent, SendError> {
    send_within(client, of, url, LONG).await
}

async fn send_within(client: &Client, of: &str, url: &str, timeout: Duration) -> Result<Sent, SendError> {
    let (url, headers) = (url.parse().unwrap(), HeaderMap::new());
    let request = Request { method: Method::POST, url, headers, body: Bytes::new(), sealed: Vec::new() };
    client.send(&space(of), &request, &HeaderMap::new(), timeout).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_whose_names_hang_leaves_turns_for_the_others() {
    let names = Names::default();
    let resolver = names.resolver(&impatient(3));
    let mut hanging = JoinSet::new();
    for n in 0..200 {
        let resolver = resolver.clone();
        hanging.spawn(async move { resolver.lookup(&space("loud"), &format!("{n}.hang")).await.unwrap_err() });
    }
    while names.hanging() < 2 {
        tokio::task::yield_now().await;
    }
    for n in 0..20 {
        let found = resolver.lookup(&space("quiet"), &format!("{n}.example")).await.unwrap();
        assert_eq!(*found, [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    }
    // The first of the others ends when its name has hung for as long as it may.
    assert!(hanging.try_join_next().is_none(), "it waited for the other space's names");
    let told = hanging.join_all().await;
    assert!(told.iter().all(|error| !error.is_ours()), "{told:?}");
    assert_eq!(told.iter().filter(|error| matches!(error, LookupError::Slow(_))).count(), 2);
    assert_eq!(names.hanging(), 2, "no more of one space at once");
    names.end();
}

#[tokio::test]
async fn a_name_that_waits_for_a_spaces_turn_does_not_keep_another_space_from_it() {
    let names = Names::default();
    let resolver = names.resolver(&config());
    let mut waiting = JoinSet::new();
    for name in ["1.hang", "2.hang", "hooks.example"] {
        let resolver = resolver.clone();
        waiting.spawn(async move { resolver.lookup(&space("loud"), name).await.is_ok() });
        while name.ends_with("hang") && names.hanging() < usize::from(name.as_bytes()[0] - b'0') {
            tokio::task::yield_now().await;
        }
    }
    tokio::task::yield_now().await;
    resolver.lookup(&space("quiet"), "hooks.example").await.unwrap();
    assert_eq!(names.asked(), 3);
    names.end();
}

#[tokio::test]
async fn one_lookup_serves_all_who_ask_for_its_name_at_once_and_for_a_while_after() {
    let names = Names::default();
    let resolver = names.resolver(&config());
    let ask = |name: &'static str| {
        let resolver = resolver.clone();
        async move { resolver.lookup(&space("acme"), name).await }
    };
    let both = tokio::join!(ask("one.example"), ask("one.example"));
    assert!(both.0.is_ok() && both.1.is_ok());
    ask("one.example").await.unwrap();
    assert_eq!(names.asked(), 1);
    for _ in 0..3 {
        assert!(matches!(ask("it.gone").await, Err(LookupError::Failed(_))));
    }
    assert_eq!(names.asked(), 2);
    let forgetful = names.resolver(&SendConfig { lookup_kept_s: 0, ..config() });
    for _ in 0..3 {
        forgetful.lookup(&space("acme"), "one.example").await.unwrap();
    }
    assert_eq!(names.asked(), 5);
}

#[tokio::test]
async fn what_is_kept_of_names_is_bounded() {
    let names = Names::default();
    let resolver = names.resolver(&config());
    for n in 0..4_100 {
        resolver.lookup(&space("acme"), &format!("{n}.example")).await.unwrap();
    }
    resolver.lookup(&space("acme"), "4099.example").await.unwrap();
    assert_eq!(names.asked(), 4_100);
    resolver.lookup(&space("acme"), "0.example").await.unwrap();
    assert_eq!(names.asked(), 4_101);
}

#[tokio::test]
async fn a_name_that_hangs_is_the_receivers_fault_of_dns() {
    let names = Names::default();
    let config = impatient(1);
    let client = Client::with_resolver(&config, Vec::new(), names.resolver(&config)).unwrap();
    let start = Instant::now();
    let fault = send(&client, "acme", "http://it.hang/?token=s3cret").await.unwrap().result.unwrap_err();
    assert_eq!(fault.code, SendFaultCode::Dns);
    assert_eq!(fault.message, "the host name did not resolve: no answer within 1 s");
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    names.end();
}

#[tokio::test]
async fn where_all_turns_hang_the_host_is_at_fault_and_not_the_name() {
    let names = Names::default();
    let config = SendConfig { lookups_max: 1, lookups_per_space_max: 1, ..impatient(1) };
    let client = Client::with_resolver(&config, Vec::new(), names.resolver(&config)).unwrap();
    let loud = tokio::spawn({
        let client = client.clone();
        async move { send(&client, "loud", "http://it.hang/").await.map(drop) }
    });
    while names.hanging() < 1 {
        tokio::task::yield_now().await;
    }
    let error = send(&client, "quiet", "http://one.example/").await.unwrap_err();
    assert!(matches!(error, SendError::Host(_)), "{error:?}");
    // Also if the request's own timeout is shorter.
    let soon = Duration::from_millis(200);
    let error = send_within(&client, "quiet", "http://one.example/", soon).await.unwrap_err();
    assert!(matches!(error, SendError::NoTurn(_)), "{error:?}");
    assert!(loud.await.unwrap().is_ok());
    names.end();
}

#[tokio::test]
async fn a_lookup_without_a_descriptor_is_the_hosts_fault() {
    let names = Names::default();
    let client = Client::with_resolver(&config(), Vec::new(), names.resolver(&config())).unwrap();
    let error = send(&client, "acme", "http://it.full/").await.unwrap_err();
    assert!(matches!(error, SendError::Host(_)), "{error:?}");
}

#[tokio::test]
async fn the_policy_judges_the_address_that_the_resolver_found() {
    let receiver = Receiver::start().await;
    let url = format!("http://one.example:{}/", receiver.address().port());
    let names = Names::default();
    let open = Client::with_resolver(&config(), Vec::new(), names.resolver(&config())).unwrap();
    assert_eq!(send(&open, "acme", &url).await.unwrap().result.unwrap().status, 204);
    let deny = SendConfig { deny_networks: vec!["127.0.0.1/32".parse().unwrap()], ..config() };
    for config in [SendConfig { allow_networks: Vec::new(), ..config() }, deny] {
        let closed = Client::with_resolver(&config, Vec::new(), names.resolver(&config)).unwrap();
        let fault = send(&closed, "acme", &url).await.unwrap().result.unwrap_err();
        assert_eq!(fault.code, SendFaultCode::AddressRefused, "{}", fault.message);
    }
    assert_eq!(receiver.connections(), 1);
}
