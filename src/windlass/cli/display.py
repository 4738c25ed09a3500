"""What people and machines see of a run: live progress and log lines on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO

import click

from windlass import logs
from windlass.cli.echo import echo, echo_json
from windlass.plan.model import Plan
from windlass.printable import printable
from windlass.runner.events import Observer, Progress, SilentObserver
from windlass.runner.history import AlertRecord, Run, TaskRun
from windlass.runtimes.lines import Logged
from windlass.status import Status
from windlass.units import counted, duration, number, size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from windlass.runner import Result

__all__ = [
    "TerminalLog",
    "display_for",
    "print_result",
    "print_table",
    "result_document",
    "task_document",
]

_STYLES: dict[str, str] = {
    Status.SUCCESS: "green",
    Status.FAILED: "bold red",
    Status.UPSTREAM_FAILED: "red",
    Status.CANCELLED: "yellow",
    Status.SKIPPED: "dim",
    Status.RUNNING: "cyan",
    Status.UP_FOR_RETRY: "yellow",
    Status.PENDING: "dim",
}
_MOST_LINES = 200  # at once: more than anybody sees, and a terminal is slower than a step
_LONGEST_STATE = 80
_LEVELS = {"debug": "dim", "info": "default", "warning": "yellow", "error": "red"}
_CONTEXT = ("time", "level", "run", "pipeline", "task", "attempt", "event")
_FOR_RUNNERS = (
    "retryable",
    "detail",
)  # what a record tells the runner besides; the result shows it to people


@contextmanager
def display_for(*, quiet: bool = False) -> Iterator[Observer]:
    """The display that suits stderr: live on a terminal, JSON lines elsewhere."""
    if quiet:
        logs.emit_to(logs.json_lines(sys.stdout))
        yield _JsonDisplay(sys.stdout)
    elif sys.stderr.isatty():
        with _TerminalDisplay() as display:
            logs.emit_to(display.show)
            yield display
    else:
        yield _JsonDisplay(sys.stderr)


# --- machines ------------------------------------------------------------------------------------


_LEVEL_OF_TASK = {
    Status.FAILED: "error",
    Status.UP_FOR_RETRY: "warning",
    Status.UPSTREAM_FAILED: "warning",
    Status.CANCELLED: "warning",
}


class _JsonDisplay(SilentObserver):
    """One JSON object a line: the tasks' records, and what becomes of each task."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def log(self, logged: Sequence[Logged]) -> None:
        with suppress(OSError, ValueError):  # whoever stops reading stops no run
            self._stream.write("".join(line for _, line in logged))
            self._stream.flush()

    def task_changed(self, task: TaskRun) -> None:
        logs.event(
            _LEVEL_OF_TASK.get(task.status, "info"),
            "task",
            task=task.task,
            status=task.status,
            attempts=task.attempts,
            error=task.error,
            code=task.code,
        )


# --- people --------------------------------------------------------------------------------------


