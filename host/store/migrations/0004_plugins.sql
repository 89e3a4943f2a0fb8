-- What plugins' authors and users need: figures, deliveries that keep the code they began with, and what failures lead to.

-- What the transform had and used, beside fuel_used and transform_us; 0 where no plugin ran, and of attempts before this.
ALTER TABLE attempts ADD COLUMN fuel_max INTEGER NOT NULL DEFAULT 0
    CONSTRAINT fuel_max_is_counted_from_0 CHECK (fuel_max >= 0);
-- The most that the instance's memories took together, and what they might.
ALTER TABLE attempts ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0
    CONSTRAINT memory_bytes_is_counted_from_0 CHECK (memory_bytes >= 0);
ALTER TABLE attempts ADD COLUMN memory_bytes_max INTEGER NOT NULL DEFAULT 0
    CONSTRAINT memory_bytes_max_is_counted_from_0 CHECK (memory_bytes_max >= 0);

-- The code and configuration that deliveries started with which are yet to be tried again.
CREATE TABLE plugin_setups (
    -- SHA-256 of the digest and the configuration.
    id     BLOB NOT NULL PRIMARY KEY CONSTRAINT id_is_32_bytes CHECK (length(id) = 32),
    -- The plugin's component; NULL for the default shape.
    digest BLOB REFERENCES components (digest),
    -- The plugin's configuration as JSON text; empty without a plugin.
    config TEXT NOT NULL
) STRICT;

-- What shapes its next attempt; NULL if that is its subscription's to say: until the first attempt failed.
ALTER TABLE deliveries ADD COLUMN setup BLOB REFERENCES plugin_setups (id)
    CONSTRAINT setup_only_while_not_final CHECK (setup IS NULL OR completed_at IS NULL);

-- Who waits with a setup. Nearly no delivery is in it.
CREATE INDEX deliveries_by_setup ON deliveries (setup) WHERE setup IS NOT NULL;

-- How the plugin failed where the default shape went out instead: JSON of its code, message and retry.
ALTER TABLE attempts ADD COLUMN plugin_fault TEXT;

-- Failures of the plugin in a row.
ALTER TABLE subscription_activity ADD COLUMN plugin_failures INTEGER NOT NULL DEFAULT 0
    CONSTRAINT plugin_failures_are_counted_from_0 CHECK (plugin_failures >= 0);
