//! Tests of SQLite's query plans: statements use an index, and its order instead of sorting.

use hookmill_model::{DeliveryId, DeliveryState, EventId, Pattern, SpaceId, SubscriptionId};
use rusqlite::{Connection, params_from_iter};

use super::super::DeliveryFilter;
use super::{attempts, deliveries, events, lease, notices, open, pinned, plugins, record, subscriptions};

fn database() -> Connection {
    let mut db = Connection::open_in_memory().expect("opening in memory");
    open::migrate(&mut db).expect("migrating");
    db
}

/// Returns the plan's steps, as the sqlite3 shell prints them.
fn plan(db: &Connection, sql: &str) -> String {
    let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("preparing");
    let nulls = vec![rusqlite::types::Null; explain.parameter_count()];
    let steps = explain.query_map(params_from_iter(nulls), |row| row.get("detail")).expect("explaining");
    steps.collect::<rusqlite::Result<Vec<String>>>().expect("reading").join("; ")
}

fn assert_plan(db: &Connection, sql: &str, step: &str) {
    let plan = plan(db, sql);
    assert!(plan.contains(step), "{sql}\n{plan}");
    for wrong in ["SCAN deliveries", "SCAN events", "SCAN attempts", "TEMP B-TREE"] {
        assert!(!plan.contains(wrong), "{sql}\n{plan}");
    }
}

#[test]
fn statements_search_an_index() {
    let db = database();
    for (sql, step) in [
        (
            lease::READY,
            "SEARCH deliveries USING COVERING INDEX deliveries_by_readiness (subscription=? AND ready_at<?)",
        ),
        (lease::NEXT_SUBSCRIPTION, "SEARCH deliveries USING COVERING INDEX deliveries_by_readiness (subscription>?)"),
        (&lease::lease_sql(), "SEARCH deliveries USING PRIMARY KEY (id=?)"),
        (lease::HAND_BACK, "SEARCH deliveries USING PRIMARY KEY (id=?)"),
        (subscriptions::SET_FREE, "SEARCH deliveries USING INDEX deliveries_held (subscription=?)"),
        (subscriptions::CANCEL_ALL, "SEARCH deliveries USING COVERING INDEX deliveries_by_state (space=? AND state=?)"),
        (subscriptions::OF_SPACE, "SEARCH subscriptions USING INDEX subscriptions_of_space (space=? AND id>?)"),
        (subscriptions::OF_ALL, "SEARCH subscriptions USING INDEX sqlite_autoindex_subscriptions_1 (id>?)"),
        (attempts::OF_DELIVERY, "SEARCH attempts USING INDEX sqlite_autoindex_attempts_1 (delivery=?)"),
        (events::NEWEST, "SEARCH events USING INDEX events_of_space (space=?)"),
        (events::NEWEST_BEFORE, "SEARCH events USING INDEX events_of_space (space=? AND rowid<?)"),
        (events::NEWEST_HEADS, "SEARCH events USING INDEX events_of_space (space=?)"),
        (events::NEWEST_HEADS_BEFORE, "SEARCH events USING INDEX events_of_space (space=? AND rowid<?)"),
        (events::DELIVERIES_MADE, "SEARCH deliveries USING COVERING INDEX deliveries_of_event (event=?)"),
        (notices::KIND_OF_EVENT, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
        (notices::WAITING, "SEARCH notices USING INDEX notices_by_stage (stage=? AND due_at<?)"),
        (notices::NEXT, "SEARCH notices USING COVERING INDEX notices_by_stage (stage=?)"),
        (notices::UNREPORTED_GROUPS, "USING INDEX failure_groups_untold"),
        (record::FINISH, "SEARCH deliveries USING PRIMARY KEY (id=?)"),
        (pinned::DROP_IF_UNUSED, "SEARCH deliveries USING COVERING INDEX deliveries_by_pinned (pinned=?)"),
        (pinned::DROP_UNUSED, "deliveries USING COVERING INDEX deliveries_by_pinned"),
        (plugins::WAITING, "SEARCH deliveries USING INDEX deliveries_by_pinned (pinned=?)"),
    ] {
        assert_plan(&db, sql, step);
    }
}

#[test]
fn counting_the_backlog_reads_no_row() {
    let plan = plan(&database(), deliveries::BACKLOG);
    assert!(plan.contains("deliveries USING COVERING INDEX deliveries_by_readiness"), "{plan}");
    assert!(plan.contains("deliveries USING COVERING INDEX deliveries_held"), "{plan}");
}

#[test]
fn every_listing_walks_an_index_from_its_newest_entry() {
    let db = database();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let states = [None, Some(DeliveryState::Delivered), Some(DeliveryState::Failed), Some(DeliveryState::Pending)];
    for choice in 0..64_u32 {
        let chosen = |bit: u32| choice & (1 << bit) != 0;
        for state in states {
            let filter = DeliveryFilter {
                state,
                subscription: chosen(0).then(|| SubscriptionId::new(now)),
                event: chosen(1).then(|| EventId::new(now)),
                event_type: chosen(5).then(|| Pattern::parse("lead.*").expect("a pattern")),
                since: chosen(2).then_some(now),
                until: chosen(3).then_some(now),
                before: chosen(4).then(|| DeliveryId::new(now)),
            };
            let space = SpaceId::parse("acme").expect("a space's id");
            let (sql, values) = deliveries::listing(&space, &filter);
            assert_eq!(db.prepare(&sql).expect("preparing").parameter_count(), values.len(), "{sql}");
            assert_plan(&db, &sql, "SEARCH deliveries USING INDEX deliveries_");
        }
    }
}
