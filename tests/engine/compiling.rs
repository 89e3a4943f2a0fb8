//! Compiling: it always ends, and artefacts are found again.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hookmill_engine::Limits;
use hookmill_engine::{Engine, EngineError, InspectError};
use hookmill_model::{Digest, SpaceId};
use tokio::task::JoinSet;

use crate::engine::fixture::{binary, engine_with, transform};
use crate::support::script;

const ECHO: Bytes = Bytes::from_static(hookmill_guests::ECHO);

/// Within every limit of the scan, and hard to compile: functions whose every block sees every local.
fn bomb() -> Vec<u8> {
    let mut body = String::new();
    for n in 0..6_000 {
        let _ = write!(
            body,
            "(if (local.get {}) (then (local.set {} (i32.add (local.get {}) (i32.load (local.get {}))))))",
            n % 1_000,
            (n * 7) % 1_000,
            (n * 13) % 1_000,
            (n * 17) % 1_000
        );
    }
    let function = format!("(func (local {}) (loop $l {body} (br_if $l (local.get 0))))", "i32 ".repeat(1_000));
    let text = format!(
        r#"(component (core module (memory 1) {})
           (instance $i) (export "hookmill:plugin/transformer@1.0.0" (instance $i)))"#,
        function.repeat(20)
    );
    wat::parse_str(text).expect("well-formed text")
}

async fn refusal(limits: &Limits, component: Vec<u8>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    match engine_with(limits, folder.path()).inspect(component.into()).await {
        Err(InspectError::Refused(refusal)) => {
            assert_eq!(artefacts(folder.path()), Vec::<PathBuf>::new(), "nothing is kept of it");
            refusal.0
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn compiling_that_takes_too_long_is_a_refusal() {
    let limits = Limits { compile_s_max: 1, ..Limits::default() };
    assert_eq!(refusal(&limits, bomb()).await, "compiling it takes more than 1 s");
}

#[tokio::test]
async fn compiling_that_takes_too_much_memory_is_a_refusal() {
    // The address space also contains the program itself, which takes about 60 MiB in a test build.
    let limits = Limits { compile_memory_bytes_max: 128 << 20, ..Limits::default() };
    assert_eq!(refusal(&limits, bomb()).await, "compiling it takes more than 128 MiB of memory");
}

#[tokio::test]
async fn a_component_that_is_not_valid_is_refused_with_the_compilers_words() {
    let text = r#"(component (core module (func (result i32) (f32.const 1)))
        (instance $i) (export "hookmill:plugin/transformer@1.0.0" (instance $i)))"#;
    let reason = refusal(&Limits::default(), wat::parse_str(text).expect("well-formed text")).await;
    assert!(reason.starts_with("it does not compile: ") && reason.contains("type mismatch"), "{reason}");
}

#[tokio::test]
async fn a_component_that_is_too_large_is_refused_unread() {
    let limits = Limits { component_bytes_max: 1_000, ..Limits::default() };
    let reason = refusal(&limits, vec![0; 1_001]).await;
    assert_eq!(reason, "it has 1001 bytes; 1000 are allowed");
}

#[tokio::test]
async fn a_compiler_that_cannot_be_run_is_the_hosts_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = without_compiler(folder.path());
    let error = engine.inspect(ECHO).await.expect_err("nothing compiles");
    assert!(matches!(error, InspectError::Engine(EngineError::Compiler { .. })), "{error:?}");
    let engine = Engine::new(&Limits::default(), folder.path(), "/bin/false".into()).expect("it starts");
    let error = engine.inspect(ECHO).await.expect_err("nothing compiles");
    assert!(matches!(error, InspectError::Engine(EngineError::CompilerExit { code: Some(1), .. })), "{error:?}");
}

#[tokio::test]
async fn a_component_that_is_not_what_its_digest_says_is_not_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine_with(&Limits::default(), folder.path());
    let error = engine.load(Digest::of(b"another"), ECHO).await.expect_err("it is not that one");
    assert!(matches!(error, InspectError::Refused(refusal) if refusal.0.starts_with("its digest is sha256:")));
}

