use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use hookmill_model::DeliveryState;
use hookmill_store::{OpenError, Sqlite, Store, StoreError};

use super::{Kept, after, delivered, ids, now};

#[tokio::test]
async fn what_was_confirmed_is_found_after_opening_again() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await;
    let done = kept.delivery(subscription.id, now()).await;
    kept.store.record(vec![delivered(&kept.lease(now()).await[0])].into()).await.unwrap();
    let waiting = kept.delivery(subscription.id, after(5)).await;

    let kept = kept.reopened();

    assert_eq!(kept.state(done).await, DeliveryState::Delivered);
    assert_eq!(kept.read(done).await.1.len(), 1);
    assert_eq!(ids(&kept.lease(after(5)).await), [waiting]);
    assert!(kept.store.subscription(&kept.space, subscription.id).await.unwrap().is_some());
    kept.store.probe().await.unwrap();
}

#[tokio::test]
async fn a_directory_belongs_to_one_host() {
    let kept = Kept::new().await;

    let error = Sqlite::open(kept.dir.path()).err().unwrap();

    assert!(matches!(error, OpenError::InUse(_)));
    assert!(error.to_string().ends_with("is in use by another host"), "{error}");
    kept.reopened();
}

#[tokio::test]
async fn a_database_of_a_later_version_is_refused_untouched() {
    let kept = Kept::new().await;
    let (beside, dir) = (kept.beside(), kept.dir.path().to_owned());
    beside.pragma_update(None, "user_version", 99).unwrap();
    let Kept { store, dir: _keep, .. } = kept;
    drop(store);

    let error = Sqlite::open(&dir).err().unwrap();

    assert!(matches!(error, OpenError::Newer { found: 99, known: 10 }));
    assert!(error.to_string().contains("a later version wrote it"), "{error}");
}

#[tokio::test]
async fn migrations_start_from_nothing_and_are_applied_once() {
    let kept = Kept::new().await.reopened();
    let version: i64 = kept.beside().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 10);
    assert_eq!(kept.store.spaces(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("hookmill.db"), vec![7; 8192]).unwrap();
    assert!(matches!(Sqlite::open(dir.path()), Err(OpenError::Database(_))));
}

