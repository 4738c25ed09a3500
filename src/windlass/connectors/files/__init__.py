"""Files: CSV, JSON, NDJSON and Parquet, as sources and destinations of a copy."""
