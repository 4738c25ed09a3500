"""BigQuery: tables and queries as sources and destinations of a copy, and SQL."""
