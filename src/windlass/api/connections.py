"""The connections of the project that a folder is in, for what is done without a pipeline."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from windlass.connections import Address
from windlass.errors import Code, UsageError, did_you_mean
from windlass.plan.model import Connection
from windlass.project_folder import find_project

if TYPE_CHECKING:
    from windlass.runner.connections import FoundConnections

__all__ = ["NearConnections"]


class NearConnections:
    """Looked for when somebody first asks. Use as a context manager: dev services may stop when it is left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "_found" in self.__dict__:
            self._found.close()

    @cached_property
    def declared(self) -> dict[str, Connection]:
        """By name; none where there is no project. Raises SpecError when its file makes no sense."""
        if self._project is None:
            return {}
        from windlass.plan.actions import connection_of
        from windlass.spec import load_project_file

        return {
            name: connection_of(declared)
            for name, declared in load_project_file(self._project).connections.items()
        }

    def address(self, name: str) -> Address:
        """Where the connection is; a dev service is started if it is nowhere. Raises WindlassError."""
        return self._found.address(name)

    def may_be_file(self, text: str) -> bool:
        """Whether there is a file of that name, or its ending says that it is to be one."""
        return (self._folder / text).exists() or bool(Path(text).suffix)

    def require(self, name: str) -> Connection:
        """The connection of that name. Raises UsageError, with near names, when there is none."""
        if name in self.declared:
            return self.declared[name]
        where = f" in {self._project}" if self._project else f": no project is in {self._folder} or above it"
        hint = did_you_mean(name, self.declared)
        raise UsageError(f"there is no connection {name!r}{where}", hint=hint, code=Code.UNKNOWN_CONNECTION)

    @cached_property
    def _project(self) -> Path | None:
        try:
            return find_project(self._folder)
        except UsageError:
            return None

    @cached_property
    def _found(self) -> FoundConnections:
        from windlass.runner.connections import FoundConnections
        from windlass.state_folder import StateFolder

        assert self._project is not None
        return FoundConnections(self.declared, self._project, StateFolder.of(self._project))
