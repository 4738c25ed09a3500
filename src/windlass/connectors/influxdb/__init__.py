"""InfluxDB: measurements as sources and destinations of a copy."""
