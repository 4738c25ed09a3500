"""A low-code manifest of Airbyte (https://docs.airbyte.com/platform/connector-development/config-based): each stream is a copy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windlass.errors import FatalError
from windlass.importing.components import resolved
from windlass.importing.configuration import Configuration
from windlass.importing.documents import Tree
from windlass.importing.handlers import rate_limit_of
from windlass.importing.imported import Imported
from windlass.importing.streams import Stream, base_of

__all__ = ["translate"]


def translate(tree: Tree, imported: Imported) -> None:
    """Fill in what the manifest says. Raises FatalError for a document of another kind."""
    root = tree.root
    if root.get("type") != "DeclarativeSource" and "streams" not in root and "dynamic_streams" not in root:
        raise FatalError("the file is not a low-code manifest: it lacks `type: DeclarativeSource`")
    imported.description = str(root.get("description") or "").strip()
    streams = [resolved(tree, stream, key="stream") for stream in root.get("streams") or ()]
    if root.get("dynamic_streams"):
        imported.note("dynamic_streams", "streams that are made while it runs have no translation")
    imported.connection |= rate_limit_of(resolved(tree, root.get("api_budget")) or {}, imported)
    _Manifest(tree, imported, streams).translate()


class _Manifest:
    """The streams of a manifest, each of which is translated after those whose records it asks for."""

    def __init__(self, tree: Tree, imported: Imported, streams: list[Mapping[str, Any]]) -> None:
        self._imported, self._streams = imported, streams
        self._configuration = Configuration(tree, imported)
        self._server = _common_server(streams)
        self._tasks: dict[str, str | None] = {}

    def translate(self) -> None:
        for stream in self._streams:
            self.task_of(stream)

    def task_of(self, stream: Mapping[str, Any]) -> str | None:
        """The task of a stream, also of one that is only there for others; None where it has no translation."""
        name = str(stream.get("name") or "stream")
        if name not in self._tasks:
            self._tasks[name] = None  # one that asks for itself has none
            known = next((each for each in self._streams if each.get("name") == name), stream)
            made = Stream(known, name, self._imported, self._configuration, self._server, self.task_of)
            self._tasks[name] = made.translate()
        return self._tasks[name]


def _common_server(streams: list[Mapping[str, Any]]) -> str:
    """What the addresses of all streams begin with, those on another server left out: all of it, or only the server."""
    bases = [base.partition("?")[0] for stream in streams for base in _bases(stream) if "://" in base]
    servers = ["/".join(base.split("/")[:3]) for base in bases]
    usual = max(servers, key=servers.count, default="")
    there = {base for base, server in zip(bases, servers, strict=True) if server == usual}
    return there.pop() if len(there) == 1 else usual


def _bases(stream: Mapping[str, Any]) -> Iterator[str]:
    requester = (stream.get("retriever") or {}).get("requester") or {}
    yield base_of(requester)[0]
