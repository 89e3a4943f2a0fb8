-- Plugins that run beside their subscriptions' own on live events, without sending.

CREATE TABLE shadows (
    subscription TEXT    NOT NULL PRIMARY KEY REFERENCES subscriptions (id),
    -- What runs: SHA-256 of its component, and its configuration as JSON text. What another one did is not counted here.
    digest       BLOB    NOT NULL CONSTRAINT digest_is_32_bytes CHECK (length(digest) = 32),
    config       TEXT    NOT NULL,
    started_at   INTEGER NOT NULL,
    -- What was counted since, with the last differences: a JSON object.
    tally        TEXT    NOT NULL,
    CONSTRAINT runs_are_same_or_different CHECK (
        (tally ->> 'runs') = (tally ->> 'same') + (tally ->> 'different')
    )
) STRICT;
