//! Bytes that no toolchain produces: whatever is uploaded, the result comes soon, and the host survives.
//!
//! The suite runs a short version, the same each time. The long one:
//! `HOOKMILL_FUZZ_ROUNDS=200000 cargo test --test tests engine::fuzz -- --nocapture`.

use std::time::{Duration, Instant};

use hookmill_engine::Limits;
use hookmill_engine::{InspectError, outline};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use crate::engine::fixture::engine_with;
use crate::support::cpu::cpu_time;

/// CPU time: a scan of some hundred kilobytes takes less than a tenth of this.
const SOON: Duration = Duration::from_secs(5);

const SEEDS: [&[u8]; 4] =
    [hookmill_guests::ECHO, hookmill_guests::LOGGING, hookmill_guests::ROGUE, b"\0asm\x0d\0\x01\0"];

fn rounds() -> usize {
    std::env::var("HOOKMILL_FUZZ_ROUNDS").map_or(2_000, |rounds| rounds.parse().expect("a number"))
}

/// A way to corrupt a file.
fn mutated(rng: &mut StdRng, component: &[u8]) -> Vec<u8> {
    let mut bytes = component.to_vec();
    let (from, to) = (rng.random_range(0..bytes.len()), rng.random_range(0..bytes.len()));
    match rng.random_range(0..7) {
        0 => bytes.truncate(from),
        1 => (0..=to % 16).for_each(|_| {
            let place = rng.random_range(0..bytes.len());
            bytes[place] ^= 1 << rng.random_range(0..8);
        }),
        // The largest number that a length or a count can be.
        2 => {
            let end = bytes.len().min(from + 5);
            bytes[from..end].copy_from_slice(&b"\xff\xff\xff\xff\x0f"[..end - from]);
        }
        3 => drop(bytes.drain(from.min(to)..from.max(to))),
        4 => drop(bytes.splice(to..to, component[from..].to_vec())),
        5 => rng.fill_bytes(&mut bytes[from..]),
        _ => {
            bytes = vec![0; from];
            rng.fill_bytes(&mut bytes);
        }
    }
    bytes
}

/// Scans; the result must come soon, with a printable message.
fn scan(bytes: &[u8], limits: &Limits) -> Result<(), String> {
    let start = cpu_time();
    let scanned = outline(bytes, limits);
    let took = cpu_time() - start;
    assert!(took < SOON, "{} bytes took {took:?}", bytes.len());
    let refusal = scanned.map(|_| ()).map_err(|refusal| refusal.0);
    if let Err(reason) = &refusal {
        assert!(
            reason.starts_with("it ") || reason.starts_with("its ") || reason.starts_with("one of its "),
            "{reason}"
        );
        assert!(reason.len() < 2_500 && !reason.contains(char::is_control), "{reason:?}");
    }
    refusal
}

#[test]
fn the_scan_ends_soon_whatever_it_is_given() {
    let limits = Limits::default();
    let mut refused = 0;
    for round in 0..rounds() {
        let mut rng = StdRng::seed_from_u64(round as u64);
        let mut bytes = SEEDS[round % SEEDS.len()].to_vec();
        for _ in 0..=round % 3 {
            if !bytes.is_empty() {
                bytes = mutated(&mut rng, &bytes);
            }
        }
        refused += usize::from(scan(&bytes, &limits).is_err());
    }
    assert!(refused > rounds() / 2 && refused < rounds(), "{refused} of {} were refused", rounds());
}

#[tokio::test]
async fn what_passes_the_scan_is_compiled_and_asked_without_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = Limits { compile_s_max: 2, compile_memory_bytes_max: 1 << 30, ..Limits::default() };
    let engine = engine_with(&limits, folder.path());
    let wanted = (rounds() / 50).max(1);
    let mutants = (0..u64::MAX).map(|seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        mutated(&mut rng, SEEDS[seed as usize % 2])
    });
    let (mut tried, mut taken) = (0, 0);
    for bytes in mutants.filter(|bytes| scan(bytes, &limits).is_ok()).take(wanted) {
        let start = Instant::now();
        match engine.inspect(bytes.clone().into()).await {
            Ok(_) => taken += 1,
            Err(InspectError::Refused(_)) => {}
            Err(error) => panic!("the host failed: {error:?}"),
        }
        // Two seconds of CPU, ten times that by the clock, then a call that has its own limit.
        assert!(start.elapsed() < Duration::from_secs(40), "it took {:?}", start.elapsed());
        tried += 1;
    }
    assert_eq!(tried, wanted);
    println!("{taken} of {tried} mutants are plugins still");
    // The engine still works.
    engine.inspect(hookmill_guests::ECHO.into()).await.expect("it is a plugin");
}

/// Components nested to this depth, each no more than its header.
fn nested(depth: usize) -> Vec<u8> {
    const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";
    const LEVEL: usize = 1 + 5 + HEADER.len();
    let mut bytes = HEADER.to_vec();
    for level in (0..depth).rev() {
        let size = HEADER.len() + level * LEVEL;
        bytes.push(4);
        // A number in five groups of seven bits.
        bytes.extend((0..5).map(|group| (size >> (7 * group)) as u8 & 0x7f | if group < 4 { 0x80 } else { 0 }));
        bytes.extend_from_slice(HEADER);
    }
    bytes
}

#[test]
fn what_is_small_in_a_file_and_large_in_memory_is_refused_early() {
    let limits = Limits::default();
    assert!(scan(&nested(15), &limits).expect_err("it exports nothing").starts_with("it does not export"));
    for depth in [16, 2_000_000] {
        let reason = scan(&nested(depth), &limits).expect_err("nobody writes that");
        assert_eq!(reason, "it nests components more than 16 deep");
    }
    let exports = |count: usize, name: &str| {
        let exports: String = (0..count).map(|n| format!(r#"(export "{name}{n}" (instance $i))"#)).collect();
        wat::parse_str(format!("(component (instance $i) {exports})")).expect("well-formed text")
    };
    let reason = scan(&exports(1_001, "a"), &limits).expect_err("nobody writes that");
    assert_eq!(reason, "it has more than 1000 imports and exports");
    let reason = scan(&exports(1, &"a".repeat(1_000)), &limits).expect_err("nobody writes that");
    assert_eq!(reason, "one of its imports or exports has a name of 1001 bytes; 1000 are allowed");
}