fn without_compiler(folder: &Path) -> Engine {
    Engine::new(&Limits::default(), folder, "/nowhere/hookmill".into()).expect("it starts")
}

fn artefacts(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    files.filter(|file| file.file_name().is_some_and(|name| name != "key")).collect()
}

/// A cache directory with the compiled echo, its digest, and its file.
async fn compiled() -> (tempfile::TempDir, Digest, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let component = ECHO;
    let digest = Digest::of(&component);
    let engine = engine_with(&Limits::default(), folder.path());
    assert!(engine.load_cached(digest).await.is_none());
    engine.load(digest, component).await.expect("it compiles");
    assert!(engine.prepared(&digest).is_some());
    let [artefact] = artefacts(folder.path()).try_into().expect("one file");
    (folder, digest, artefact)
}

#[tokio::test]
async fn a_restart_compiles_nothing() {
    let (folder, digest, _) = compiled().await;
    let engine = without_compiler(folder.path());
    assert!(engine.prepared(&digest).is_none());
    let plugin = engine.load_cached(digest).await.expect("it is on disk");
    assert_eq!(plugin.digest(), digest);
    assert!(engine.prepared(&digest).is_some());
    assert!(transform(&engine, &plugin, "{}", "[]").await.result.is_ok());
    let inspected = engine.inspect(ECHO).await.expect("it is on disk");
    assert_eq!(inspected.digest, digest);
}

#[tokio::test]
async fn only_the_owner_can_read_what_was_compiled() {
    let (folder, _, artefact) = compiled().await;
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&artefact), mode(&folder.path().join("key"))), (0o600, 0o600));
    let inner = folder.path().join("a/b");
    without_compiler(&inner);
    assert_eq!(mode(&inner), 0o700);
}

#[tokio::test]
async fn a_file_that_is_not_as_it_was_written_is_compiled_anew() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("emptied", |file| fs::write(file, []).expect("written")),
        ("torn", |file| {
            let whole = fs::read(file).expect("read");
            fs::write(file, &whole[..whole.len() / 2]).expect("written");
        }),
        ("altered", |file| {
            let mut bytes = fs::read(file).expect("read");
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(file, bytes).expect("written");
        }),
        ("without its tag", |file| {
            let bytes = fs::read(file).expect("read");
            fs::write(file, &bytes[32..]).expect("written");
        }),
        ("under another key", |file| fs::write(file.with_file_name("key"), [7; 32]).expect("written")),
        ("under a torn key", |file| fs::write(file.with_file_name("key"), [7; 5]).expect("written")),
    ];
    for (what, damage) in damages {
        let (folder, digest, artefact) = compiled().await;
        damage(&artefact);
        assert!(without_compiler(folder.path()).load_cached(digest).await.is_none(), "{what}");
        let engine = engine_with(&Limits::default(), folder.path());
        engine.load(digest, ECHO).await.expect(what);
        assert!(without_compiler(folder.path()).load_cached(digest).await.is_some(), "{what}");
    }
}

#[tokio::test]
async fn a_file_under_anothers_name_is_not_run() {
    let (folder, digest, artefact) = compiled().await;
    let other = Digest::of(b"another");
    let name = artefact.file_name().expect("a name").to_str().expect("text").replace(&digest.hex(), &other.hex());
    fs::rename(&artefact, artefact.with_file_name(name)).expect("renamed");
    assert!(without_compiler(folder.path()).load_cached(other).await.is_none());
}

