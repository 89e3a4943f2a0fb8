//! The cost of each stage that touches neither disk nor network, and of the transform by the size of its event.
//!
//! `cargo bench -p hookmill-benches --bench stages`: all groups but `transform` use one event of 1 KiB. Bytes per second refer
//! to the event's data, or to the signed body.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

mod common;
#[path = "common/crm.rs"]
mod crm;

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group};
use hookmill_engine::{Engine, Limits, Prepared, precompile};
use hookmill_model::{
    Answer, Body, ContentType, CustomHeader, Delivery, DeliveryId, DeliveryState, Digest, Draft, Event, FieldSelection,
    HmacAlgorithm, HmacScheme, Outcome, Pattern, QueryParameter, Request, RetryPolicy, Sealed, Secret, SendFault,
    SendFaultCode, SignatureEncoding, Signing, StandardAlgorithm, StatusChange, Subscription, SubscriptionId, Template,
    Trigger,
};
use hookmill_server::dispatch::transform::{Plugin, TransformDecision, TransformInput, transform};
use hookmill_server::stages::matching::{Condition, EventChanges, EventFacts, Index, environment};
use hookmill_server::stages::request::{AttemptInfo, assemble};
use hookmill_server::stages::seal::unseal;
use hookmill_server::stages::select::Selector;
use hookmill_server::stages::shape::{Envelope, shape};
use hookmill_server::stages::sign::{SignedContent, sign};
use hookmill_server::stages::{delay, record};
use jiff::Timestamp;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::runtime::Runtime;

use common::{event, subscription};

const KIB: usize = 1 << 10;

/// Sizes of data: a form with few fields, a typical record, a long one, and one with its whole history.
const SIZES: [usize; 4] = [200, KIB, 16 * KIB, 256 * KIB];

const CONTENT_TYPES: [(&str, ContentType); 3] =
    [("json", ContentType::Json), ("form", ContentType::Form), ("text", ContentType::Text)];

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn delivery(subscription: &Subscription, event: Event) -> Delivery {
    Delivery {
        id: DeliveryId::new(now()),
        subscription_id: subscription.id,
        event: event.into(),
        batched: 0,
        more: Vec::new(),
        test: false,
        verbatim: false,
        pinned: None,
        state: DeliveryState::Pending,
        attempts: 0,
        due_at: now(),
        leased_until: None,
        completed_at: None,
        reason: None,
    }
}

/// The draft of an event's default shape.
fn draft(content_type: ContentType, event: &Event) -> Draft {
    let shown = Envelope { kind: &event.kind, occurred_at: event.occurred_at, data: &event.data };
    shape(content_type, &[shown], Limits::default().output_bytes_max).unwrap()
}

