"""What a step finds of its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from windlass.errors import Code, FatalError

__all__ = ["StepEnvironment", "together"]


class StepEnvironment(Struct, frozen=True):
    """Where the programs of a step are, and the variables that it needs."""

    programs: tuple[Path, ...] = ()
    own: frozenset[str] = frozenset()
    """Programs that a step gets from here, and from nowhere else."""

    variables: Mapping[str, str] = field(default_factory=dict)

    def program(self, name: str) -> str:
        """The program of that name in the environment, else the name as it is. Raises FatalError when one of its own
        is not there: another one of that name, such as windlass's own Python, is not what the step asks for.
        """
        for folder in self.programs:
            if (folder / name).exists():
                return str(folder / name)
        if name in self.own:
            places = ", ".join(map(str, self.programs))
            raise FatalError(
                f"there is no {name} in the environment of the step ({places})", code=Code.NO_PROGRAM
            )
        return name

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The variables of a process that is started in it."""
        path = os.pathsep.join((*map(str, self.programs), inherited.get("PATH") or os.defpath))
        return {**inherited, **self.variables, "PATH": path}


def together(*parts: StepEnvironment) -> StepEnvironment:
    """One environment that has all of these in it."""
    programs = tuple(folder for part in parts for folder in part.programs)
    variables = {name: value for part in parts for name, value in part.variables.items()}
    return StepEnvironment(programs, frozenset().union(*(part.own for part in parts)), variables)
