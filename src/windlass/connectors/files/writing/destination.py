"""Files as the destination of a copy: written beside their place, made durable, then renamed.

A file is always replaced whole, so `append` and `merge` write the rows that stay once more. A folder (a
path that ends in a slash) takes many files and is exchanged whole, too; appending to it brings along what is
there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from windlass import failpoints, registry
from windlass.connectors.destination import BaseDestination, Traits
from windlass.connectors.ends import End
from windlass.connectors.files.formats import compression_of
from windlass.connectors.files.options import Destination
from windlass.connectors.files.writing.load import FileLoad
from windlass.connectors.stores.where import stored_end
from windlass.errors import FatalError
from windlass.ledger import LedgerEntry
from windlass.storage import Place, place_of
from windlass.storage.stream import Stream

__all__ = ["FileDestination"]


class FileDestination(BaseDestination):
    """One file, or a folder of files. Implements `Destination`."""

    traits = Traits(
        way=f"arrow → {registry.SCRATCH}",
        query_way=registry.SCRATCH,
        modes=frozenset(("append", "replace", "merge")),
    )

    def __init__(self, end: End[Destination]) -> None:
        self._end, options = end, end.options
        self._place = _place(end)
        if isinstance(self._place, Stream) and options.mode != "replace":
            raise FatalError(f"{options.path!r} keeps nothing, so only `mode: replace` can write there")
        self._kind, self._compression = options.format_written(), compression_of(options.path)

    def occupied(self) -> str:
        return self._place.name

    def begin(self, entry: LedgerEntry) -> FileLoad:
        failpoints.reach("before-staging")
        with ExitStack() as undo:
            staged = undo.enter_context(self._place.begin(entry))
            load = FileLoad(self._end, self._kind, self._compression, self._place, staged, entry)
            undo.pop_all()
        return load

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        return self._place.settle(entry, loads)


def _place(end: End[Destination]) -> Place:
    options = end.options
    if (where := stored_end(end, options.path)) is not None:
        from windlass.storage.objects import place_in

        adding = options.mode != "replace"
        return place_in(where.store, where.key, adding=adding, alone=end.alone, scratch=end.scratch_folder)
    return place_of(
        end.workspace.to_write(options.path),
        folder=options.is_folder,
        adding=options.mode != "replace",
        alone=end.alone,
        protected=(end.workspace.root, end.workspace.project),
    )
