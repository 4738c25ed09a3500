"""One copy as several loads: its parts, each in a transaction of its own, and with an entry of its own.

For `append`, the bounds that a run key got are kept in the ledger, as the entry of a load that has no rows:
whoever starts the same run again, after rows have arrived, gets the same parts and so knows which of them are
loaded. A merge ends in the same state whatever the parts are, and finds new ones each time.
"""

from __future__ import annotations

import json
from dataclasses import replace

from windlass import logs
from windlass.connectors.destination import Load, PartedLoad
from windlass.connectors.source import Part, Source, Splittable
from windlass.engine.cleaning import close, closing, leaving
from windlass.engine.ends import open_destination, open_source
from windlass.engine.inputs import Input
from windlass.engine.job import Job
from windlass.engine.ledger import part_from_json, part_to_json
from windlass.errors import Code, FatalError, RetryableError
from windlass.ledger import BOUNDS, LedgerEntry

__all__ = ["check_same_split", "split"]


def split(job: Job) -> list[Part]:
    """The parts of a copy, the same for every start of the same `append`. Loads nothing."""
    with closing(open_source(job)) as source:
        if job.copy.destination.mode != "append":
            return _found(job, source)
        with closing(open_destination(job)) as destination, Input(job, source) as given:
            entry = given.entry()
            try:
                with leaving(destination.begin(_of_bounds(entry))) as load:
                    return _kept(job, source, load, given)
            except RetryableError as exc:
                raise destination.explain(exc) from exc


def check_same_split(job: Job, load: Load, entry: LedgerEntry) -> None:
    """Raise FatalError when the run key was loaded, or is being loaded, in other parts than this one."""
    if not isinstance(load, PartedLoad):
        return
    kept = load.find(_of_bounds(entry))
    parts = _parts(kept) if kept is not None else []
    if job.part is not None and job.part.name:
        if job.part not in parts:
            raise FatalError(
                f"part {job.part.name} is not one of the parts of run key {entry.run_key!r}, and loading it could "
                "append rows a second time",
                hint="list the parts of this run with --parts, and load those",
                code=Code.LOADED_FROM_OTHER_INPUT,
            )
    elif any(part.name and load.find(replace(entry, part=part.name)) for part in parts):
        raise FatalError(
            f"run key {entry.run_key!r} was already loaded in {len(parts)} parts, at least one of them, and loading "
            "all of it would append a second time",
            hint="load the parts that are missing, or start a new run",
            code=Code.LOADED_FROM_OTHER_INPUT,
        )


def _kept(job: Job, source: Source, load: Load, given: Input) -> list[Part]:
    """The parts that this run key has, or gets now."""
    entry = given.entry()
    bounds = _of_bounds(entry)
    if load.earlier is not None:
        given.require_same(load.earlier)
        return _parts(load.earlier)
    is_loaded = isinstance(load, PartedLoad) and load.find(entry) is not None
    parts = [Part()] if is_loaded else _found(job, source)
    close(source)
    text = json.dumps([part_to_json(part) for part in parts])
    load.commit(replace(bounds, cursor=text))
    return parts


def _found(job: Job, source: Source) -> list[Part]:
    partition = job.copy.partition
    assert partition is not None
    parts = _splittable(source).split(partition.by, partition.parts)
    logs.info("split", by=partition.by, parts=len(parts))
    return parts


def _of_bounds(entry: LedgerEntry) -> LedgerEntry:
    return replace(entry, task=f"{entry.task}{BOUNDS}", part="")


def _parts(kept: LedgerEntry) -> list[Part]:
    return [part_from_json(json.dumps(part)) for part in json.loads(str(kept.cursor))]


def _splittable(source: Source) -> Splittable:
    if not isinstance(source, Splittable):
        raise FatalError(f"{source.name} cannot be read in parts")
    return source
