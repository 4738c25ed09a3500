"""SQLite: the kit that every connector's tests come with."""

from windlass.testing import SqliteKit

__all__ = ["SqliteKit"]
