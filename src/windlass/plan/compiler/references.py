"""What a pipeline names of its project: connections, pools, libraries and runtimes. Each has to be there, and to fit."""

from __future__ import annotations

from msgspec import Struct, field

from windlass import registry
from windlass.errors import Code
from windlass.plan import model
from windlass.plan.actions import connection_of
from windlass.plan.clashes import clash
from windlass.plan.compiler.noting import Notes
from windlass.plan.compiler.surroundings import Surroundings
from windlass.plan.partitioning import why_not_in_parts
from windlass.plan.quarantine import why_not_there
from windlass.plan.roles import Role, misfit
from windlass.plan.spreading import why_not_spread
from windlass.spec.commands import Command
from windlass.spec.kinds import Kind
from windlass.spec.yaml import KeyPath
from windlass.templates import is_template

__all__ = ["References"]


class References(Struct):
    """Looks up what is named, and remembers what the plan takes along of it."""

    around: Surroundings
    notes: Notes
    connections: dict[str, model.Connection] = field(default_factory=dict)
    pools: dict[str, int] = field(default_factory=dict)

    def connection(self, name: str, role: Role, path: KeyPath) -> str:
        """The name of a connection that is to be used so."""
        declared = self.around.project.connections
        if self.around.lacks("connections", name):
            return name
        if name not in declared:
            hint = self.notes.near(name, declared) or "declare it under `connections` in windlass.yaml"
            self.notes.problem(path, Code.UNKNOWN_CONNECTION, f"unknown connection {name!r}", hint)
            return name
        self.connections[name] = connection_of(declared[name])
        if (wrong := misfit(declared[name].type, role)) is not None:
            message = f"connection {name!r} {wrong[0]}"
            self.notes.problem(path, Code.CONNECTION_OF_OTHER_TYPE, message, wrong[1])
        return name

    def pool(self, name: str, path: KeyPath) -> str:
        """The name of a pool in which a task takes a slot."""
        pools = self.around.project.pools
        if name in pools and not self.around.lacks("pools", name):
            self.pools[name] = pools[name]
        elif not self.around.lacks("pools", name):
            hint = self.notes.near(name, pools) or "declare it under `pools` in windlass.yaml"
            self.notes.problem(path, Code.UNKNOWN_POOL, f"unknown pool {name!r}", hint)
        return name

    def check(self, spec: Kind, action: model.Action, path: KeyPath) -> None:
        """Look at everything that a task names, which was written as `spec` at `path` and became `action`."""
        for name, role, at in action.mentions():
            self.connection(name, role, (*path, *at))
        self._check_source(action, (*path, "from"))
        self._check_spread(action, path)
        if isinstance(spec, Command):
            self._check_libraries(spec, (*path, "libraries"))
            self._check_runtime(spec, (*path, "runtime"))
        self._check_quarantine(action, (*path, "quarantine"))

    def _check_source(self, action: model.Action, path: KeyPath) -> None:
        source = action.source if isinstance(action, model.Copy | model.Subject) else None
        for at, end in source.with_inner() if source is not None else ():
            if (wrong := clash(end, self.connections)) is not None:
                where = (*path, *at, wrong.key)
                self.notes.problem(where, Code.KEYS_DO_NOT_FIT, wrong.message, wrong.hint)

    def _check_spread(self, action: model.Action, path: KeyPath) -> None:
        for why_not in (why_not_spread, why_not_in_parts):
            if isinstance(action, model.Copy) and (wrong := why_not(action)) is not None:
                self.notes.problem((*path, *wrong.at), Code.KEYS_DO_NOT_FIT, wrong.message, wrong.hint)

    def _check_libraries(self, command: Command, path: KeyPath) -> None:
        declared = self.around.project.libraries
        for i, name in enumerate(command.libraries):
            if name not in declared and not self.around.lacks("libraries", name):
                hint = self.notes.near(name, declared) or "declare it under `libraries` in windlass.yaml"
                self.notes.problem((*path, i), Code.UNKNOWN_LIBRARY, f"unknown library {name!r}", hint)

    def _check_runtime(self, command: Command, path: KeyPath) -> None:
        """What a template gave: any other name was looked at when the file was read."""
        name = command.runtime
        if name is not None and not is_template(name) and not registry.RUNTIMES.has(name):
            hint = self.notes.near(name, registry.RUNTIMES.names())
            self.notes.problem(path, Code.UNKNOWN_WORD, f"there is no runtime {name!r}", hint)

    def _check_quarantine(self, action: model.Action, path: KeyPath) -> None:
        if not isinstance(action, model.Copy) or action.quarantine is None:
            return
        to, name = action.quarantine, action.destination.connection
        form = self.connections[name].form if name in self.connections else ""
        if wrong := why_not_there(action, same_database=to.connection == name, form=form):
            message = f"the rows in quarantine cannot go there: {wrong}"
            hint = "name another connection, or a `path`"
            self.notes.problem(path, Code.KEYS_DO_NOT_FIT, message, hint)
