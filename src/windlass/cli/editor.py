"""The schema files of a project, with which editors complete and check its YAML.

They are part of the project, so that a fresh clone has them, and are written anew when windlass is upgraded.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from windlass.files import write_whole

__all__ = ["FOLDER", "KINDS", "is_outdated", "modeline", "schema", "write_schemas"]

FOLDER = ".schema"
_FILES = {"pipeline": "pipeline.json", "project": "windlass.json", "cases": "cases.json"}
KINDS = tuple(_FILES)
"""The kinds of file that have a schema."""


def modeline(file: str) -> str:
    """The first line by which editors find the schema of a file, given by its path in the project."""
    kind, up = ("project", "") if file == "windlass.yaml" else ("pipeline", "../")
    return f"# yaml-language-server: $schema={up}{FOLDER}/{_FILES[kind]}\n"


def write_schemas(project: Path) -> list[str]:
    """Write the schemas into the project. Returns which files changed, by their paths in it."""
    changed = []
    for name, text in _texts().items():
        file = project / FOLDER / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(exist_ok=True)
            write_whole(file, text.encode())
            changed.append(f"{FOLDER}/{name}")
    return changed


def is_outdated(project: Path) -> bool:
    """Whether the project has schemas, and they are not those of this windlass."""
    texts = {name: text for name, text in _texts().items() if (project / FOLDER / name).is_file()}
    return any((project / FOLDER / name).read_text(encoding="utf-8") != text for name, text in texts.items())


def schema(kind: str) -> dict[str, Any]:
    """The schema of a kind of file: `pipeline`, `project` or `cases`."""
    if kind == "cases":
        from windlass.fixtures.schema import cases_schema

        return cases_schema()
    from windlass.spec.schema import json_schema

    return json_schema("pipeline" if kind == "pipeline" else "project")


def _texts() -> dict[str, str]:
    return {file: json.dumps(schema(kind), indent=1) + "\n" for kind, file in _FILES.items()}