class TerminalLog:
    """Log records as readable, coloured lines."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self.console = console or Console(stderr=True, highlight=False)

    def show(self, record: logs.Record) -> None:
        from rich.text import Text

        clock = str(record.get("time", ""))[11:19]
        line = Text(f"{clock} ", style="dim")
        if record.get("task"):
            line.append(f"{printable(str(record['task']))} ", style="cyan")
        style = _LEVELS.get(str(record.get("level")), "default")
        if record.get("event") == "output":
            line.append(printable(str(record.get("message", ""))), style=style)
        else:
            line.append(
                printable(str(record.get("event", ""))),
                style=f"bold {style}" if style != "default" else "bold",
            )
            for key, value in record.items():
                if key not in (*_CONTEXT, *_FOR_RUNNERS) and value not in (None, {}, []):
                    line.append(f" {printable(key)}=", style="dim")
                    line.append(_short(value), style=style)
        self.console.print(line, soft_wrap=True)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = printable(text.partition("\n")[0])  # the result has the rest
    return text if len(text) <= 300 else text[:297] + "…"


class _TerminalDisplay(SilentObserver):
    """A line a task with a spinner, rows, bytes, rate and remaining time; log lines scroll by above."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bars
        from rich.progress import ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True, highlight=False)
        self._log = TerminalLog(self._console)
        columns: list[ProgressColumn] = [
            SpinnerColumn(finished_text=" "),
            TextColumn("[bold]{task.description}"),
            TextColumn("[{task.fields[style]}]{task.fields[status]}"),
            TextColumn("{task.fields[moved]}"),
            TimeElapsedColumn(),
        ]
        self._bars = Bars(*columns, console=self._console, transient=True)
        self._ids: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def run_started(self, run: Run, plan: Plan) -> None:
        self._console.print(f"[bold]{run.pipeline}[/bold] [dim]{run.run_id}[/dim]")

    def task_changed(self, task: TaskRun) -> None:
        with self._lock:
            if task.status == Status.PENDING:
                return
            if task.task not in self._ids:
                self._ids[task.task] = self._bars.add_task(
                    task.task, total=None, status="", style="dim", moved=""
                )
            style = _STYLES.get(task.status, "default")
            done = task.status not in (Status.RUNNING, Status.UP_FOR_RETRY)
            moved = _moved(task.rows_written, task.bytes) if done else ""
            fields: dict[str, Any] = {"status": task.status, "style": style, "moved": moved}
            self._bars.update(
                self._ids[task.task], total=1 if done else None, completed=1 if done else 0, **fields
            )

    def progress(self, task: str, progress: Progress) -> None:
        with self._lock:
            bar = self._ids.get(task)
            if bar is None:
                return
            elapsed = self._bars.tasks[self._bars.task_ids.index(bar)].elapsed or 0
            self._bars.update(bar, moved=_moving(progress, elapsed))

    def log(self, logged: Sequence[Logged]) -> None:
        left_out = max(len(logged) - _MOST_LINES, 0)
        if left_out:
            self._console.print(f"[dim]… {left_out:,} lines, which are in the log[/dim]")
        for record, _ in logged[left_out:]:
            self.show(record)

    def show(self, record: logs.Record) -> None:
        if record.get("event") not in ("task", "retry") and record.get("level") != "debug":
            self._log.show(record)


def _moved(rows: int | None, moved: int | None) -> str:
    return "  ".join(text for text in (counted(rows, "row") if rows is not None else "", size(moved)) if text)


def _moving(progress: Progress, elapsed: float) -> str:
    """Rows and bytes so far, the rate, and how long it will still take; or what the task says itself."""
    if progress.said:
        from rich.markup import escape

        return escape(printable(progress.said)[-_LONGEST_STATE:])
    parts = [_moved(progress.rows or None, progress.bytes)]
    if elapsed > 0 and progress.bytes:
        rate = progress.bytes / elapsed
        parts.append(f"{size(int(rate))}/s")
        if progress.total:
            parts.append(f"{duration((progress.total - progress.bytes) / rate)} left")
    return "  ".join(part for part in parts if part)


# --- results -------------------------------------------------------------------------------------

_TASK_KEYS = (
    "task",
    "kind",
    "status",
    "attempts",
    "rows_read",
    "rows_written",
    "rows_quarantined",
    "bytes",
    "seconds",
    "path",
    "columns_added",
    "columns_missing",
    "columns_widened",
    "requests",
    "cost",
    "error",
    "code",
)


_ALERT_KEYS = ("connection", "event", "subject", "sent", "attempts", "error", "code")


def result_document(result: Result) -> dict[str, Any]:
    """What `windlass run --json` prints."""
    run = result.run
    return {
        "run_id": run.run_id,
        "pipeline": run.pipeline,
        "status": run.status,
        "seconds": run.seconds or 0.0,
        "dev_services": run.dev_services,
        "tasks": [task_document(task) for task in result.tasks],
        "alerts": [alert_document(alert) for alert in result.alerts],
    }


