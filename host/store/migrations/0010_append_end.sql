-- The end of the migration: the rows have been moved.

DROP TABLE batched_events;
DROP TABLE open_batches;
DROP TABLE attempts;
DROP TABLE deliveries;
DROP TABLE events;
ALTER TABLE new_events RENAME TO events;
ALTER TABLE new_deliveries RENAME TO deliveries;
ALTER TABLE new_attempts RENAME TO attempts;
ALTER TABLE new_batched_events RENAME TO batched_events;
ALTER TABLE new_open_batches RENAME TO open_batches;

-- An index ends in the table's key by itself, so each of these is in order of acceptance.

CREATE UNIQUE INDEX event_id_is_unique_in_its_space ON events (space, id) WHERE id IS NOT NULL;
CREATE INDEX events_of_space ON events (space, type);

-- Listings by type take a range; those of all types merge the types' ranges.
CREATE INDEX deliveries_of_space ON deliveries (space, type);
CREATE INDEX deliveries_of_subscription ON deliveries (subscription, type);

-- What failed. Most attempts succeed and are not in it.
CREATE INDEX attempts_by_problem ON attempts (space, problem) WHERE problem IS NOT NULL;

-- What is next of each subscription, so that no one's backlog stands in front of another's.
CREATE INDEX waiting_by_due_time ON waiting (subscription, due_at) WHERE state = 'pending';
CREATE INDEX waiting_of_space ON waiting (space, state);
CREATE INDEX waiting_of_subscription ON waiting (subscription, state);
CREATE INDEX waiting_by_pinned ON waiting (pinned) WHERE pinned IS NOT NULL;

CREATE INDEX ended_of_space ON ended (space, state);
CREATE INDEX ended_of_subscription ON ended (subscription, state);

-- Deleted ones, too: what a space leaves is found by it.
CREATE INDEX subscriptions_by_space ON subscriptions (space);

CREATE INDEX erasures_of_space ON erasures (space);
CREATE INDEX erasures_unfinished ON erasures (key) WHERE state <> 'done';

-- Who reports a delivery that is erased.
CREATE INDEX notices_by_delivery ON notices (last_delivery) WHERE last_delivery IS NOT NULL;

INSERT INTO stored (space, bytes)
SELECT space, sum(bytes) FROM (
    SELECT space, octet_length(data) + coalesce(octet_length(previous), 0) AS bytes FROM events
    UNION ALL
    SELECT space, coalesce(octet_length(request_headers), 0) + coalesce(octet_length(request_body), 0)
        + coalesce(octet_length(answer_headers), 0) + coalesce(octet_length(answer_body), 0)
        + coalesce(octet_length(logs), 0) FROM attempts
) GROUP BY space;

CREATE INDEX replays_by_next_step ON replays (next_at) WHERE state = 'running';
CREATE INDEX replays_running_in_space ON replays (space) WHERE state = 'running';
CREATE INDEX replays_of_subscription ON replays (subscription);

-- What is to be deleted with an event, and whether it has a value.
CREATE INDEX values_of_event ON event_values (event, path, value);
