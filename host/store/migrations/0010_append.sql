-- History that is only appended, with integers as keys.
--
-- What follows replaces the tables of events, deliveries and attempts. Times are microseconds since 1970-01-01 UTC.
--
-- Keys
-- * `key` of a space, a subscription, an event, a delivery, a type and a replay comes from one sequence (below 2^47): no two
--   rows of those tables have the same. An id that the host made contains its row's key, and is stored only if it does not:
--   an event's `id` is NULL unless its producer chose it, a delivery's unless an earlier version made it.
-- * The deliveries that an event got when it was accepted have the keys from `first_delivery` on, `deliveries` of them:
--   they are found by that range, without an index. Later ones (a batch that it joined, a replay) are in `later_deliveries`.
-- * An attempt's key is its delivery's, shifted left by 16 bits, plus its number.
--
-- What changes
-- * Rows of `events`, `deliveries` and `attempts` are inserted once and never updated. They are deleted only when they are
--   forgotten, an event with all that refers to it.
-- * `waiting` and `open_batches` are the only tables of deliveries whose rows change.
--
-- The state of a delivery
-- 1. It has a row in `waiting`: that row's state, `pending` or `held`.
-- 2. Otherwise, it has a row in `ended`: that row's state, `failed`, `skipped` or `cancelled`.
-- 3. Otherwise, it has an attempt: `delivered`.
-- 4. Otherwise, it is being sent for the first time: `pending`. It has no row but its own, which is what makes a delivery
--   cheap. Its key is not below the low-water mark (`marks`): a start looks there, and puts into `waiting` what it finds.
-- No delivery is in both `waiting` and `ended`.
--
-- Forgetting
-- * A delivery is forgotten with its attempts, its row in `ended` and its links, in one transaction; an event after all of
--   its deliveries, so that the dictionary of kept bodies outlives them. What is in `waiting` or in case 4 is never
--   forgotten by age.
-- * `stored` has the bytes of the large columns of a space's events (`data`, `previous`) and attempts (headers, bodies and
--   logs), as stored. Who inserts or deletes such a row changes it in the same transaction.
-- * Rows of `counts` older than two days are summed up into the row of their hour's first minute: who groups by hours, or
--   sums over whole hours, sees no difference. They go with the longest retention of the host's spaces.
-- * `types`, `digests` and `minutes` keep rows that nothing refers to any more: they are small, and of no person.
-- * What is deleted is overwritten with zeros (`secure_delete`), except for copies that SQLite leaves in the unused part of
--   pages when it moves cells from one to another. An erasure overwrites those, too, and empties the log.
--
-- Values
-- * An event accepted while its space indexes paths has a row in `event_values` for each value there. A path that is no
--   longer indexed keeps its rows: they are deleted with their event.
-- * A delivery in `later_deliveries` has a row there for each such row of its event.
--
-- References between these tables are the writer's to keep: it looks up every key that it writes, in the same transaction.
-- Columns that may be large come last, so that the others are read without them.

-- Spaces and subscriptions with keys. SQLite adds no primary key to a table, so both are recreated.
CREATE TABLE keyed_spaces (
    key            INTEGER NOT NULL PRIMARY KEY,
    id             TEXT    NOT NULL CONSTRAINT space_id_is_unique UNIQUE,
    name           TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    -- The recipients of e-mails about failures: a JSON array of addresses.
    administrators TEXT    NOT NULL DEFAULT '[]',
    -- Public keys, a JSON array: each plugin that enters the space is signed by one of them. Empty: none need be.
    plugin_keys    TEXT    NOT NULL DEFAULT '[]',
    -- How much of the host it may use, a JSON object; a member that is missing has the host's default.
    quotas         TEXT    NOT NULL DEFAULT '{}',
    -- The paths of events' data whose values are indexed, a JSON array.
    indexed_paths  TEXT    NOT NULL DEFAULT '[]'
) STRICT;
INSERT INTO keyed_spaces (key, id, name, created_at, administrators, plugin_keys, quotas)
SELECT row_number() OVER (ORDER BY id), id, name, created_at, administrators, plugin_keys, quotas FROM spaces;
DROP TABLE spaces;
ALTER TABLE keyed_spaces RENAME TO spaces;

