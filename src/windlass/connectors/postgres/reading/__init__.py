"""Tables and queries of Postgres as the source of a copy."""
