"""Environments for steps: what `requirements.txt`, `pyproject.toml` or `package.json` of their folders ask for.

The command decides which: Python's own, or Node's. For any other command the files in its folder do, and both
environments are there where both ask for something. A command without a folder of its own (`build`) has the
interpreter, and nothing is installed for it: the files of a project's root are about the project.

environments.py         which environment a command gets
python_environment.py   virtual environments, one for all steps that ask for the same
node_environment.py     the node_modules of a folder
environment_key.py      what an environment depends on
installing.py           how one is made: once, by whoever comes first, whole or not at all
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from windlass.errors import Code, FatalError

__all__ = ["StepEnvironment", "environment_for"]

_PYTHON = re.compile(r"python(3(\.\d+)?)?")
_NODE = ("node", "npm", "npx")


@dataclass(frozen=True)
class StepEnvironment:
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


def environment_for(
    folder: Path, program: str, environments: Path, *, builds: bool = True
) -> StepEnvironment | None:
    """The environment of a command in a folder, made if need be; None for one that needs none. With `builds`, it is a
    folder of the step's own.
    """
    from windlass.runtimes import node_environment, python_environment

    if version := _PYTHON.fullmatch(program):
        own = python_environment.environment(folder if builds else None, environments, version[2])
        return StepEnvironment(own.programs, frozenset({program}), own.variables)
    if program in _NODE:
        return node_environment.environment(folder if builds else None, environments)
    parts = []
    if builds and python_environment.asks_for_something(folder):
        parts.append(python_environment.environment(folder, environments))
    if builds and node_environment.asks_for_something(folder):
        parts.append(node_environment.environment(folder, environments))
    return _together(*parts) if parts else None


def _together(*parts: StepEnvironment) -> StepEnvironment:
    programs = tuple(folder for part in parts for folder in part.programs)
    variables = {name: value for part in parts for name, value in part.variables.items()}
    return StepEnvironment(programs, frozenset().union(*(part.own for part in parts)), variables)
