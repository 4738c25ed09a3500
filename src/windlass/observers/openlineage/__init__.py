"""Lineage by OpenLineage: its own client, its own configuration (https://openlineage.io/docs/client/python).

observer.py   an event when a run or a task begins, and when it has ended
facets.py     what an event tells besides: schema, lineage of columns, statistics, checks
naming.py     what tables and files are called
sending.py    events in their order, in the background
"""

from __future__ import annotations

from windlass.observers.openlineage.observer import LineageObserver
from windlass.observers.openlineage.sending import Sender
from windlass.observers.telling import Around

__all__ = ["observe"]


def observe(around: Around) -> LineageObserver:
    """The observer that the environment asks for. Raises ImportError where the client is not there."""
    return LineageObserver(Sender(), around)
