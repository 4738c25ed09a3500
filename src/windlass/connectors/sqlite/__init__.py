"""SQLite: tables as sources and destinations of a copy, and SQL. Uses Python's own driver."""
