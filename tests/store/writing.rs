use std::sync::Arc;

use futures::future::join_all;
use hookmill_model::{EventId, SpaceId};
use hookmill_store::{Accepted, Store};

use super::{Kept, event, is_database};

/// Transactions in the write-ahead log: a frame that ends one holds the database's size then, others hold 0
/// (sqlite.org/fileformat2.html, "The WAL File Format").
/// With the log's salts, which differ once it begins again.
fn commits(kept: &Kept) -> (Vec<u8>, usize) {
    const HEADER: usize = 32;
    const FRAME: usize = 24 + 4096;
    let log = std::fs::read(kept.dir.path().join("hookmill.db-wal")).unwrap();
    let salts = log[16..24].to_vec();
    let frames = log[HEADER..].chunks_exact(FRAME);
    let commits = frames.filter(|frame| frame[8..16] == salts[..] && frame[4..8] != [0; 4]).count();
    (salts, commits)
}

#[tokio::test]
async fn what_queues_up_is_committed_together() {
    let kept = Kept::new().await;
    let before = commits(&kept);
    // While another connection writes, the store's first transaction cannot begin, and the rest queues behind it.
    let beside = kept.beside();
    beside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let events = (0..1_000).map(|i| kept.store.accept(vec![event(&kept.space, &format!("e{i}"), "{}")]));
    let all = join_all(events);
    let release = async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        beside.execute_batch("ROLLBACK").unwrap();
    };
    let (answers, ()) = tokio::join!(all, release);

    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == &[Accepted::New { filled: None }]));
    let (salts, made) = commits(&kept);
    // On a machine so slow that a checkpoint came between, the log has the new ones only.
    let made = if salts == before.0 { made - before.1 } else { made };
    assert!((1..=20).contains(&made), "{made} commits for 1,000 operations");
}

#[tokio::test]
async fn a_failed_operation_leaves_the_others_of_its_group_committed() {
    let kept = Kept::new().await;
    let nowhere = SpaceId::parse("nowhere").unwrap();
    let beside = kept.beside();
    beside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let spaces = (0..90).map(|i| if i % 9 == 4 { &nowhere } else { &kept.space });
    let operations = spaces.enumerate().map(|(i, space)| kept.store.accept(vec![event(space, &format!("e{i}"), "{}")]));
    let all = join_all(operations);
    let release = async {
        tokio::task::yield_now().await;
        beside.execute_batch("ROLLBACK").unwrap();
    };
    let (answers, ()) = tokio::join!(all, release);

    for (i, answer) in answers.iter().enumerate() {
        assert_eq!(is_database(answer), i % 9 == 4, "{i}: {answer:?}");
    }
    let kept = kept.reopened();
    assert_eq!(kept.store.events(&kept.space, None, 100).await.unwrap().entries.len(), 80);
}

#[tokio::test]
async fn an_operation_is_executed_although_its_caller_has_gone_away() {
    let kept = Kept::new().await;
    let store = Arc::clone(&kept.store);
    let accepting = store.accept(vec![event(&kept.space, "e1", "{}")]);
    // One poll queues it; then the caller is dropped.
    let polled = futures::future::select(accepting, std::future::ready(())).await;
    drop(polled);
    drop(store);

    let kept = kept.reopened();

    assert!(kept.store.event(&kept.space, &EventId::parse("e1").unwrap()).await.unwrap().is_some());
}

#[tokio::test]
async fn reading_does_not_wait_for_writing() {
    let kept = Kept::new().await;
    let beside = kept.beside();
    beside.execute_batch("BEGIN IMMEDIATE; DELETE FROM spaces").unwrap();

    assert!(kept.store.space(&kept.space).await.unwrap().is_some());
    beside.execute_batch("ROLLBACK").unwrap();
}