#[tokio::test]
async fn many_who_want_the_same_plugin_compile_it_once() {
    let folder = tempfile::tempdir().expect("a folder");
    // Each start writes a line before it compiles.
    let counter = folder.path().join("count");
    let program = folder.path().join("compiler");
    script(&program, &format!("echo >> {}\nexec {} \"$@\"", counter.display(), binary().display()));
    let engine = Engine::new(&Limits::default(), &folder.path().join("cache"), program).expect("it starts");
    let component = ECHO;
    let digest = Digest::of(&component);
    let loads = (0..20).map(|_| engine.load(digest, component.clone()));
    for loaded in futures::future::join_all(loads).await {
        loaded.expect("it compiles");
    }
    assert_eq!(fs::read_to_string(counter).expect("it ran"), "\n");
}

/// An engine whose only compiler takes a while and refuses everything.
fn with_slow_compiler(folder: &Path) -> Engine {
    let program = folder.join("compiler");
    script(&program, "cat >/dev/null\nsleep 0.2\necho no >&2\nexit 3");
    let limits = Limits { compilers_max: 1, ..Limits::default() };
    Engine::new(&limits, &folder.join("cache"), program).expect("it starts")
}

#[tokio::test]
async fn a_space_that_uploads_a_dozen_components_delays_anothers_upload_by_one_at_most() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = with_slow_compiler(folder.path());
    let ended = Arc::new(AtomicUsize::new(0));
    let mut uploads = JoinSet::new();
    for _ in 0..12 {
        let (engine, ended) = (engine.clone(), Arc::clone(&ended));
        uploads.spawn(async move {
            let busy = SpaceId::parse("busy").expect("an id");
            engine.inspect_for(Some(&busy), ECHO).await.expect_err("nothing compiles");
            ended.fetch_add(1, Ordering::SeqCst);
        });
    }
    tokio::task::yield_now().await;
    let quiet = SpaceId::parse("quiet").expect("an id");
    engine.inspect_for(Some(&quiet), ECHO).await.expect_err("nothing compiles");
    let before = ended.load(Ordering::SeqCst);
    assert!(before <= 1, "it waited for {before} of the other space's 12 uploads");
    // The same for what a delivery needs.
    let turn = engine.compiler_turn(Some(&quiet)).await;
    engine.load_in(&turn, Digest::of(&ECHO), ECHO).await.expect_err("nothing compiles");
    drop(turn);
    let before = ended.load(Ordering::SeqCst);
    assert!(before <= 2, "it waited for {before} of the other space's 12 uploads");
    uploads.join_all().await;
}

#[tokio::test]
async fn a_space_has_a_bounded_number_of_components_that_wait_to_be_inspected() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = with_slow_compiler(folder.path());
    let space = SpaceId::parse("busy").expect("an id");
    let uploads = (0..20).map(|_| engine.inspect_for(Some(&space), ECHO));
    let results = futures::future::join_all(uploads).await;
    let busy = results.iter().filter(|result| matches!(result, Err(InspectError::Busy))).count();
    assert_eq!(busy, 4, "16 may wait");
}

#[tokio::test]
async fn cleaning_keeps_the_compiled_plugins_that_are_named_and_files_that_may_be_in_the_writing() {
    let (folder, digest, artefact) = compiled().await;
    let engine = without_compiler(folder.path());
    let of_another_version = artefact.with_file_name(format!("{}-0123456789abcdef.cwasm", digest.hex()));
    fs::write(&of_another_version, b"old").expect("written");
    let [young, old] = ["new-young", "new-old"].map(|name| folder.path().join(name));
    for file in [&young, &old] {
        fs::write(file, b"half").expect("written");
    }
    let yesterday = std::time::SystemTime::now() - Duration::from_secs(24 * 60 * 60);
    fs::File::options().write(true).open(&old).expect("opened").set_modified(yesterday).expect("set");
    // A directory that hosts share.
    engine.clean(None).await;
    assert!(artefact.exists() && of_another_version.exists() && young.exists() && !old.exists());
    engine.clean(Some(vec![digest])).await;
    assert!(artefact.exists() && !of_another_version.exists() && young.exists());
    engine.clean(Some(vec![])).await;
    assert_eq!(artefacts(folder.path()), [young]);
    assert!(folder.path().join("key").exists());
}
