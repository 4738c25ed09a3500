"""Tables of Postgres as the destination of a copy."""
