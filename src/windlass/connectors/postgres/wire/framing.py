"""What stands around the rows of a binary COPY (PostgreSQL manual, "COPY", "Binary Format")."""

__all__ = ["HEADER", "TRAILER"]

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
"""The signature, flags (none), and the length of a header extension (none)."""

TRAILER = b"\xff\xff"
"""A row with a count of -1 fields."""
