"""The dev service of a duckdb connection: a file in the state folder."""

from __future__ import annotations

from windlass.connections import Address
from windlass.devservices import DevService
from windlass.devservices.file import start_file

__all__ = ["start"]


def start(service: DevService) -> Address:
    """The address of the file; made and initialised if it is new or its init files have changed."""
    return start_file(service, ending=".duckdb")
