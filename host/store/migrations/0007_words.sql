-- Standard terms: a worker's hold on a delivery is a lease, a receiver rejects, and a retry is pinned to the plugin of its
-- first attempt.

ALTER TABLE deliveries RENAME COLUMN claimed_until TO leased_until;
ALTER TABLE deliveries RENAME COLUMN exact TO verbatim;
ALTER TABLE plugin_setups RENAME TO pinned_plugins;
ALTER TABLE deliveries RENAME COLUMN setup TO pinned;
DROP INDEX deliveries_by_setup;
CREATE INDEX deliveries_by_pinned ON deliveries (pinned) WHERE pinned IS NOT NULL;

-- SQLite cannot alter a CHECK constraint, so the table is recreated.
CREATE TABLE attempts_with_rejected (
    delivery         TEXT    NOT NULL REFERENCES deliveries (id),
    number           INTEGER NOT NULL CONSTRAINT attempts_start_at_1 CHECK (number >= 1),
    due_at           INTEGER NOT NULL,
    started_at       INTEGER NOT NULL,
    transform_us     INTEGER NOT NULL,
    send_us          INTEGER NOT NULL,
    -- SHA-256 of the plugin's component; NULL for the default shapes.
    plugin_digest    BLOB,
    fuel_used        INTEGER NOT NULL,
    fuel_max         INTEGER NOT NULL CONSTRAINT fuel_max_is_counted_from_0 CHECK (fuel_max >= 0),
    -- The peak size of the instance's memories together, and its limit.
    memory_bytes     INTEGER NOT NULL CONSTRAINT memory_bytes_is_counted_from_0 CHECK (memory_bytes >= 0),
    memory_bytes_max INTEGER NOT NULL CONSTRAINT memory_bytes_max_is_counted_from_0 CHECK (memory_bytes_max >= 0),
    -- The plugin's log, a JSON array; NULL for none.
    logs             TEXT,
    -- The request as sent, if there was one. Headers are a JSON array of pairs, the body is verbatim.
    request_method   TEXT,
    request_url      TEXT,
    request_headers  TEXT,
    request_body     BLOB,
    -- The placeholders in the request, a JSON array; NULL for none.
    request_sealed   TEXT,
    -- The number of signature headers, which are the last of the headers.
    request_signature_headers INTEGER NOT NULL,
    outcome          TEXT    NOT NULL,
    -- The kind of failure and its message, if there was no response.
    code             TEXT,
    message          TEXT,
    -- Whether the plugin says that a later attempt may succeed.
    retry            INTEGER,
    -- The plugin's fault if the default shape was sent instead: JSON of its code, message and retry.
    plugin_fault     TEXT,
    -- The response, if there was one: headers like the request's, the body truncated to what is kept.
    answer_status    INTEGER,
    answer_headers   TEXT,
    answer_body      BLOB,
    answer_truncated INTEGER,
    PRIMARY KEY (delivery, number),
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
        (answer_status IS NULL) = (outcome NOT IN ('succeeded', 'rejected'))
        AND (answer_status IS NULL) = (answer_headers IS NULL)
        AND (answer_status IS NULL) = (answer_body IS NULL)
        AND (answer_status IS NULL) = (answer_truncated IS NULL)
    ),
    CONSTRAINT message_iff_not_answered CHECK ((message IS NULL) = (outcome IN ('succeeded', 'rejected'))),
    CONSTRAINT code_iff_failed_without_answer CHECK ((code IS NULL) = (outcome NOT IN ('unreachable', 'plugin_failed'))),
    CONSTRAINT retry_iff_plugin_failed CHECK ((retry IS NULL) = (outcome <> 'plugin_failed'))
) STRICT;

INSERT INTO attempts_with_rejected (
    delivery, number, due_at, started_at, transform_us, send_us, plugin_digest, fuel_used, fuel_max, memory_bytes,
    memory_bytes_max, logs, request_method, request_url, request_headers, request_body, request_sealed,
    request_signature_headers, outcome, code, message, retry, plugin_fault, answer_status, answer_headers, answer_body,
    answer_truncated
)
SELECT
    delivery, number, due_at, started_at, transform_us, send_us, plugin_digest, fuel_used, fuel_max, memory_bytes,
    memory_bytes_max, logs, request_method, request_url, request_headers, request_body, request_sealed,
    request_signature_headers, iif(outcome = 'refused', 'rejected', outcome), code, message, retry, plugin_fault,
    answer_status, answer_headers, answer_body, answer_truncated
FROM attempts;

DROP TABLE attempts;
ALTER TABLE attempts_with_rejected RENAME TO attempts;
