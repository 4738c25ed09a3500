"""`windlass freshness`: which pipelines have not succeeded in time."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from windlass.cli.echo import echo, echo_json
from windlass.cli.main import App
from windlass.cli.options import complete_pipeline, json_option
from windlass.errors import ExitCode
from windlass.units import duration

__all__ = ["freshness_command"]


@click.command("freshness")
@click.argument("pipelines", nargs=-1, shell_complete=complete_pipeline)
@click.option("--no-alerts", "silent", is_flag=True, help="Only check; send no alerts.")
@json_option
@click.pass_obj
def freshness_command(app: App, pipelines: tuple[str, ...], *, silent: bool, as_json: bool) -> int:
    """Check whether PIPELINES, or all, have succeeded within the time that their `freshness` allows, and alert `on_missed` about
    those that have not. Meant to be run by cron every few minutes. The exit code is 1 if one is late.
    """
    from windlass.api.freshness import freshness
    from windlass.cli.display import alert_document, print_table

    found = freshness(app.project, pipelines, tell=not silent)
    if as_json:
        documents = [asdict(r) | {"alerts": [alert_document(alert) for alert in r.alerts]} for r in found]
        echo_json(json.dumps(documents, indent=2))
    elif not found:
        echo("no pipeline says `freshness`")
    else:
        rows = [
            (r.pipeline, r.state, duration(r.within), duration(r.age) if r.age is not None else "")
            for r in found
        ]
        print_table(("pipeline", "state", "within", "age"), rows)
    for alert in (alert for result in found for alert in result.alerts if alert.sent is None):
        echo(
            f"{alert.connection} was not told of {alert.subject}: error[{alert.code}]: {alert.error}",
            err=True,
        )
    return int(ExitCode.FAILED if any(result.state == "late" for result in found) else ExitCode.SUCCESS)
