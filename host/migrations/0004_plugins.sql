-- What plugins' authors and users need: figures.

-- What the transform had and used, beside fuel_used and transform_us; 0 where no plugin ran, and of attempts before this.
ALTER TABLE attempts ADD COLUMN fuel_max INTEGER NOT NULL DEFAULT 0
    CONSTRAINT fuel_max_is_counted_from_0 CHECK (fuel_max >= 0);
-- The most that the instance's memories took together, and what they might.
ALTER TABLE attempts ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0
    CONSTRAINT memory_bytes_is_counted_from_0 CHECK (memory_bytes >= 0);
ALTER TABLE attempts ADD COLUMN memory_bytes_max INTEGER NOT NULL DEFAULT 0
    CONSTRAINT memory_bytes_max_is_counted_from_0 CHECK (memory_bytes_max >= 0);