CREATE TABLE keyed_subscriptions (
    key        INTEGER NOT NULL PRIMARY KEY,
    id         TEXT    NOT NULL CONSTRAINT subscription_id_is_unique UNIQUE,
    space      TEXT    NOT NULL REFERENCES spaces (id),
    state      TEXT    NOT NULL
        CONSTRAINT state_is_known CHECK (state IN ('draft', 'verifying', 'active', 'paused', 'deleted')),
    -- All of it as JSON, secrets in clear. The columns above repeat what is looked up by.
    definition TEXT    NOT NULL,
    CONSTRAINT columns_repeat_the_definition CHECK (
        definition ->> 'id' = id AND definition ->> 'space' = space AND definition ->> 'state' = state
    )
) STRICT;
INSERT INTO keyed_subscriptions (key, id, space, state, definition)
SELECT (SELECT count(*) FROM spaces) + row_number() OVER (ORDER BY id), id, space, state, definition FROM subscriptions;
DROP TABLE subscriptions;
ALTER TABLE keyed_subscriptions RENAME TO subscriptions;
CREATE INDEX subscriptions_of_space ON subscriptions (space, id) WHERE state <> 'deleted';

-- How a subscription has been doing. Apart from its definition, which attempts must not rewrite.
CREATE TABLE keyed_activity (
    subscription      INTEGER NOT NULL PRIMARY KEY,
    -- In a row: failed attempts, failed deliveries, failures of the plugin.
    failure_streak    INTEGER NOT NULL CONSTRAINT failure_streak_is_counted_from_0 CHECK (failure_streak >= 0),
    failed_deliveries INTEGER NOT NULL CONSTRAINT failed_deliveries_are_counted_from_0 CHECK (failed_deliveries >= 0),
    plugin_failures   INTEGER NOT NULL CONSTRAINT plugin_failures_are_counted_from_0 CHECK (plugin_failures >= 0),
    -- When its last attempt began.
    last_triggered_at INTEGER NOT NULL
) STRICT;
INSERT INTO keyed_activity (subscription, failure_streak, failed_deliveries, plugin_failures, last_triggered_at)
SELECT key, failure_streak, failed_deliveries, plugin_failures, last_triggered_at
FROM subscription_activity JOIN subscriptions ON id = subscription;
DROP TABLE subscription_activity;
ALTER TABLE keyed_activity RENAME TO subscription_activity;

-- The names of event types, each once.
CREATE TABLE types (
    key  INTEGER NOT NULL PRIMARY KEY,
    name TEXT    NOT NULL CONSTRAINT type_name_is_unique UNIQUE
) STRICT;

-- The digests of the components that attempts ran, each once. A component may be deleted; its digest stays.
CREATE TABLE digests (
    key    INTEGER NOT NULL PRIMARY KEY,
    -- SHA-256 of the component.
    digest BLOB    NOT NULL CONSTRAINT digest_is_unique UNIQUE
        CONSTRAINT digest_is_32_bytes CHECK (length(digest) = 32)
) STRICT;

-- One row: where a start looks for deliveries of case 4.
CREATE TABLE marks (
    one       INTEGER NOT NULL PRIMARY KEY CONSTRAINT there_is_one CHECK (one = 1),
    -- No delivery with a lower key is in case 4.
    low_water INTEGER NOT NULL,
    -- No key from here on was given to a row.
    next_key  INTEGER NOT NULL
) STRICT;

-- Events as posted.
CREATE TABLE new_events (
    key            INTEGER NOT NULL PRIMARY KEY,
    space          INTEGER NOT NULL,
    type           INTEGER NOT NULL,
    first_delivery INTEGER NOT NULL,
    deliveries     INTEGER NOT NULL CONSTRAINT deliveries_are_counted_from_0 CHECK (deliveries >= 0),
    occurred_at    INTEGER NOT NULL,
    accepted_at    INTEGER NOT NULL,
    -- The id that its producer chose.
    id             TEXT,
    -- Shows whether another post with this id is the same event.
    content_sha256 BLOB CONSTRAINT content_sha256_is_32_bytes CHECK (length(content_sha256) = 32),
    -- The JSON text, byte for byte as posted.
    data           TEXT    NOT NULL,
    -- The changes that the producer stated: a JSON array of fields, and the data before. NULL if it stated none.
    changed_fields TEXT,
    previous       TEXT,
    CONSTRAINT content_sha256_iff_id CHECK ((content_sha256 IS NULL) = (id IS NULL))
) STRICT;

