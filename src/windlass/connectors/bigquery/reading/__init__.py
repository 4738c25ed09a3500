"""Tables and queries as the source of a copy."""
