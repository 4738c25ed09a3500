"""Writes what was imported: a pipeline, and a project around it where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from windlass import registry
from windlass.errors import UsageError
from windlass.files import write_file
from windlass.importing.imported import Imported

__all__ = ["connection_text", "write_files"]

_PROJECT = "windlass.yaml"


def connection_text(imported: Imported) -> str:
    """The connection, as `windlass.yaml` has it."""
    return _text({"connections": {imported.name: imported.connection}})


def write_files(imported: Imported, folder: Path, to: str | None) -> list[str]:
    """Write the pipeline, and `windlass.yaml` if there is none. Returns their paths in the folder. Raises UsageError
    where the pipeline is there already.
    """
    name = f"pipelines/{imported.name}.yaml"
    if (folder / name).exists():
        raise UsageError(f"{folder / name} is there already", hint="give another name with --name")
    files = {name: _head(imported) + _text(imported.pipeline(to))}
    if not (folder / _PROJECT).exists():
        files = {_PROJECT: _project_text(imported, to)} | files
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_file(folder / path, text)
    return list(files)


def _head(imported: Imported) -> str:
    """What was not translated, where somebody looks who goes on from here."""
    lines = [" ".join(note.split()) for note in imported.notes]
    return "".join(
        f"# {line}\n" for line in (["Not translated, or to be looked at:", *lines] if lines else [])
    )


def _project_text(imported: Imported, to: str | None) -> str:
    connections: dict[str, Any] = {imported.name: imported.connection}
    if to is not None:
        connections[to] = {"type": registry.USUAL_DATABASE}
    secret = f"# The secret: {imported.variable}\n" if imported.variable else ""
    return secret + _text({"project": imported.name, "connections": connections})


def _text(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)
