-- What the pipelines of the Airflow tests read, beside the table of the example.
CREATE TABLE shops AS
SELECT n AS id, (ARRAY['north', 'south', 'west'])[1 + n % 3] AS region FROM generate_series(1, 900) AS n;

-- 24 rows a day, over 14 days: the 1st to the 14th of January
CREATE TABLE readings AS
SELECT n AS id, timestamptz '2025-01-01T00:00Z' + n * interval '1 hour' AS taken_at
FROM generate_series(0, 14 * 24 - 1) AS n;

-- A reader waits at row 5,000 for as long as somebody holds the advisory lock 42.
CREATE FUNCTION gate(n bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF n = 5000 THEN
        PERFORM pg_advisory_lock_shared(42);
        PERFORM pg_advisory_unlock_shared(42);
    END IF;
    RETURN n;
END $$;
CREATE VIEW gated AS SELECT gate(n) AS id, 'row ' || n AS name FROM generate_series(1, 10000) AS n;

-- The same, where nobody waits who only asks for the ids: Postgres leaves the call of a stable function out.
CREATE FUNCTION gated_name(n bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN 'row ' || gate(n);
END $$;
CREATE VIEW gated_names AS SELECT n AS id, gated_name(n) AS name FROM generate_series(1, 10000) AS n;
