"""`windlass docs`: a page for every pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import click

from windlass.cli.echo import echo, echo_json
from windlass.cli.main import App
from windlass.cli.options import json_option

__all__ = ["docs_command"]


@click.command("docs")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to write them. Default: .windlass/docs.",
)
@json_option
@click.pass_obj
def docs_command(app: App, out: Path | None, *, as_json: bool) -> int:
    """Write a page for every pipeline, and a board with the state of all of them. Prints where the board is.

    A page has the graph, schedule, parameters, tasks, connections and secrets (never their values), tables, files and last
    runs of a pipeline. All of it is plain HTML that loads nothing.
    """
    from windlass.catalog import write_pages
    from windlass.state_folder import StateFolder

    board = write_pages(app.project, out or StateFolder.of(app.project).docs)
    if as_json:
        echo_json(json.dumps({"board": str(board)}, indent=2))
    else:
        echo(str(board))
    return 0
