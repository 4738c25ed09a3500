"""MongoDB: collections as sources and destinations of a copy."""
