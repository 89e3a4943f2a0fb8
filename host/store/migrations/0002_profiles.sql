-- What the CRM profiles need: triggers, batches, sealed secrets, drafts and handshakes, pauses, exact resends.

-- What an event tells of changes: a JSON array of fields, and the data as it was before. NULL if it told nothing.
ALTER TABLE events ADD COLUMN changed_fields TEXT;
ALTER TABLE events ADD COLUMN previous TEXT;

-- A test that somebody asked for goes out whatever its subscription's state.
ALTER TABLE deliveries ADD COLUMN test INTEGER NOT NULL DEFAULT 0 CONSTRAINT test_is_a_boolean CHECK (test IN (0, 1));
-- Whether the next attempt sends what the last one sent.
ALTER TABLE deliveries ADD COLUMN exact INTEGER NOT NULL DEFAULT 0 CONSTRAINT exact_is_a_boolean CHECK (exact IN (0, 1));
-- How many events were gathered beside the first; they stand in batched_events.
ALTER TABLE deliveries ADD COLUMN batched INTEGER NOT NULL DEFAULT 0
    CONSTRAINT batched_is_counted_from_0 CHECK (batched >= 0);

-- Further events of a delivery, in order of acceptance.
CREATE TABLE batched_events (
    delivery TEXT    NOT NULL REFERENCES deliveries (id),
    position INTEGER NOT NULL CONSTRAINT positions_start_at_1 CHECK (position >= 1),
    event    INTEGER NOT NULL REFERENCES events (seq),
    PRIMARY KEY (delivery, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX batched_events_by_event ON batched_events (event, delivery);

-- The batch of each subscription and type that was opened last. Whether it still takes events is the delivery's to say.
CREATE TABLE open_batches (
    subscription TEXT    NOT NULL REFERENCES subscriptions (id),
    kind         TEXT    NOT NULL,
    delivery     TEXT    NOT NULL,
    closes_at    INTEGER NOT NULL,
    events       INTEGER NOT NULL,
    -- Of the events' data.
    bytes        INTEGER NOT NULL,
    PRIMARY KEY (subscription, kind)
) STRICT, WITHOUT ROWID;

-- Which placeholder stands for which secret in the request: a JSON array; NULL for none.
ALTER TABLE attempts ADD COLUMN request_sealed TEXT;
-- How many of the request's headers, the last of them, are the signature's. Three in the first version, all of one scheme.
ALTER TABLE attempts ADD COLUMN request_signature_headers INTEGER NOT NULL DEFAULT 3;

-- Failed deliveries in a row.
ALTER TABLE subscription_activity ADD COLUMN failed_deliveries INTEGER NOT NULL DEFAULT 0
    CONSTRAINT failed_deliveries_are_counted_from_0 CHECK (failed_deliveries >= 0);

-- Two more states. SQLite changes no constraint, so the table is made anew.
CREATE TABLE subscriptions_with_drafts (
    id         TEXT NOT NULL PRIMARY KEY,
    space      TEXT NOT NULL REFERENCES spaces (id),
    state      TEXT NOT NULL
        CONSTRAINT state_is_known CHECK (state IN ('draft', 'verifying', 'active', 'paused', 'deleted')),
    -- All of it as JSON, secrets in clear. The columns above repeat what is looked up by.
    definition TEXT NOT NULL,
    CONSTRAINT columns_repeat_the_definition CHECK (
        definition ->> 'id' = id AND definition ->> 'space' = space AND definition ->> 'state' = state
    )
) STRICT;
INSERT INTO subscriptions_with_drafts SELECT id, space, state, definition FROM subscriptions;
DROP TABLE subscriptions;
ALTER TABLE subscriptions_with_drafts RENAME TO subscriptions;
CREATE INDEX subscriptions_of_space ON subscriptions (space, id) WHERE state <> 'deleted';