-- An event, or a batch of them, for one subscription.
CREATE TABLE new_deliveries (
    key          INTEGER NOT NULL PRIMARY KEY,
    space        INTEGER NOT NULL,
    subscription INTEGER NOT NULL,
    -- The type of its events.
    type         INTEGER NOT NULL,
    -- Its event; of a batch, the first.
    event        INTEGER NOT NULL,
    -- When its first attempt was due at first.
    due_at       INTEGER NOT NULL,
    -- Whether it is a test that a caller requested: it is sent whatever its subscription's state.
    test         INTEGER NOT NULL CONSTRAINT test_is_a_boolean CHECK (test = 0 OR test = 1),
    -- Whether further events may join it: those are in batched_events.
    batch        INTEGER NOT NULL CONSTRAINT batch_is_a_boolean CHECK (batch = 0 OR batch = 1),
    -- The 16 bytes of a ULID.
    id           BLOB CONSTRAINT id_is_16_bytes CHECK (length(id) = 16)
) STRICT;

-- Needed while rows are moved.
CREATE UNIQUE INDEX deliveries_by_id ON new_deliveries (id) WHERE id IS NOT NULL;

-- Deliveries that an event got after its acceptance.
CREATE TABLE later_deliveries (
    event    INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    PRIMARY KEY (event, delivery)
) STRICT, WITHOUT ROWID;

-- Executions of deliveries.
CREATE TABLE new_attempts (
    key              INTEGER NOT NULL PRIMARY KEY CONSTRAINT attempts_start_at_1 CHECK (key % 65536 >= 1),
    space            INTEGER NOT NULL,
    due_at           INTEGER NOT NULL,
    started_at       INTEGER NOT NULL,
    -- When its result was decided.
    recorded_at      INTEGER NOT NULL,
    transform_us     INTEGER NOT NULL,
    send_us          INTEGER NOT NULL,
    outcome          TEXT    NOT NULL,
    -- What failed, to be searched for: the response's status, or the code of the fault.
    problem          TEXT,
    answer_status    INTEGER,
    -- The digest of the plugin's component; NULL for the default shapes.
    plugin           INTEGER,
    fuel_used        INTEGER NOT NULL,
    fuel_max         INTEGER NOT NULL,
    -- The peak size of the instance's memories together, and its limit.
    memory_bytes     INTEGER NOT NULL,
    memory_bytes_max INTEGER NOT NULL,
    -- What happened, if there was no response.
    message          TEXT,
    -- Whether the plugin says that a later attempt may succeed.
    retry            INTEGER,
    -- The plugin's fault if the default shape was sent instead: JSON of its code, message and retry.
    plugin_fault     TEXT,
    -- Why the delivery has its state after this, if that is neither in waiting nor in ended.
    reason           TEXT,
    -- The plugin's log, a JSON array; NULL for none.
    logs             TEXT,
    -- The request as sent, if there was one. Headers are a JSON array of pairs.
    request_method   TEXT,
    request_url      TEXT,
    request_headers  TEXT,
    -- The placeholders in the request, a JSON array; NULL for none.
    request_sealed   TEXT,
    -- The number of signature headers, which are the last of the headers.
    request_signature_headers INTEGER NOT NULL,
    -- The response, if there was one: headers like the request's, the body truncated to what is kept.
    answer_headers   TEXT,
    answer_truncated INTEGER,
    -- An LZ4 block behind its length, whose dictionary is the data of the delivery's first event: most bodies repeat it.
    request_body     BLOB,
    answer_body      BLOB,
    CONSTRAINT outcome_is_known CHECK (
        outcome = 'succeeded' OR outcome = 'rejected' OR outcome = 'unreachable' OR outcome = 'skipped'
        OR outcome = 'plugin_failed'
    ),
    CONSTRAINT request_is_whole_or_absent CHECK (
        (request_method IS NULL) = (request_url IS NULL)
        AND (request_method IS NULL) = (request_headers IS NULL)
        AND (request_method IS NULL) = (request_body IS NULL)
    ),
    CONSTRAINT answer_iff_answered CHECK (
        (answer_status IS NULL) = (outcome <> 'succeeded' AND outcome <> 'rejected')
        AND (answer_status IS NULL) = (answer_headers IS NULL)
        AND (answer_status IS NULL) = (answer_body IS NULL)
        AND (answer_status IS NULL) = (answer_truncated IS NULL)
    ),
    CONSTRAINT message_iff_not_answered CHECK ((message IS NULL) = (answer_status IS NOT NULL)),
    CONSTRAINT problem_iff_failed CHECK ((problem IS NULL) = (outcome = 'succeeded' OR outcome = 'skipped')),
    CONSTRAINT retry_iff_plugin_failed CHECK ((retry IS NULL) = (outcome <> 'plugin_failed'))
) STRICT;