def alert_document(alert: AlertRecord) -> dict[str, Any]:
    """Who was told of what, as `--json` prints it."""
    return {key: getattr(alert, key) for key in _ALERT_KEYS}


def task_document(task: TaskRun) -> dict[str, Any]:
    """A task run, as `--json` prints it."""
    return {key: getattr(task, key) for key in _TASK_KEYS}


def print_result(
    result: Result,
    report: Path | None,
    places: Mapping[str, str] | None = None,
    messages: Mapping[str, Path] | None = None,
    *,
    as_json: bool,
) -> None:
    """The end of a run, on stdout. `places` says of tasks that failed where in the pipeline file that comes from,
    `messages` of dev services where they keep what they were told."""
    if as_json:
        document = result_document(result) | {"report": str(report) if report else None}
        echo_json(json.dumps(document, indent=2))
        return
    rows = [_row(result.run.pipeline, task) for task in result.tasks]
    print_table(
        ("pipeline", "task", "status", "read", "written", "quarantined", "bytes", "seconds", "path"), rows
    )
    for task in result.tasks:
        if task.error and task.status in (Status.FAILED, Status.CANCELLED):
            code = f"error[{task.code}]: " if task.code else ""
            echo(f"\n{click.style(task.task, bold=True)}: {code}{task.error}")
            if places and task.task in places:
                echo(f"  at {places[task.task]}")
        if task.columns_changed:
            echo(f"\n{click.style(task.task, bold=True)}: {task.columns_changed}")
        if task.cost_told:
            echo(f"\n{click.style(task.task, bold=True)}: {task.cost_told}")
        for row in task.detail.get("bad_rows", ())[:3]:
            line = f":{row['line']}" if row.get("line") else ""
            told = f"{row['source']}{line}: {row['message']}"
            echo(f"\n{click.style(task.task, bold=True)}: quarantined {told}")
    echo(f"\n{result.run.run_id}: {_styled(result.run.status)} in {duration(result.run.seconds or 0.0)}")
    if result.run.dev_services:
        names = ", ".join(f"{name} ({kind})" for name, kind in result.run.dev_services.items())
        echo(f"dev services stood in for: {names}")
    for name, file in (messages or {}).items():
        echo(f"messages to {name} are in {file}")
    for alert in result.alerts:
        if alert.sent is None:
            echo(f"{alert.connection} was not told of the {alert.event}: error[{alert.code}]: {alert.error}")
    if report is not None:
        echo(f"report: {report}")
    if result.run.status != Status.SUCCESS:
        echo(f"again, only what did not succeed: windlass run --resume {result.run.run_id}")


def _row(pipeline: str, task: TaskRun) -> tuple[str, ...]:
    return (
        pipeline,
        task.task,
        task.status,
        number(task.rows_read),
        number(task.rows_written),
        number(task.rows_quarantined),
        size(task.bytes),
        f"{task.seconds:.1f}" if task.seconds is not None else "",
        task.path or "",
    )


def print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as they need to be; numbers to the right."""
    rows = [tuple(map(printable, row)) for row in rows]
    numeric = {"read", "written", "quarantined", "bytes", "seconds", "rows", "tasks", "attempts"}
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(row: tuple[str, ...], *, head: bool = False) -> str:
        cells = [
            text.rjust(width) if name in numeric else text.ljust(width)
            for text, width, name in zip(row, widths, header, strict=True)
        ]
        if head:
            return click.style("  ".join(cells).rstrip(), bold=True)
        return "  ".join(_styled(c, c.strip()) if c.strip() in _STYLES else c for c in cells).rstrip()

    echo(line(header, head=True))
    for row in rows:
        echo(line(row))


def _styled(text: str, status: str | None = None) -> str:
    style = _STYLES.get(status or text, "")
    colour = next((word for word in style.split() if word not in ("bold", "dim", "default")), None)
    return click.style(text, fg=colour, bold="bold" in style, dim="dim" in style)
