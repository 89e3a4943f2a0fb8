-- Telling a space's administrators, and its own subscriptions, when deliveries fail.

-- Who is told by e-mail: a JSON array of addresses.
ALTER TABLE spaces ADD COLUMN administrators TEXT NOT NULL DEFAULT '[]';

-- Failed deliveries that make one message: one group for each subscription that fails.
CREATE TABLE failure_groups (
    subscription    TEXT    NOT NULL PRIMARY KEY REFERENCES subscriptions (id),
    count           INTEGER NOT NULL CONSTRAINT count_starts_at_1 CHECK (count >= 1),
    first_failed_at INTEGER NOT NULL,
    last_failed_at  INTEGER NOT NULL,
    -- Why the last failed, in words, and which it was. No reference: deliveries may go before this does.
    last_reason     TEXT,
    last_delivery   TEXT    NOT NULL,
    -- When the first failed of those that nobody was told of; NULL for none.
    untold_since    INTEGER,
    -- Until when no more is told: 0 before the first time; NULL for as long as the group lasts, since a pause told all.
    quiet_until     INTEGER,
    -- Whether a delivery succeeded since the last failure.
    ended           INTEGER NOT NULL CONSTRAINT ended_is_a_bool CHECK (ended IN (0, 1))
) STRICT, WITHOUT ROWID;

-- Those of which there is something to tell.
CREATE INDEX failure_groups_untold ON failure_groups (untold_since) WHERE untold_since IS NOT NULL;

-- What is to be told and is not yet. A row does not change but for its stage, and is deleted when all is told.
CREATE TABLE notices (
    -- The id of the event that tells it.
    id              TEXT    NOT NULL PRIMARY KEY,
    subscription    TEXT    NOT NULL REFERENCES subscriptions (id),
    -- The type of that event.
    kind            TEXT    NOT NULL CONSTRAINT kind_is_known CHECK (
        kind IN ('delivery.failed', 'subscription.paused', 'subscription.activated')
    ),
    -- What is next: its event, then its mail.
    stage           TEXT    NOT NULL CONSTRAINT stage_is_known CHECK (stage IN ('event', 'mail')),
    -- When that is due.
    due_at          INTEGER NOT NULL,
    -- How often the mail was tried.
    tries           INTEGER NOT NULL CONSTRAINT tries_are_counted_from_0 CHECK (tries >= 0),
    -- When it arose.
    at              INTEGER NOT NULL,
    pause_reason    TEXT,
    -- What led to the pause, in words.
    detail          TEXT,
    -- The group of failures as it was then.
    count           INTEGER,
    first_failed_at INTEGER,
    last_failed_at  INTEGER,
    last_reason     TEXT,
    last_delivery   TEXT,
    CONSTRAINT pause_reason_iff_paused CHECK ((pause_reason IS NULL) = (kind <> 'subscription.paused')),
    CONSTRAINT failures_are_whole_or_absent CHECK (
        (count IS NULL) = (first_failed_at IS NULL)
        AND (count IS NULL) = (last_failed_at IS NULL)
        AND (count IS NULL) = (last_delivery IS NULL)
    ),
    CONSTRAINT failed_tells_failures CHECK (kind <> 'delivery.failed' OR count IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- What is next.
CREATE INDEX notices_by_stage ON notices (stage, due_at, id);
