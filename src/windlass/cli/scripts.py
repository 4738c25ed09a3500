"""`windlass scripts`: what a pod runs first, where a run has to fill in the commands of its other containers."""

from __future__ import annotations

import os
from pathlib import Path

import click

from windlass.cli.main import App

__all__ = ["scripts_command"]


@click.command("scripts")
@click.argument("pipeline")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path),
    required=True,
    help="Read the plan from this file, as an export or `windlass compile` writes it.",
)
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    help="The folder to write TASK.sh into, for each command.",
)
@click.option(
    "--task", "tasks", multiple=True, metavar="TASK", help="Only the command of this task. Repeatable."
)
@click.pass_obj
def scripts_command(app: App, pipeline: str, plan_file: Path, into: Path, tasks: tuple[str, ...]) -> int:
    """Write the commands of PIPELINE as shell scripts, their templates filled in.

    Which run it is comes from the environment, as for `windlass exec`. Exports to Kubernetes and Argo run it first in each
    pod whose commands need dates.
    """
    from windlass.api.planning import read_plan
    from windlass.cli.planned import params_of_run
    from windlass.tasks.scripts import write_scripts

    write_scripts(read_plan(plan_file, pipeline, params_of_run()), app.project, into, os.environ, tasks)
    return 0
