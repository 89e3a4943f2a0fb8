//! Tests of SQLite's query plans: statements use an index, and its order instead of sorting.

use rusqlite::{Connection, params_from_iter};

use super::{
    accept, attempts, deliveries, erase, erasures, events, finding, forget, ids, keys, lease, marks, notices, open,
    pinned, plugins, queues, record, replays, rollup, sources, subscriptions, tallies, values,
};

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
    for wrong in
        ["SCAN d", "SCAN events", "SCAN attempts", "SCAN ended", "SCAN minutes", "SCAN event_values", "TEMP B-TREE"]
    {
        assert!(!plan.contains(wrong), "{sql}\n{plan}");
    }
}

#[test]
fn statements_search_an_index() {
    let db = database();
    for (sql, step) in [
        (accept::EARLIER, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
        (ids::DELIVERY_BY_KEY, "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)"),
        (ids::DELIVERY_BY_ID, "SEARCH deliveries USING COVERING INDEX deliveries_by_id (id=?)"),
        (ids::EVENT_BY_KEY, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
        (ids::EVENT_BY_ID, "SEARCH events USING COVERING INDEX event_id_is_unique_in_its_space (space=? AND id=?)"),
        (lease::BY_DUE_TIME, "SEARCH waiting USING COVERING INDEX waiting_by_due_time (subscription=?)"),
        (lease::NEXT_SUBSCRIPTION, "SEARCH waiting USING COVERING INDEX waiting_by_due_time (subscription>?)"),
        (lease::ONE, "SEARCH waiting USING INTEGER PRIMARY KEY (rowid=?)"),
        (lease::PUT_BACK, "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)"),
        (marks::UNDONE, "SEARCH d USING INTEGER PRIMARY KEY (rowid>?)"),
        (
            subscriptions::SET_FREE,
            "SEARCH waiting USING COVERING INDEX waiting_of_subscription (subscription=? AND state=?)",
        ),
        (
            subscriptions::WAITING,
            "SEARCH waiting USING COVERING INDEX waiting_of_subscription (subscription=? AND state=?)",
        ),
        (subscriptions::OF_SPACE, "SEARCH subscriptions USING INDEX subscriptions_of_space (space=? AND id>?)"),
        (subscriptions::OF_ALL, "SEARCH subscriptions USING INDEX sqlite_autoindex_subscriptions_1 (id>?)"),
        (attempts::OF_DELIVERY, "SEARCH attempts USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (deliveries::BY_KEY, "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"),
        (deliveries::BY_KEY, "SEARCH a USING INTEGER PRIMARY KEY (rowid=?)"),
        (deliveries::BY_KEY, "SEARCH attempts USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (deliveries::CANCEL, "SEARCH waiting USING INTEGER PRIMARY KEY (rowid=?)"),
        (queues::REMOVE, "SEARCH waiting USING INTEGER PRIMARY KEY (rowid=?)"),
        (queues::FIRST_DUE, "SEARCH waiting USING COVERING INDEX waiting_by_due_time (subscription=?)"),
        (erase::COPY_WAITING, "SEARCH waiting USING INTEGER PRIMARY KEY (rowid=?)"),
        (record::DELETE_WAITING, "SEARCH waiting USING INTEGER PRIMARY KEY (rowid=?)"),
        (events::BY_KEY, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
        (events::HEAD_BY_KEY, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
        (events::DELIVERIES_MADE, "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (events::DELIVERIES_MADE, "SEARCH later_deliveries USING PRIMARY KEY (event=?)"),
        (
            forget::OLD,
            "SEARCH d USING COVERING INDEX deliveries_of_subscription (subscription=? AND type=? AND rowid<?)",
        ),
        (forget::IS_OLD, "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"),
        (
            forget::OLDEST,
            "SEARCH events USING COVERING INDEX events_of_space (space=? AND type=? AND rowid>? AND rowid<?)",
        ),
        (forget::EVENT, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
        (forget::OF_EVENT, "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (forget::LATER_OF_EVENT, "SEARCH later_deliveries USING PRIMARY KEY (event=? AND delivery>?)"),
        (forget::DELETE_ATTEMPTS, "SEARCH attempts USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (forget::DELETE_EVENT, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
        (rollup::NEXT_SCOPE, "SEARCH counts USING PRIMARY KEY (scope>?)"),
        (rollup::IS_OLD, "SEARCH counts USING PRIMARY KEY (scope=? AND minute<?)"),
        (rollup::DELETE_MINUTES, "SEARCH counts USING PRIMARY KEY (scope=? AND minute<?)"),
        (rollup::DELETE_ALL, "SEARCH counts USING PRIMARY KEY (scope=? AND minute<?)"),
        (forget::DELETE_VALUES, "INDEX values_of_event (event=?)"),
        (forget::DELETE[0], "SEARCH event_values USING COVERING INDEX values_of_event (event=?)"),
        (forget::DELETE[1], "SEARCH later_deliveries USING PRIMARY KEY (event=? AND delivery=?)"),
        (forget::DELETE[2], "SEARCH batched_events USING PRIMARY KEY (delivery=?)"),
        (erase::WAITING, "SEARCH waiting USING INTEGER PRIMARY KEY (rowid=?)"),
        (erase::IS_FINAL, "SEARCH attempts USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (erase::OF_DELIVERY, "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"),
        (erase::OF_SUBSCRIPTION, "COVERING INDEX deliveries_of_subscription (subscription=? AND type=? AND rowid<?)"),
        (erase::OTHERS, "SEARCH batched_events USING PRIMARY KEY (delivery=?)"),
        (erase::CLOSE, "SEARCH open_batches USING PRIMARY KEY (subscription=? AND type=?)"),
        (erase::FORGET_NOTICE, "SEARCH notices USING INDEX notices_by_delivery (last_delivery=?)"),
        (erase::SUBSCRIPTIONS, "SEARCH subscriptions USING INDEX subscriptions_by_space (space=?)"),
        (erasures::ONE, "SEARCH erasures USING INTEGER PRIMARY KEY (rowid=?)"),
        (erasures::OF_SPACE, "SEARCH erasures USING INDEX erasures_of_space (space=? AND rowid<?)"),
        (erasures::UNFINISHED, "USING INDEX erasures_unfinished"),
        (notices::WAITING, "SEARCH notices USING INDEX notices_by_stage (stage=? AND due_at<?)"),
        (notices::NEXT, "SEARCH notices USING COVERING INDEX notices_by_stage (stage=?)"),
        (notices::UNREPORTED_GROUPS, "USING INDEX failure_groups_untold"),
        (pinned::DROP_IF_UNUSED, "SEARCH waiting USING COVERING INDEX waiting_by_pinned (pinned=?)"),
        (pinned::DROP_UNUSED, "waiting USING COVERING INDEX waiting_by_pinned"),
        (replays::RUNNING_IN_SPACE, "SEARCH replays USING COVERING INDEX replays_running_in_space (space=?)"),
        (replays::DROP_OLD, "SEARCH replays USING INDEX replays_of_subscription (subscription=?)"),
        (replays::BY_KEY, "SEARCH replays USING INTEGER PRIMARY KEY (rowid=?)"),
        (replays::BY_KEY, "SEARCH spaces USING INTEGER PRIMARY KEY (rowid=?)"),
        (replays::BY_KEY, "SEARCH subscriptions USING INTEGER PRIMARY KEY (rowid=?)"),
        (replays::OF_SUBSCRIPTION, "COVERING INDEX replays_of_subscription (subscription=? AND rowid<?)"),
        (replays::RUNNING, "SCAN replays USING COVERING INDEX replays_by_next_step"),
        (replays::EVENTS, "COVERING INDEX events_of_space (space=? AND type=? AND rowid>? AND rowid<?)"),
        (replays::FAILED, "COVERING INDEX ended_of_subscription (subscription=? AND state=? AND rowid>? AND rowid<?)"),
        (replays::EVENT, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
        (replays::EVENT, "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)"),
        (replays::HAS, "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"),
        (replays::HAS, "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (replays::HAS, "SEARCH l USING PRIMARY KEY (event=?)"),
        (replays::HAS, "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"),
        (replays::FAILED_DELIVERY, "SEARCH ended USING INTEGER PRIMARY KEY (rowid=?)"),
        (replays::FAILED_DELIVERY, "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)"),
        (replays::FAILED_DELIVERY, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
        (replays::BACKLOG, "SEARCH waiting USING COVERING INDEX waiting_by_due_time (subscription=? AND due_at<?)"),
        (finding::PLUGINS, "SEARCH plugins USING COVERING INDEX plugins_have_one_digest_each (<expr>=?)"),
        (finding::EVENT_TYPES, "SEARCH event_types USING COVERING INDEX sqlite_autoindex_event_types_1 (space=?)"),
        (finding::FIRST, "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"),
        (
            finding::FIRST,
            "SEARCH d USING INDEX deliveries_of_subscription (subscription=? AND type=? AND rowid>? AND rowid<?)",
        ),
        (finding::LATER, "SEARCH l USING PRIMARY KEY (event=?)"),
        (finding::LATER, "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"),
        (finding::ID, "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"),
        (finding::ID, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
        (plugins::WAITING, "SEARCH waiting USING INDEX waiting_by_pinned (pinned=?)"),
    ] {
        assert_plan(&db, sql, step);
    }
}

#[test]
fn counting_what_waits_at_the_start_reads_each_row_once_in_order() {
    assert_eq!(plan(&database(), queues::LOAD), "SCAN waiting");
}

#[test]
fn every_listing_walks_an_index_from_its_newest_entry() {
    let db = database();
    for index in [keys::EVENTS_OF_SPACE, keys::DELIVERIES_OF_SPACE, keys::DELIVERIES_OF_SUBSCRIPTION] {
        assert_plan(&db, index.next_type, "USING COVERING INDEX");
        assert_plan(&db, index.next_type, "SEARCH types USING INTEGER PRIMARY KEY (rowid=?)");
        assert_plan(&db, index.newest, "=? AND type=? AND rowid>? AND rowid<?)");
    }
    for (sql, step) in [
        (sources::ENDED_OF_SPACE, "COVERING INDEX ended_of_space (space=? AND state=? AND rowid>? AND rowid<?)"),
        (
            sources::ENDED_OF_SUBSCRIPTION,
            "COVERING INDEX ended_of_subscription (subscription=? AND state=? AND rowid>? AND rowid<?)",
        ),
        (sources::WAITING_OF_SPACE, "COVERING INDEX waiting_of_space (space=? AND state=? AND rowid>? AND rowid<?)"),
        (
            sources::WAITING_OF_SUBSCRIPTION,
            "COVERING INDEX waiting_of_subscription (subscription=? AND state=? AND rowid>? AND rowid<?)",
        ),
        (sources::OF_EVENT, "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (sources::LATER_OF_EVENT, "SEARCH later_deliveries USING PRIMARY KEY (event=? AND delivery>? AND delivery<?)"),
        (sources::NEXT_PROBLEM, "COVERING INDEX attempts_by_problem (space=? AND problem>? AND problem<?)"),
        (sources::WITH_PROBLEM, "COVERING INDEX attempts_by_problem (space=? AND problem=? AND rowid>? AND rowid<?)"),
        (tallies::CLOSE, "SEARCH minutes USING INTEGER PRIMARY KEY (rowid=?)"),
        (tallies::COUNTS, "SEARCH counts USING PRIMARY KEY (scope=? AND minute>? AND minute<?)"),
        (
            values::EVENTS,
            "SEARCH event_values USING PRIMARY KEY (path=? AND value=? AND part=? AND (delivery,event)<(?,?))",
        ),
        (
            values::WITH_DELIVERIES,
            "SEARCH event_values USING PRIMARY KEY (path=? AND value=? AND part=? AND delivery>? AND delivery<?)",
        ),
        (values::WITH_DELIVERIES, "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
        (values::IN_RANGE, "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (
            values::LATER,
            "SEARCH event_values USING PRIMARY KEY (path=? AND value=? AND part=? AND delivery>? AND delivery<?)",
        ),
        (values::LATER, "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)"),
        (values::LINK, "SEARCH event_values USING COVERING INDEX values_of_event (event=?)"),
        (values::HAS, "SEARCH event_values USING COVERING INDEX values_of_event (event=? AND path=? AND value=?)"),
        (values::BATCH_HAS, "SEARCH batched_events USING PRIMARY KEY (delivery=?)"),
        (
            values::BATCH_HAS,
            "SEARCH event_values USING COVERING INDEX values_of_event (event=? AND path=? AND value=?)",
        ),
        (keys::SINCE, "SEARCH minutes USING INTEGER PRIMARY KEY (rowid>?)"),
        (keys::UNTIL, "SEARCH minutes USING INTEGER PRIMARY KEY (rowid<?)"),
    ] {
        assert_plan(&db, sql, step);
    }
}