-- Deliveries that are delayed, retried, held, or over the bound of those in memory.
CREATE TABLE waiting (
    delivery     INTEGER NOT NULL PRIMARY KEY,
    space        INTEGER NOT NULL,
    subscription INTEGER NOT NULL,
    state        TEXT    NOT NULL CONSTRAINT waiting_state_is_known CHECK (state = 'pending' OR state = 'held'),
    -- When the next attempt is due.
    due_at       INTEGER NOT NULL,
    -- Attempts so far.
    attempts     INTEGER NOT NULL CONSTRAINT attempts_are_counted_from_0 CHECK (attempts >= 0),
    -- Events beside the first.
    batched      INTEGER NOT NULL DEFAULT 0 CONSTRAINT batched_is_counted_from_0 CHECK (batched >= 0),
    -- Whether the next attempt sends what the last one sent.
    verbatim     INTEGER NOT NULL DEFAULT 0 CONSTRAINT verbatim_is_a_boolean CHECK (verbatim = 0 OR verbatim = 1),
    -- The plugin that shapes the next attempt; NULL if the subscription's does: until the first attempt failed.
    pinned       BLOB REFERENCES pinned_plugins (id),
    -- Why the last attempt failed, or why it is held.
    reason       TEXT
) STRICT;

-- Deliveries that ended otherwise than delivered.
CREATE TABLE ended (
    delivery     INTEGER NOT NULL PRIMARY KEY,
    space        INTEGER NOT NULL,
    subscription INTEGER NOT NULL,
    state        TEXT    NOT NULL
        CONSTRAINT ended_state_is_known CHECK (state = 'failed' OR state = 'skipped' OR state = 'cancelled'),
    completed_at INTEGER NOT NULL,
    -- When the last attempt was due.
    due_at       INTEGER NOT NULL,
    attempts     INTEGER NOT NULL CONSTRAINT ended_attempts_are_counted_from_0 CHECK (attempts >= 0),
    reason       TEXT
) STRICT;

-- Further events of a delivery, in order of acceptance.
CREATE TABLE new_batched_events (
    delivery INTEGER NOT NULL,
    position INTEGER NOT NULL CONSTRAINT positions_start_at_1 CHECK (position >= 1),
    event    INTEGER NOT NULL,
    PRIMARY KEY (delivery, position)
) STRICT, WITHOUT ROWID;

-- The last batch of each subscription and type. The delivery determines whether it still accepts events.
CREATE TABLE new_open_batches (
    subscription INTEGER NOT NULL,
    type         INTEGER NOT NULL,
    delivery     INTEGER NOT NULL,
    closes_at    INTEGER NOT NULL,
    events       INTEGER NOT NULL,
    -- Of the events' data.
    bytes        INTEGER NOT NULL,
    PRIMARY KEY (subscription, type)
) STRICT, WITHOUT ROWID;

-- The keys of the events accepted in a minute, and of their deliveries: where a search by time looks.
CREATE TABLE minutes (
    -- Minutes since 1970-01-01 UTC.
    minute    INTEGER NOT NULL PRIMARY KEY,
    first_key INTEGER NOT NULL,
    -- All keys are below it. In the newest minute it is ahead of them, so that it seldom changes.
    end_key   INTEGER NOT NULL
) STRICT;

-- What happened in a minute, to a space or a subscription.
CREATE TABLE counts (
    -- The key of the space or the subscription.
    scope     INTEGER NOT NULL,
    minute    INTEGER NOT NULL,
    -- Deliveries that ended in this minute.
    delivered INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    skipped   INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    -- Attempts that failed and are retried.
    retried   INTEGER NOT NULL,
    PRIMARY KEY (scope, minute)
) STRICT, WITHOUT ROWID;

-- How long a space keeps its history, and how many bytes of it; NULL for the host's default.
ALTER TABLE spaces ADD COLUMN keep_days INTEGER CONSTRAINT keep_days_start_at_1 CHECK (keep_days >= 1);
ALTER TABLE spaces ADD COLUMN keep_bytes INTEGER CONSTRAINT keep_bytes_start_at_1 CHECK (keep_bytes >= 1);
-- Whether it is being erased: only the erasure sees it then.
ALTER TABLE spaces ADD COLUMN erased INTEGER NOT NULL DEFAULT 0
    CONSTRAINT erased_is_a_boolean CHECK (erased = 0 OR erased = 1);

