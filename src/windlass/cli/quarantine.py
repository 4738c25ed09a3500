"""`windlass quarantine`: the rows that could not be loaded."""

from __future__ import annotations

import json
from pathlib import Path

import click

from windlass.cli.echo import echo, echo_json
from windlass.cli.history import history_of
from windlass.cli.main import App
from windlass.cli.options import complete_run, complete_task, json_option
from windlass.units import counted, number

__all__ = ["quarantine_command"]


@click.group("quarantine")
def quarantine_command() -> None:
    """List, show and replay rows that could not be loaded."""


@quarantine_command.command("list")
@json_option
@click.pass_obj
def list_command(app: App, *, as_json: bool) -> int:
    """List the quarantines of this project, the latest first."""
    from windlass.cli.display import print_table
    from windlass.runner.quarantine import quarantines

    found = quarantines(app.project)
    if as_json:
        echo_json(json.dumps([item.__dict__ for item in found], indent=2, default=str))
    elif not found:
        echo("no rows are in quarantine")
    else:
        rows = [
            (q.run_id, q.task, number(q.rows), ", ".join(f"{r} {n}" for r, n in q.reasons.items()))
            for q in found
        ]
        print_table(("run", "task", "rows", "reasons"), rows)
    return 0


@quarantine_command.command("show")
@click.argument("run", shell_complete=complete_run)
@click.argument("task", shell_complete=complete_task)
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="Show at most this many."
)
@json_option
@click.pass_obj
def show_command(app: App, run: str, task: str, limit: int, *, as_json: bool) -> int:
    """Show the rows that TASK quarantined in RUN, and where their file is."""
    from windlass.engine.quarantine import read_quarantine
    from windlass.runner.quarantine import quarantine_file

    file = quarantine_file(app.project, history_of(app).run(run).run_id, task)
    rows = list(read_quarantine(file))
    if as_json:
        echo_json(json.dumps(rows, indent=2))
        return 0
    for row in rows[:limit]:
        place = f"{row['source']}:{row['line']}" if row.get("line") else str(row["source"])
        content = json.dumps(row["record"], ensure_ascii=False) if row.get("record") else row.get("raw")
        echo(f"{place}: {row['message']} ({row['reason']})\n  {content}")
    if len(rows) > limit:
        echo(f"… and {number(len(rows) - limit)} more")
    echo(f"\nfix the records in {file}, then: windlass quarantine replay {run} {task}")
    return 0


@quarantine_command.command("replay")
@click.argument("run", shell_complete=complete_run)
@click.argument("task", shell_complete=complete_task)
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The file with the fixed rows. Default: the quarantine itself.",
)
@json_option
@click.pass_obj
def replay_command(app: App, run: str, task: str, file: Path | None, *, as_json: bool) -> int:
    """Load the fixed rows of TASK in RUN, once. What still does not fit stays in quarantine."""
    from windlass.runner.quarantine import replay

    result = replay(app.project, history_of(app).run(run), task, file)
    if as_json:
        echo_json(json.dumps(result.__dict__, indent=2))
    else:
        echo(f"{counted(result.loaded, 'row')} loaded, {number(result.left)} still in quarantine")
    return 0
