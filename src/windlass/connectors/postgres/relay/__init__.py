"""From Postgres to Postgres: the binary COPY stream, handed on as it is."""
