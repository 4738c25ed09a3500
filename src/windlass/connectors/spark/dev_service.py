"""What stands in for a cluster: the process of the task, which does the pieces of a copy one after the other.

The rows are the same. There is no SQL of Spark in it; whoever wants that starts a Connect server, which takes Java.
"""

from __future__ import annotations

from windlass.connections import STAND_IN, Address
from windlass.devservices import DevService

__all__ = ["start"]


def start(service: DevService) -> Address:
    """An address without a host."""
    return Address(service.type, scheme="sc", origin=STAND_IN)
