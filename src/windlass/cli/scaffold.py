"""What `windlass init` makes: a small project that runs at once, with real data and a real Postgres."""

from __future__ import annotations

import re
from pathlib import Path

from windlass.cli.editor import modeline, write_schemas
from windlass.errors import UsageError
from windlass.files import write_file

__all__ = ["scaffold"]

_PROJECT = """\
project: {name}
connections:
  # Not configured anywhere, so it is a dev service: a Postgres that is started for the run.
  # To use a real one, set WINDLASS_CONN_WAREHOUSE=postgresql://user:password@host/database
  warehouse: {{type: postgres}}
"""

_PIPELINE = """\
pipeline: hello
description: Load a file into Postgres, check it, and write a summary
schedule: "@daily"
start: 2025-01-01
params:
  file: data/orders.csv
tasks:
  load:
    copy:
      from: {path: "{{ params.file }}"}
      to:   {connection: warehouse, table: orders, mode: replace}
      on_bad_row: quarantine
  check:
    needs: [load]
    check:
      connection: warehouse
      table: orders
      rows: {min: 1}
      unique: [id]
      expressions: ["amount > 0"]
  summary:
    needs: [check]
    copy:
      from: {connection: warehouse, query: "SELECT country, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY country ORDER BY country"}
      to:   {path: out/summary.csv}
"""

_DATA = """\
id,ordered_on,country,amount
1,2025-01-03,FR,120.50
2,2025-01-03,DE,80
3,2025-01-04,FR,19.99
4,2025-01-04,IT,240
5,2025-01-05,DE
6,2025-01-05,DE,33.10
"""

_IGNORE = """\
.windlass/
.env
out/
"""


def scaffold(folder: Path) -> list[str]:
    """Write the files of a new project. Raises UsageError when one of them is there already."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", folder.resolve().name).strip("-") or "project"
    files = {
        "windlass.yaml": modeline("windlass.yaml")
        + _PROJECT.format(name=name if name[0].isalpha() else f"p-{name}"),
        "pipelines/hello.yaml": modeline("pipelines/hello.yaml") + _PIPELINE,
        "data/orders.csv": _DATA,
        ".gitignore": _IGNORE,
    }
    there = [file for file in files if (folder / file).exists() and file != ".gitignore"]
    if there:
        raise UsageError(
            f"{folder / there[0]} is there already", hint="begin in an empty folder: windlass init NAME"
        )
    made = []
    for file, text in files.items():
        path = folder / file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, text)
            made.append(file)
    return made + write_schemas(folder)
