"""Measurements and queries as sources."""
