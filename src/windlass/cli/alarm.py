"""`windlass alarm`: tell that a run has failed which some scheduler has run, and which cannot tell it by itself."""

from __future__ import annotations

import os
from pathlib import Path

import click

from windlass import logs
from windlass.alerts import Message
from windlass.cli.main import App
from windlass.errors import ExitCode, WindlassError
from windlass.targets.argo.failures import told_of

__all__ = ["alarm_command"]


@click.command("alarm")
@click.argument("pipeline")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path),
    required=True,
    help="Read the plan from this file, as an export or `windlass compile` writes it.",
)
@click.pass_obj
def alarm_command(app: App, pipeline: str, plan_file: Path) -> int:
    """Alert the connections of `on_failure` that a run of PIPELINE has failed.

    Which run it is comes from the environment, as for `windlass exec`, and what failed from WINDLASS_FAILURES, in the form of
    Argo's `workflow.failures`.
    """
    from windlass.alerts.delivery import deliver
    from windlass.api.planning import read_plan
    from windlass.cli.planned import params_of_run
    from windlass.tasks.executing import context_of

    project = app.project
    plan = read_plan(plan_file, pipeline, params_of_run())
    context = context_of(plan, plan.tasks[0].name, project, os.environ)
    message = Message(
        event="failure",
        project=plan.project,
        pipeline=plan.pipeline,
        run_id=context.run_id,
        logical_date=context.dates.logical_date.isoformat(),
        told=tuple(told_of(plan, os.environ.get("WINDLASS_FAILURES") or "[]")),
    )
    untold = 0
    for name in plan.on_failure:
        try:
            deliver(message, name, plan.connections[name], project)
        except WindlassError as exc:  # the others shall know
            untold += 1
            logs.error("alert_not_sent", connection=name, because=exc.message)
    return int(ExitCode.RETRYABLE) if untold else 0