fn matching(criterion: &mut Criterion) {
    let mut index = Index::default();
    for number in 0..100 {
        index.insert(SubscriptionId::new(now()), &[Pattern::parse(&format!("other.type{number}")).unwrap()]);
    }
    for pattern in ["deal.won", "deal.*", "*"] {
        index.insert(SubscriptionId::new(now()), &[Pattern::parse(pattern).unwrap()]);
    }
    let data = crm::deal(KIB);
    let open = RawValue::from_string(data.replace(r#""won""#, r#""open""#)).unwrap();
    let event = Event { previous: Some(Arc::from(open)), ..event(&data, now()) };
    let status = StatusChange { field: "deal.status".to_owned(), from: Some(json!("open")), to: Some(json!("won")) };
    let trigger = Trigger { fields: vec!["deal.owner.email".to_owned()], status: Some(status) };
    let condition =
        Condition::parse(r#"event.data.deal.value > 1000.0 && event.data.deal.owner.email.endsWith("@example.com")"#)
            .unwrap();
    let env = environment();
    assert_eq!(index.candidates(&event.kind).len(), 3);
    assert!(EventChanges::of(&event).fire(&trigger) && condition.holds(&EventFacts::of(&event, &env)).unwrap());

    let mut group = criterion.benchmark_group("match");
    group.bench_function("type", |bench| bench.iter(|| index.candidates(black_box(&event.kind))));
    // Includes reading the event, which is done once for all subscriptions; `condition alone` is the cost of each.
    group.bench_function("trigger", |bench| bench.iter(|| EventChanges::of(black_box(&event)).fire(&trigger)));
    group.bench_function("condition", |bench| bench.iter(|| condition.holds(&EventFacts::of(black_box(&event), &env))));
    let facts = EventFacts::of(&event, &env);
    group.bench_function("condition alone", |bench| bench.iter(|| condition.holds(black_box(&facts))));
    group.finish();
}

fn delaying(criterion: &mut Criterion) {
    let (policy, now) = (RetryPolicy::default(), now());
    let asked = Some(Duration::from_secs(60));
    let mut group = criterion.benchmark_group("delay");
    group.bench_function("first", |bench| bench.iter(|| delay::first(black_box(now), 60)));
    group.bench_function("backoff", |bench| bench.iter(|| delay::next(&policy, black_box(3), now, asked, 0.5)));
    group.finish();
}

fn selecting(criterion: &mut Criterion) {
    let event = event(&crm::deal(KIB), now());
    let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    let selections = [
        ("all", FieldSelection::default()),
        ("include", FieldSelection { include: paths(&["$.deal.name", "$.deal.owner"]), exclude: Vec::new() }),
        ("exclude", FieldSelection { include: Vec::new(), exclude: paths(&["$..email", "$.deal.activities[*].cost"]) }),
    ];
    let mut group = criterion.benchmark_group("select");
    group.throughput(Throughput::Bytes(KIB as u64));
    for (name, selection) in selections {
        let selector = Selector::compile(&selection).unwrap();
        assert_eq!(selector.apply(&event.data).unwrap().get() == event.data.get(), selection.is_all());
        group.bench_function(name, |bench| bench.iter(|| selector.apply(black_box(&event.data))));
    }
    group.finish();
}

fn shaping(criterion: &mut Criterion) {
    let event = event(&crm::deal(KIB), now());
    let mut group = criterion.benchmark_group("shape");
    group.throughput(Throughput::Bytes(KIB as u64));
    for (name, content_type) in CONTENT_TYPES {
        group.bench_function(name, |bench| bench.iter(|| draft(content_type, black_box(&event))));
    }
    group.finish();
}

/// A subscription with an example of everything that goes into a request.
fn full_subscription() -> Subscription {
    let mut subscription = subscription("*", now());
    let header = |name: &str, value: &str, secret| CustomHeader { name: name.into(), value: value.into(), secret };
    subscription.headers = vec![header("authorization", "Bearer 6f1d", true), header("x-team", "sales", false)];
    let value = Template::parse("{event.id}").unwrap();
    subscription.query = vec![QueryParameter { name: "event".to_owned(), value }];
    subscription.sealed_secrets.insert("key".to_owned(), Secret::parse("k-3f9a0c").unwrap());
    subscription
}

fn requesting(criterion: &mut Criterion) {
    let (subscription, limits) = (full_subscription(), Limits::default());
    let delivery = delivery(&subscription, event(&crm::deal(KIB), now()));
    let about = AttemptInfo { delivery: &delivery, attempt: 1 };
    let mut group = criterion.benchmark_group("request");
    group.throughput(Throughput::Bytes(KIB as u64));
    for (name, content_type) in CONTENT_TYPES {
        let draft = draft(content_type, &delivery.event);
        let assemble = |draft| assemble(&subscription, draft, Vec::new(), &about, &limits).unwrap();
        group.bench_function(name, |bench| bench.iter_batched(|| draft.clone(), assemble, BatchSize::SmallInput));
    }
    group.finish();
}

/// A request of 1 KiB of data; `sealed` has a placeholder in a header and at the end of the body.
fn request(subscription: &Subscription, sealed: bool) -> Request {
    let delivery = delivery(subscription, event(&crm::deal(KIB), now()));
    let about = AttemptInfo { delivery: &delivery, attempt: 1 };
    let mut draft = draft(ContentType::Text, &delivery.event);
    let mut handed_out = Vec::new();
    if sealed {
        let placeholder = "hmsec_0123456789abcdefghijklmnopqrstuv".to_owned();
        draft.headers.push(("x-key".to_owned(), placeholder.clone()));
        if let Body::Text(text) = &mut draft.body {
            text.push_str(&placeholder);
        }
        handed_out.push(Sealed { placeholder, name: "key".to_owned() });
    }
    assemble(subscription, draft, handed_out, &about, &Limits::default()).unwrap()
}

fn unsealing(criterion: &mut Criterion) {
    let subscription = full_subscription();
    let mut group = criterion.benchmark_group("unseal");
    group.throughput(Throughput::Bytes(KIB as u64));
    for (name, sealed) in [("nothing", false), ("secret", true)] {
        let request = request(&subscription, sealed);
        assert_eq!(unseal(&request, &subscription).body.ends_with(b"k-3f9a0c"), sealed);
        group.bench_function(name, |bench| bench.iter(|| unseal(black_box(&request), &subscription)));
    }
    group.finish();
}

fn signing(criterion: &mut Criterion) {
    let request = request(&subscription("*", now()), false);
    let url = request.url.as_str();
    let signed = SignedContent { id: DeliveryId::new(now()), timestamp_s: now().as_second(), url, body: &request.body };
    let scheme = HmacScheme {
        algorithm: HmacAlgorithm::Sha256,
        header: "x-signature".to_owned(),
        prefix: Template::parse("t={timestamp},v1=").unwrap(),
        encoding: SignatureEncoding::Hex,
        signed: Template::parse("{timestamp}.{body}").unwrap(),
        timestamp_header: None,
    };
    let schemes = [
        ("standard hmac", Signing::Standard { algorithm: StandardAlgorithm::HmacSha256 }),
        ("standard ed25519", Signing::Standard { algorithm: StandardAlgorithm::Ed25519 }),
        ("other hmac", Signing::Hmac(scheme)),
    ];
    let mut group = criterion.benchmark_group("sign");
    group.throughput(Throughput::Bytes(request.body.len() as u64));
    for (name, signing) in schemes {
        let secrets = [signing.new_secret()];
        assert!(!sign(&signing, &secrets, &signed).is_empty());
        group.bench_function(name, |bench| bench.iter(|| sign(&signing, &secrets, black_box(&signed))));
    }
    group.finish();
}

fn recording(criterion: &mut Criterion) {
    let (subscription, now) = (subscription("*", now()), now());
    let answer = |status, headers| Answer { status, headers, body: Bytes::new(), truncated: false };
    let wait = ("retry-after".to_owned(), "60".to_owned());
    let unreachable = SendFault { code: SendFaultCode::Connect, message: "connection refused".to_owned() };
    let outcomes = [
        ("success", Outcome::Succeeded(answer(204, Vec::new()))),
        ("retry after", Outcome::Rejected(answer(503, vec![wait]))),
        ("unreachable", Outcome::Unreachable(unreachable)),
    ];
    let mut group = criterion.benchmark_group("record");
    for (name, outcome) in outcomes {
        let decide = || record::decide(&subscription, 1, black_box(&outcome), now, 0.5);
        group.bench_function(name, |bench| bench.iter(decide));
    }
    group.finish();
}

/// An engine that keeps what it compiled for the next run.
fn engine(limits: &Limits) -> Engine {
    let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-stages");
    Engine::new(limits, &compiled, std::env::current_exe().unwrap()).unwrap()
}

async fn bundled(engine: &Engine, name: &str) -> Arc<Prepared> {
    let plugin = hookmill_bundled::PLUGINS.iter().find(|plugin| plugin.name == name).unwrap();
    let component = Bytes::from(plugin.component());
    engine.load(Digest::of(&component), component).await.unwrap()
}

fn transforming(criterion: &mut Criterion) {
    let (runtime, limits) = (Runtime::new().unwrap(), Limits::default());
    let engine = engine(&limits);
    let [zapier, make] = ["zapier", "make"].map(|name| runtime.block_on(bundled(&engine, name)));
    let ways = [
        ("default json", None, ContentType::Json),
        ("default form", None, ContentType::Form),
        ("zapier", Some(&zapier), ContentType::Json),
        ("make json", Some(&make), ContentType::Json),
        ("make form", Some(&make), ContentType::Form),
    ];
    let selector = Selector::compile(&FieldSelection::default()).unwrap();
    let mut group = criterion.benchmark_group("transform");
    for (name, prepared, content_type) in ways {
        let subscription = Subscription { content_type, ..subscription("*", now()) };
        let plugin = prepared.map(|prepared| Plugin { prepared, config: "{}" });
        for size in SIZES {
            let delivery = delivery(&subscription, event(&crm::deal(size), now()));
            let input =
                TransformInput { delivery: &delivery, attempt: 1, subscription: &subscription, selector: &selector };
            let run = || async {
                let transformed = transform(&engine, &limits, plugin, black_box(input)).await.unwrap();
                assert!(matches!(transformed.result, Ok(TransformDecision::Deliver(_))), "{:?}", transformed.result);
                transformed
            };
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::new(name, size), |bench| bench.to_async(&runtime).iter(run));
        }
    }
    group.finish();
}

criterion_group!(
    benches,
    matching,
    delaying,
    selecting,
    shaping,
    requesting,
    unsealing,
    signing,
    recording,
    transforming
);
/// The engine compiles plugins in a child process: this program, as `compile`.
fn main() {
    if std::env::args().nth(1).is_some_and(|argument| argument == "compile") {
        return compile();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}

/// Compiles the component on standard input, and writes the artifact to standard output.
fn compile() {
    let mut component = Vec::new();
    std::io::stdin().read_to_end(&mut component).unwrap();
    std::io::stdout().write_all(&precompile(&component).unwrap().unwrap()).unwrap();
}
