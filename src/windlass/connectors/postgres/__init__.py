"""Postgres: tables as sources and destinations of a copy, SQL, and a server as its dev service."""
