-- Everything that the first version keeps.
--
-- Times are microseconds since 1970-01-01 UTC. Ids are TEXT, spelt as the API, the logs and the receivers' headers
-- spell them, so that what one of those names can be looked up in the sqlite3 shell as it is. Invariants are CHECK
-- constraints whose names say what is true. A table is WITHOUT ROWID where its rows are small and its key is how it is
-- read; rows that carry bodies would spill to overflow pages there.
--
-- On the tables of the hot path a list of names is spelt with OR: for IN with more than two, SQLite builds a table of
-- them in every execution of the statement.

-- A tenant.
CREATE TABLE spaces (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who may do what.
CREATE TABLE keys (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL CONSTRAINT role_is_known CHECK (role IN ('read', 'produce', 'manage', 'admin')),
    -- The space that it is for; NULL for the whole host.
    space         TEXT    REFERENCES spaces (id),
    -- The key's secret part, hashed.
    secret_sha256 BLOB    NOT NULL CONSTRAINT secret_sha256_is_32_bytes CHECK (length(secret_sha256) = 32),
    created_at    INTEGER NOT NULL,
    CONSTRAINT space_is_null_iff_admin CHECK ((space IS NULL) = (role = 'admin'))
) STRICT, WITHOUT ROWID;

-- What producers of a space said that they post.
CREATE TABLE event_types (
    space       TEXT    NOT NULL REFERENCES spaces (id),
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    -- JSON Schema of the data, and an example of it, as JSON text.
    schema      TEXT,
    example     TEXT,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (space, name)
) STRICT;

-- Who wants which events, where and how.
CREATE TABLE subscriptions (
    id         TEXT NOT NULL PRIMARY KEY,
    space      TEXT NOT NULL REFERENCES spaces (id),
    state      TEXT NOT NULL CONSTRAINT state_is_known CHECK (state IN ('active', 'paused', 'deleted')),
    -- All of it as JSON, secrets in clear. The columns above repeat what is looked up by.
    definition TEXT NOT NULL,
    CONSTRAINT columns_repeat_the_definition CHECK (
        definition ->> 'id' = id AND definition ->> 'space' = space AND definition ->> 'state' = state
    )
) STRICT;

-- A space's subscriptions in order of their ids.
CREATE INDEX subscriptions_of_space ON subscriptions (space, id) WHERE state <> 'deleted';

-- How a subscription has been doing. Apart from its definition, which attempts must not rewrite.
CREATE TABLE subscription_activity (
    subscription      TEXT    NOT NULL PRIMARY KEY REFERENCES subscriptions (id),
    -- Failed attempts in a row.
    failure_streak    INTEGER NOT NULL CONSTRAINT failure_streak_is_counted_from_0 CHECK (failure_streak >= 0),
    -- When its last attempt began.
    last_triggered_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Plugins' code, each once.
CREATE TABLE components (
    -- SHA-256 of the bytes.
    digest BLOB NOT NULL PRIMARY KEY CONSTRAINT digest_is_32_bytes CHECK (length(digest) = 32),
    bytes  BLOB NOT NULL
) STRICT;

-- Versions of plugins.
CREATE TABLE plugins (
    -- The space that it was uploaded to; NULL for a bundled one, which every space may use.
    space         TEXT    REFERENCES spaces (id),
    name          TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    digest        BLOB    NOT NULL REFERENCES components (digest),
    summary       TEXT    NOT NULL,
    -- A JSON array of texts.
    content_types TEXT    NOT NULL,
    -- A JSON Schema.
    config_schema TEXT    NOT NULL,
    size_bytes    INTEGER NOT NULL CONSTRAINT size_bytes_is_counted_from_0 CHECK (size_bytes >= 0),
    created_at    INTEGER NOT NULL
) STRICT;

-- One component for each name and version, in a space and among the bundled ones (NULLs alone would be distinct).
CREATE UNIQUE INDEX plugins_have_one_digest_each ON plugins (coalesce(space, ''), name, version);

-- What happened, as it was posted.
CREATE TABLE events (
    -- The order of acceptance. Deliveries refer to this: an event's id is unique only in its space, and longer.
    seq            INTEGER NOT NULL PRIMARY KEY,
    space          TEXT    NOT NULL REFERENCES spaces (id),
    id             TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    occurred_at    INTEGER NOT NULL,
    accepted_at    INTEGER NOT NULL,
    -- Tells whether another post under this id is the same event.
    content_sha256 BLOB    NOT NULL CONSTRAINT content_sha256_is_32_bytes CHECK (length(content_sha256) = 32),
    -- The JSON text, byte for byte as posted. Last, so that the rest is read without it.
    data           TEXT    NOT NULL,
    CONSTRAINT id_is_unique_in_its_space UNIQUE (space, id)
) STRICT;

-- A space's events in order of acceptance: such an index ends in seq by itself.
CREATE INDEX events_of_space ON events (space);

-- Events on their way to subscriptions.
CREATE TABLE deliveries (
    -- A ULID behind dlv_, made when the event was accepted: its order is theirs.
    id            TEXT    NOT NULL PRIMARY KEY,
    -- The event's space, repeated for the sake of listing.
    space         TEXT    NOT NULL,
    event         INTEGER NOT NULL REFERENCES events (seq),
    subscription  TEXT    NOT NULL REFERENCES subscriptions (id),
    state         TEXT    NOT NULL,
    attempts      INTEGER NOT NULL CONSTRAINT attempts_are_counted_from_0 CHECK (attempts >= 0),
    -- When the next attempt is due; when the last was, once the state is final.
    due_at        INTEGER NOT NULL,
    -- While somebody works on it: until when the claim holds.
    claimed_until INTEGER,
    -- When it became final.
    completed_at  INTEGER,
    -- Why it ended as it did, or why the last attempt failed, in words.
    reason        TEXT,
    -- When it may be taken up. No generated column, which would be written by itself: SQLite goes to the row for one of
    -- those even if an index has it.
    ready_at      INTEGER NOT NULL,
    CONSTRAINT state_is_known CHECK (
        state = 'pending' OR state = 'delivered' OR state = 'failed' OR state = 'held' OR state = 'skipped'
        OR state = 'cancelled'
    ),
    CONSTRAINT ready_when_the_claim_lapses_or_due CHECK (ready_at = coalesce(claimed_until, due_at)),
    CONSTRAINT claimed_only_while_pending CHECK (claimed_until IS NULL OR state = 'pending'),
    CONSTRAINT completed_at_iff_final CHECK ((completed_at IS NULL) = (state IN ('pending', 'held')))
) STRICT, WITHOUT ROWID;

-- What is next: holds all that choosing needs, the subscriptions to leave out included.
CREATE INDEX deliveries_by_readiness ON deliveries (ready_at, id, subscription) WHERE state = 'pending';

-- Listings, newest first, of a space, a subscription and an event.
CREATE INDEX deliveries_of_space ON deliveries (space, id);
CREATE INDEX deliveries_of_subscription ON deliveries (subscription, id);
CREATE INDEX deliveries_of_event ON deliveries (event, id);

-- Listings of a state. Most deliveries end delivered, and those a walk over deliveries_of_space finds at once; the
-- others would be needles in it.
CREATE INDEX deliveries_by_state ON deliveries (space, state, id, subscription) WHERE state <> 'delivered';

-- What a subscription's activation sets free.
CREATE INDEX deliveries_held ON deliveries (subscription) WHERE state = 'held';

-- Tries, written once and never changed.
CREATE TABLE attempts (
    delivery         TEXT    NOT NULL REFERENCES deliveries (id),
    number           INTEGER NOT NULL CONSTRAINT attempts_start_at_1 CHECK (number >= 1),
    due_at           INTEGER NOT NULL,
    started_at       INTEGER NOT NULL,
    transform_us     INTEGER NOT NULL,
    send_us          INTEGER NOT NULL,
    -- SHA-256 of the plugin's component; NULL for the default shapes.
    plugin_digest    BLOB,
    fuel_used        INTEGER NOT NULL,
    -- What the plugin logged, a JSON array; NULL for nothing.
    logs             TEXT,
    -- The request as sent, if it came that far. Headers are a JSON array of pairs, the body is exact.
    request_method   TEXT,
    request_url      TEXT,
    request_headers  TEXT,
    request_body     BLOB,
    outcome          TEXT    NOT NULL,
    -- Which kind of failure, and what happened in words, if there was no answer.
    code             TEXT,
    message          TEXT,
    -- Whether a later attempt may do better, by the plugin's word.
    retry            INTEGER,
    -- The answer, if there was one: headers like the request's, the body cut to what is kept.
    answer_status    INTEGER,
    answer_headers   TEXT,
    answer_body      BLOB,
    answer_truncated INTEGER,
    PRIMARY KEY (delivery, number),
    CONSTRAINT outcome_is_known CHECK (
        outcome = 'succeeded' OR outcome = 'refused' OR outcome = 'unreachable' OR outcome = 'skipped'
        OR outcome = 'plugin_failed'
    ),
    CONSTRAINT request_is_whole_or_absent CHECK (
        (request_method IS NULL) = (request_url IS NULL)
        AND (request_method IS NULL) = (request_headers IS NULL)
        AND (request_method IS NULL) = (request_body IS NULL)
    ),
    CONSTRAINT answer_iff_answered CHECK (
        (answer_status IS NULL) = (outcome NOT IN ('succeeded', 'refused'))
        AND (answer_status IS NULL) = (answer_headers IS NULL)
        AND (answer_status IS NULL) = (answer_body IS NULL)
        AND (answer_status IS NULL) = (answer_truncated IS NULL)
    ),
    CONSTRAINT message_iff_not_answered CHECK ((message IS NULL) = (outcome IN ('succeeded', 'refused'))),
    CONSTRAINT code_iff_failed_without_answer CHECK ((code IS NULL) = (outcome NOT IN ('unreachable', 'plugin_failed'))),
    CONSTRAINT retry_iff_plugin_failed CHECK ((retry IS NULL) = (outcome <> 'plugin_failed'))
) STRICT;