#[tokio::test]
async fn the_schema_refuses_what_cannot_be() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let id = kept.delivery(subscription, now()).await;
    kept.store.record(vec![delivered(&kept.lease(now()).await[0])].into()).await.unwrap();
    let beside = kept.beside();
    let refused = |sql: &str, constraint: &str| {
        let error = beside.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains(constraint), "{sql}: {error}");
    };

    let waiting = |values: &str| format!("INSERT INTO waiting VALUES (1, 1, 1, {values})");
    refused(&waiting("'lost', 1, 0, 0, 0, NULL, NULL"), "waiting_state_is_known");
    refused(&waiting("'held', 1, -1, 0, 0, NULL, NULL"), "attempts_are_counted_from_0");
    refused(&waiting("'held', 1, 0, -1, 0, NULL, NULL"), "batched_is_counted_from_0");
    refused(&waiting("'held', 1, 0, 0, 2, NULL, NULL"), "verbatim_is_a_boolean");
    refused("INSERT INTO ended VALUES (1, 1, 1, 'held', 1, 1, 1, NULL)", "ended_state_is_known");
    refused("INSERT INTO marks VALUES (2, 1, 1)", "there_is_one");
    refused("UPDATE deliveries SET due_at = 'tomorrow'", "cannot store TEXT value in INTEGER column");
    refused("UPDATE deliveries SET id = x'00'", "id_is_16_bytes");
    refused("UPDATE attempts SET key = 65536", "attempts_start_at_1");
    refused("UPDATE attempts SET outcome = 'unreachable'", "answer_iff_answered");
    refused("UPDATE attempts SET answer_body = NULL", "answer_iff_answered");
    refused("UPDATE attempts SET request_method = 'POST'", "request_is_whole_or_absent");
    refused("UPDATE attempts SET problem = 'dns'", "problem_iff_failed");
    refused("UPDATE attempts SET message = 'no'", "message_iff_not_answered");
    refused("UPDATE attempts SET retry = 1", "retry_iff_plugin_failed");
    let group = |values: &str| format!("INSERT INTO failure_groups VALUES ('{subscription}', {values})");
    refused(&group("0, 1, 1, NULL, 'd', 1, 0, 0"), "count_starts_at_1");
    refused(&group("1, 1, 1, NULL, 'd', 1, 0, 2"), "ended_is_a_bool");
    let notice = |values: &str| format!("INSERT INTO notices VALUES ('evt_1', '{subscription}', {values})");
    let none = "NULL, NULL, NULL, NULL, NULL";
    refused(&notice(&format!("'x', 'event', 1, 0, 1, NULL, NULL, {none}")), "kind_is_known");
    refused(&notice(&format!("'subscription.activated', 'x', 1, 0, 1, NULL, NULL, {none}")), "stage_is_known");
    refused(&notice(&format!("'subscription.activated', 'mail', 1, -1, 1, NULL, NULL, {none}")), "tries_are_counted");
    refused(&notice(&format!("'subscription.paused', 'mail', 1, 0, 1, NULL, NULL, {none}")), "pause_reason_iff_paused");
    refused(&notice(&format!("'delivery.failed', 'mail', 1, 0, 1, NULL, NULL, {none}")), "failed_tells_failures");
    let half = "1, 1, NULL, NULL, 'd'";
    refused(
        &notice(&format!("'delivery.failed', 'mail', 1, 0, 1, NULL, NULL, {half}")),
        "failures_are_whole_or_absent",
    );
    refused("UPDATE subscriptions SET state = 'paused'", "columns_repeat_the_definition");
    refused("UPDATE events SET content_sha256 = x'00'", "content_sha256_is_32_bytes");
    refused("INSERT INTO keys VALUES ('k', '', 'read', NULL, zeroblob(32), 0, NULL)", "space_is_null_iff_admin");
    assert_eq!(kept.state(id).await, DeliveryState::Delivered);
}

#[tokio::test]
async fn an_unreadable_row_is_named_and_affects_no_other() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    let id = kept.delivery(subscription, now()).await;
    let whole = kept.event("{}").event.id.clone();
    let beside = kept.beside();
    for (sql, column) in [
        ("UPDATE events SET data = '{'", "data"),
        ("UPDATE events SET data = '{}', accepted_at = 9223372036854775807", "accepted_at"),
    ] {
        beside.execute(sql, []).unwrap();
        let error = kept.store.delivery(&kept.space, id).await.unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt(what) if what.starts_with(column)), "{error}");
    }
    assert!(kept.store.event(&kept.space, &whole).await.unwrap().is_none());
    kept.store.probe().await.unwrap();
}

/// The permissions of everything in a directory, and its own at ".".
fn modes(dir: &Path) -> BTreeMap<String, u32> {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let within = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let within = within.map(|entry| (entry.file_name().into_string().unwrap(), mode(&entry.path())));
    within.chain([(".".to_owned(), mode(dir))]).collect()
}

#[tokio::test]
async fn a_data_directory_is_its_owners_alone_also_if_it_was_not_before() {
    let kept = Kept::new().await;
    kept.subscription().await;
    let private = BTreeMap::from(
        [("hookmill.db", 0o600), ("hookmill.db-shm", 0o600), ("hookmill.db-wal", 0o600), ("hookmill.lock", 0o600)]
            .map(|(name, mode)| (name.to_owned(), mode)),
    );
    let within = |dir: &Path| {
        let mut modes = modes(dir);
        assert_eq!(modes.remove("."), Some(0o700));
        modes
    };
    assert_eq!(within(kept.dir.path()), private);

    // As an operator's mkdir and an earlier version left them.
    for name in private.keys() {
        fs::set_permissions(kept.dir.path().join(name), Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(kept.dir.path(), Permissions::from_mode(0o755)).unwrap();
    let kept = kept.reopened();
    kept.subscription().await;
    assert_eq!(within(kept.dir.path()), private);
}