-- Bytes of what a space stores; see the header.
CREATE TABLE stored (
    space INTEGER NOT NULL PRIMARY KEY,
    bytes INTEGER NOT NULL CONSTRAINT stored_bytes_are_counted_from_0 CHECK (bytes >= 0)
) STRICT;

-- Deletions that callers asked for. The next start continues unfinished ones.
CREATE TABLE erasures (
    key         INTEGER NOT NULL PRIMARY KEY,
    -- The id of its space, which may be gone.
    space       TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    -- What is erased, a JSON object. It loses its value once no row has that any more.
    target      TEXT    NOT NULL,
    state       TEXT    NOT NULL
        CONSTRAINT erasure_state_is_known CHECK (state = 'erasing' OR state = 'cleaning' OR state = 'done'),
    -- Rows with this key and beyond were accepted later, and stay.
    end_key     INTEGER NOT NULL,
    -- The last event that was searched for the value.
    done_key    INTEGER NOT NULL DEFAULT 0,
    -- Events that were searched, and what was erased.
    searched    INTEGER NOT NULL DEFAULT 0,
    events      INTEGER NOT NULL DEFAULT 0,
    deliveries  INTEGER NOT NULL DEFAULT 0,
    finished_at INTEGER,
    CONSTRAINT finished_at_iff_done CHECK ((finished_at IS NULL) = (state <> 'done'))
) STRICT;

-- Replays: what a space received, or what failed, sent to a subscription. A step inserts deliveries and moves the cursor in one
-- transaction: whatever ends the process, no event gets two deliveries of one replay, and none is passed over.
CREATE TABLE replays (
    key          INTEGER NOT NULL PRIMARY KEY,
    space        INTEGER NOT NULL,
    subscription INTEGER NOT NULL,
    what         TEXT    NOT NULL CONSTRAINT what_is_known CHECK (what = 'events' OR what = 'failed'),
    state        TEXT    NOT NULL CONSTRAINT replay_state_is_known
        CHECK (state = 'running' OR state = 'done' OR state = 'cancelled' OR state = 'failed'),
    -- When the events were accepted: from, and before.
    since        INTEGER NOT NULL,
    until        INTEGER NOT NULL,
    -- Deliveries in a second.
    rate         INTEGER NOT NULL CONSTRAINT rate_is_counted_from_1 CHECK (rate >= 1),
    -- The key that it began with, of an event or of a delivery.
    first_key    INTEGER NOT NULL,
    -- The next key that it examines: all before are done.
    cursor       INTEGER NOT NULL CONSTRAINT cursor_only_advances CHECK (cursor >= first_key),
    -- It examines no key from here on; NULL until all events accepted before `until` are committed.
    end_key      INTEGER,
    examined     INTEGER NOT NULL,
    deliveries   INTEGER NOT NULL,
    -- When the last event that it examined was accepted.
    reached_at   INTEGER,
    -- When its next step is due.
    next_at      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    -- A JSON array of patterns; NULL for all types.
    event_types  TEXT,
    -- A CEL expression; NULL for all events.
    condition    TEXT,
    -- Whether it leaves out events of which the subscription has a delivery.
    only_missing INTEGER NOT NULL CONSTRAINT only_missing_is_a_boolean CHECK (only_missing = 0 OR only_missing = 1),
    -- Why it waits or failed.
    reason       TEXT
) STRICT;

-- Values that events are searched by.

-- The paths that spaces index, or did.
CREATE TABLE value_paths (
    key   INTEGER NOT NULL PRIMARY KEY,
    space INTEGER NOT NULL,
    path  TEXT    NOT NULL,
    CONSTRAINT path_is_unique_in_its_space UNIQUE (space, path)
) STRICT;

CREATE TABLE event_values (
    path     INTEGER NOT NULL,
    -- A text, or a number or boolean as written: at most 256 bytes.
    value    TEXT    NOT NULL,
    -- 0: of an event with deliveries. 1: of an event without. 2: of a delivery that the event got later.
    part     INTEGER NOT NULL CONSTRAINT part_is_known CHECK (part >= 0 AND part <= 2),
    -- The delivery; of an event, its first_delivery, so that the rows are in the order of deliveries.
    delivery INTEGER NOT NULL,
    event    INTEGER NOT NULL,
    PRIMARY KEY (path, value, part, delivery, event)
) STRICT, WITHOUT ROWID;
