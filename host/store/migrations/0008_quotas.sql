-- How much of the host a space may use, a JSON object; a member that is missing has the host's default.
ALTER TABLE spaces ADD COLUMN quotas TEXT NOT NULL DEFAULT '{}';

-- Requests per second that a key may make; NULL for no limit.
ALTER TABLE keys ADD COLUMN requests_per_s INTEGER
    CONSTRAINT requests_per_s_is_counted_from_1 CHECK (requests_per_s >= 1);
