"""What a task finds around it, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from windlass.connections import Address, declared_address, places, resolve
from windlass.errors import Code, FatalError
from windlass.plan.model import Connection
from windlass.plan.schedule import RunDates
from windlass.plan.strings import with_strings
from windlass.plan.unit import Container
from windlass.runtimes import Runtime, Site
from windlass.runtimes.choosing import ChosenRuntimes
from windlass.state_folder import RunFolder
from windlass.templates import render
from windlass.units import DEFAULT_MEMORY
from windlass.workspace import Workspace

if TYPE_CHECKING:
    from windlass.connectors.source import Part

__all__ = ["Context", "TaskResult", "render_strings"]

T = TypeVar("T")


@dataclass
class TaskResult:
    """What a task did: the numbers that log, report and `--json` show, and what was checked."""

    rows_read: int | None = None
    rows_written: int | None = None
    rows_quarantined: int | None = None
    bytes: int | None = None
    path: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Context:
    """One attempt at one task."""

    run_id: str
    run_key: str
    dates: RunDates
    variables: Mapping[str, object]
    """What templates may name."""

    workspace: Workspace
    connections: Mapping[str, Connection]
    folder: RunFolder
    """What the run leaves behind."""

    quarantine_file: Path
    scratch_folder: Path
    environments: Path
    """Where the environments of steps are made."""

    containers: Container = field(default_factory=Container)
    """What the project says of all containers."""

    memory: int = DEFAULT_MEMORY
    force: bool = False
    part: Part | None = None
    """What of a copy this attempt is about, if it is a part."""

    load_id: str | None = None
    """What whoever started this attempt calls it, to find it in the ledger afterwards."""

    progress: Callable[[int, int, int | None], None] = lambda _rows, _bytes, _total: None
    """Told the rows and bytes so far, and how many bytes there will be, where that is known."""

    output: Callable[[str], None] = lambda _line: None
    """Told each line that a command prints."""

    def runtimes(self, wanted: Path) -> Runtime:
        """What executes units of this machine that live as long as that lock is held."""
        site = Site(
            project=self.workspace.project,
            workspace=self.workspace.root,
            environments=self.environments,
            wanted=wanted,
        )
        return ChosenRuntimes(site, None, self.containers)

    def rendered(self, value: T) -> T:
        """The value with every template in it rendered."""
        return render_strings(value, self.variables)

    def address(self, name: str) -> Address:
        """The address of a connection. Raises FatalError that lists every place looked at."""
        connection = self.connections[name]
        found = resolve(name, connection.type, self.workspace.project) or declared_address(
            name, connection.type, connection.settings
        )
        if found is None:
            looked = "\n    ".join(place for place, _ in places(name, self.workspace.project))
            message = f"connection {name!r} is not configured; looked for it in\n    {looked}"
            raise FatalError(message, code=Code.NOT_CONFIGURED)
        return replace(found, settings=connection.settings)


def render_strings(value: T, variables: Mapping[str, object]) -> T:
    """A copy of the value, a tree of structs and containers, with every string in it rendered."""
    return with_strings(value, lambda text: render(text, variables))
