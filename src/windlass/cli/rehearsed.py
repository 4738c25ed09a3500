"""What people and machines see of a rehearsal."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from windlass import logs
from windlass.cli.display import print_table
from windlass.cli.echo import echo, echo_json
from windlass.rehearsing import Rehearsal
from windlass.rehearsing.container import Ran, Tell
from windlass.units import duration, number

__all__ = ["print_rehearsal", "told"]


@contextmanager
def told() -> Iterator[Tell]:
    """Prints what containers print on stderr, each line behind the name of its container."""
    lock = threading.Lock()

    def tell(name: str, lines: Sequence[str]) -> None:
        with lock:
            for line in lines:
                echo(f"{name} | {logs.mask(line)}", err=True)

    yield tell


def print_rehearsal(rehearsal: Rehearsal, *, as_json: bool) -> None:
    """Print what became of each container, and what the plan has otherwise."""
    if as_json:
        echo_json(json.dumps(_document(rehearsal)))
        return
    print_table(
        ("task", "exit code", "tries", "time", "rows"), [_row(n, ran) for n, ran in rehearsal.ran.items()]
    )
    for difference in rehearsal.differences:
        echo(f"differs from the plan: {difference}")
    if not rehearsal.differences:
        echo(
            f"{rehearsal.pipeline} did as {rehearsal.target} what its plan says; files are in {rehearsal.workspace}"
        )


def _row(name: str, ran: Ran) -> tuple[str, ...]:
    rows = ran.figures.get("rows_written")
    return (
        name,
        str(ran.code),
        str(ran.tries),
        duration(ran.ended - ran.began),
        "" if rows is None else number(rows),
    )


def _document(rehearsal: Rehearsal) -> dict[str, object]:
    tasks = [
        {
            "task": name,
            "exit_code": r.code,
            "tries": r.tries,
            "seconds": round(r.ended - r.began, 3),
            **r.figures,
        }
        for name, r in rehearsal.ran.items()
    ]
    return {
        "pipeline": rehearsal.pipeline,
        "target": rehearsal.target,
        "run_id": rehearsal.run_id,
        "tasks": tasks,
        "differences": list(rehearsal.differences),
        "workspace": str(rehearsal.workspace),
    }
