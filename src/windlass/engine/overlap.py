"""What a copy must never do to its own ends: write over what it reads, or over where its bad rows go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from windlass.connectors.destination import Destination
from windlass.connectors.source import Source
from windlass.engine.job import Job
from windlass.engine.quarantine import require_quarantine_place
from windlass.engine.stored_quarantine import quarantine_object
from windlass.errors import FatalError
from windlass.files import is_stream, resolved

__all__ = ["check_no_overlap"]


def check_no_overlap(job: Job, source: Source, destination: Destination) -> None:
    """Raise FatalError when two of the places of a copy are the same, or one is in the other.

    A single file may be copied onto itself: it is read whole before it is replaced.
    """
    quarantine = list(_quarantine_files(job))
    target = destination.occupied()
    is_folder = target is not None and str(job.copy.destination.path).endswith("/")
    if (object_ := quarantine_object(job)) is not None:
        _require_elsewhere(object_.name, source, str(target))
    for file in quarantine:
        require_quarantine_place(file)
        place = str(resolved(file))
        if place == str(target) or place in source.occupied():
            raise FatalError(f"{file} is an end of the copy, and cannot take its bad rows")
    if target is None:
        return
    ends = [str(resolved(file)) for file in quarantine if not is_stream(file)]
    for place in (*source.occupied(), *ends):
        if is_folder and place.startswith(f"{target}{os.sep}"):
            raise FatalError(
                f"{target}/ would be exchanged as a whole, and {place} is in it",
                hint="name a folder of its own for the rows",
            )
        if place == str(target) and job.copy.source.connection and job.copy.destination.path:
            raise FatalError(f"{target} is the database that the rows come from")


def _quarantine_files(job: Job) -> Iterator[Path]:
    if job.quarantine_file is not None:
        yield job.quarantine_file
    to = job.copy.quarantine
    if to is not None and to.path is not None and quarantine_object(job) is None:
        yield job.workspace.to_write(to.path)


def _require_elsewhere(name: str, source: Source, target: str) -> None:
    """Raise FatalError for an object that the copy reads or writes, or that is below what it writes."""
    if name == target or name.startswith(f"{target}/") or name in source.occupied():
        raise FatalError(f"{name} is an end of the copy, or in one, and cannot take its bad rows")
