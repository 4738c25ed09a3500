"""Environments for steps: what `requirements.txt`, `pyproject.toml` or `package.json` of their folders ask for.

The command decides which: Python's own, or Node's. For any other command the files in its folder do, and both
environments are there where both ask for something. A command without a folder of its own (`build`) has the
interpreter, and nothing is installed for it: the files of a project's root are about the project.

step.py         what a step finds of one
python.py       virtual environments, one for all steps that ask for the same
node.py         the node_modules of a folder
key.py          what an environment depends on
installing.py   how one is made: once, by whoever comes first, whole or not at all
"""

from __future__ import annotations

import re
from pathlib import Path

from windlass.runtimes.environments.step import StepEnvironment, together

__all__ = ["StepEnvironment", "environment_for"]

_PYTHON = re.compile(r"python(3(\.\d+)?)?")
_NODE = ("node", "npm", "npx")


def environment_for(
    folder: Path, program: str, environments: Path, *, builds: bool = True
) -> StepEnvironment | None:
    """The environment of a command in a folder, made if need be; None for one that needs none. With `builds`, it is a
    folder of the step's own.
    """
    if not builds and not (_PYTHON.fullmatch(program) or program in _NODE):
        return None
    from windlass.runtimes.environments import node, python

    if version := _PYTHON.fullmatch(program):
        own = python.environment(folder if builds else None, environments, version[2])
        return StepEnvironment(own.programs, frozenset({program}), own.variables)
    if program in _NODE:
        return node.environment(folder if builds else None, environments)
    parts = []
    if builds and python.asks_for_something(folder):
        parts.append(python.environment(folder, environments))
    if builds and node.asks_for_something(folder):
        parts.append(node.environment(folder, environments))
    return together(*parts) if parts else None
