"""`windlass backfill`: the runs of a range of dates."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from windlass.cli.echo import echo, echo_json
from windlass.cli.main import App
from windlass.cli.options import (
    arguments_as_options,
    complete_backfill_target,
    complete_pipeline,
    json_option,
    memory_option,
    parse_params,
)
from windlass.errors import UsageError
from windlass.units import duration

if TYPE_CHECKING:
    from windlass.api.results import BackfillRunResult

__all__ = ["backfill_command"]


@click.command("backfill")
@click.argument("pipeline", required=False, shell_complete=complete_pipeline)
@click.option("--from", "start", required=True, metavar="DATE", help="The first date.")
@click.option("--to", "end", required=True, metavar="DATE", help="The last date, inclusive.")
@click.option(
    "--parallel", type=click.IntRange(1, 64), default=1, show_default=True, help="How many runs at once."
)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a parameter. Repeatable.")
@click.option("--again", is_flag=True, help="Also run dates that have succeeded.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option(
    "--as",
    "target",
    metavar="TARGET",
    shell_complete=complete_backfill_target,
    help="Run nothing: print the runs for this scheduler, such as argo.",
)
@memory_option
@json_option
@click.pass_obj
def backfill_command(
    app: App,
    pipeline: str | None,
    start: str,
    end: str,
    parallel: int,
    params: tuple[str, ...],
    target: str | None,
    memory: str | None,
    *,
    again: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run PIPELINE for each date of its schedule from one date to another, as the scheduler would have.

    Dates that have succeeded are skipped, and runs that failed or were stopped are resumed, so after an interruption the
    same command continues where it stopped. A date that fails does not stop the others.
    """
    from windlass.api.backfilling import backfill, backfill_of_scheduler

    if target is not None:
        if again or dry_run or as_json or memory is not None:
            raise UsageError("--as takes no --again, --dry-run, --json or --memory: nothing is run here")
        given = parse_params(params)
        with arguments_as_options():
            text = backfill_of_scheduler(
                target, app.project, pipeline, start=start, end=end, params=given, parallel=parallel
            )
        echo(text.rstrip("\n"))
        return 0
    begun = time.monotonic()
    with arguments_as_options():
        ended = backfill(
            app.project,
            pipeline,
            start=start,
            end=end,
            params=parse_params(params),
            parallel=parallel,
            again=again,
            dry_run=dry_run,
            memory=memory,
            done=_telling(),
        )
    if as_json:
        echo_json(json.dumps({"runs": [_document(each) for each in ended]}, indent=2))
    else:
        _print(ended, time.monotonic() - begun, dry_run=dry_run)
    return _exit_code(ended)


def _telling() -> Callable[[BackfillRunResult], None]:
    """What tells, on a terminal, of each run that has ended."""
    lock = threading.Lock()

    def tell(ended: BackfillRunResult) -> None:
        if sys.stderr.isatty() and ended.todo != "done":
            with lock:
                echo(f"{_date(ended)}: {ended.status}", err=True)

    return tell


def _print(ended: Sequence[BackfillRunResult], seconds: float, *, dry_run: bool) -> None:
    from windlass.cli.display import print_table

    rows = [
        (
            _date(each),
            each.todo,
            str(each.status or ""),
            f"{each.seconds:.1f}" if each.seconds is not None and each.todo != "done" else "",
            each.run_id or "",
        )
        for each in ended
    ]
    print_table(("logical date", "to do", "status", "seconds", "run"), rows)
    for each in ended:
        if each.error:
            echo(f"\n{click.style(_date(each), bold=True)}: {each.error}")
    told = [f"{sum(each.todo == todo for each in ended)} {what}" for todo, what in _WHAT if _has(ended, todo)]
    echo(f"\n{', '.join(told)}" + ("" if dry_run else f" in {duration(seconds)}"))
    failed = sum(each.exit_code != 0 for each in ended)
    if failed:
        echo(f"{failed} failed; the same command resumes them")


_WHAT = (("run", "to run"), ("resume", "to resume"), ("done", "done before"))


def _has(ended: Sequence[BackfillRunResult], todo: str) -> bool:
    return any(each.todo == todo for each in ended)


def _date(ended: BackfillRunResult) -> str:
    text = ended.logical_date.isoformat()
    return text.removesuffix("+00:00").removesuffix("T00:00:00") if text.endswith("+00:00") else text


def _document(ended: BackfillRunResult) -> dict[str, object]:
    return {
        "logical_date": ended.logical_date.isoformat(),
        "todo": ended.todo,
        "run_id": ended.run_id,
        "status": ended.status,
        "seconds": ended.seconds,
        "error": ended.error,
    }


def _exit_code(ended: Sequence[BackfillRunResult]) -> int:
    """That of the failures: what may work later only if all of them may."""
    return min((each.exit_code for each in ended if each.exit_code), default=0)
