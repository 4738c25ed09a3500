"""`windlass export`: the pipelines of a project, for a scheduler."""

from __future__ import annotations

import json
from pathlib import Path

import click

from windlass.cli.main import App
from windlass.cli.options import json_option

__all__ = ["export_command"]


@click.group("export")
def export_command() -> None:
    """Write what a scheduler needs to run the pipelines of the project."""


@export_command.command("airflow")
@click.option(
    "--runtime",
    type=click.Choice(["process", "docker", "kubernetes"]),
    default="process",
    show_default=True,
    help="What executes a task: a process on the worker, a container, a pod.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder in which `dags` is written. Default: the project's.",
)
@click.option(
    "--project-path",
    metavar="PATH",
    help="Where the project's folder is on the workers; a relative path begins at the loader. Default: where it is here.",
)
@json_option
@click.pass_obj
def airflow_command(
    app: App, runtime: str, out: Path | None, project_path: str | None, *, as_json: bool
) -> int:
    """Write a loader and a plan: every pipeline of the project as an Airflow DAG.

    Airflow's machines need no windlass to show the DAGs. Where tasks are processes, the workers need it.
    """
    from windlass.targets.airflow import export, needs_of

    project = app.project
    written = export(project, out or project, runtime, project_path=project_path)
    needed = needs_of(written[-1].read_bytes())
    if as_json:
        click.echo(json.dumps({"written": [str(file) for file in written], "needs": needed}, indent=2))
        return 0
    click.echo(f"wrote {written[-1].parent} with {', '.join(needed['pipelines']) or 'no pipeline'}")
    for name, kind in needed["connections"].items():
        click.echo(f"  Airflow needs connection {name} ({kind})")
    for name, slots in needed["pools"].items():
        click.echo(f"  Airflow needs pool {name} ({slots} slots)")
    return 0
