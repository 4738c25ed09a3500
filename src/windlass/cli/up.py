"""`windlass up`, `windlass down` and `windlass status`: a real Airflow on this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from windlass.cli.echo import echo, echo_json
from windlass.cli.main import App
from windlass.cli.options import json_option
from windlass.errors import UsageError
from windlass.stack.layout import State

if TYPE_CHECKING:
    from windlass.stack.layout import ComponentState, Stack, WorkerState

__all__ = ["down_command", "status_command", "up_command"]

_COLOURS = {
    State.HEALTHY: "green",
    State.DONE: "green",
    State.UNHEALTHY: "red",
    State.ENDED: "red",
    State.MISSING: "yellow",
}
_PORT = click.IntRange(1, 65535)
_WORKERS, _MOST_WORKERS = 2, 16


@click.command("up")
@click.option("--detach", is_flag=True, help="Return once everything is healthy, and leave it running.")
@click.option("--pgadmin", is_flag=True, help="Start pgAdmin, too, with every Postgres connection in it.")
@click.option(
    "--executor",
    type=click.Choice(["local", "celery"]),
    default="local",
    show_default=True,
    help="Where tasks run: as processes of the scheduler, or on Celery workers with a broker.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, _MOST_WORKERS),
    help="The number of Celery workers to start. Default: 2.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where Airflow and pgAdmin keep their data. Default: .windlass/up.",
)
@click.option("--port", type=_PORT, default=5884, show_default=True, help="The port of the Airflow UI.")
@click.option(
    "--pgadmin-port", type=_PORT, default=16543, show_default=True, help="The port of the pgAdmin UI."
)
@click.option("--supervise", is_flag=True, hidden=True, help="Be the process that --detach leaves behind.")
@click.pass_obj
def up_command(
    app: App,
    executor: str,
    workers: int | None,
    home: Path | None,
    port: int,
    pgadmin_port: int,
    *,
    detach: bool,
    pgadmin: bool,
    supervise: bool,
) -> int:
    """Start Airflow here, with every pipeline of the project in it, and what the pipelines need.

    A connection that is not configured becomes a dev service, which is shared with `windlass run`. Edits take effect
    within seconds; while a file is invalid, the last valid plan stays in use. Ctrl-C stops everything.
    """
    from windlass.stack import control
    from windlass.stack.keys import Keys
    from windlass.stack.layout import Layout
    from windlass.stack.supervisor import StackOptions, Supervisor

    if workers and executor != "celery":
        raise UsageError("--workers is for Celery", hint="say --executor celery, too")
    layout = Layout.of(app.project, home)
    running = control.look(layout)
    if running is not None:
        echo(f"up already: {running.page}")
        return 0
    count = (workers or _WORKERS) if executor == "celery" else 0
    options = StackOptions(layout, port, pgadmin, pgadmin_port, count)
    control.preflight(options)
    layout.make()
    keys, new = Keys.kept_in(layout.keys)
    with _display(supervise=supervise) as display:
        if detach:
            command = ["-C", str(layout.project), "up", "--supervise", "--home", str(layout.home)]
            command += ["--port", str(port), "--pgadmin-port", str(pgadmin_port)]
            command += ["--executor", executor, *(["--workers", str(count)] if count else [])]
            stack = control.detach([*command, *(["--pgadmin"] if pgadmin else [])], layout, display)
            display.ready(stack, layout.keys, keys.admin_password if new else None)
        else:
            password = keys.admin_password if new and not supervise else None
            Supervisor(options, keys, display).run(lambda stack: display.ready(stack, layout.keys, password))
    return 0


@click.command("down")
@click.pass_obj
def down_command(app: App) -> int:
    """Stop everything that `up` has started, and wait until it has ended."""
    from windlass.stack import control
    from windlass.stack.layout import Layout

    echo("down" if control.down(Layout.of(app.project)) else "nothing is up")
    return 0


@click.command("status")
@click.option(
    "--board",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the state of all pipelines, by their last runs, as one HTML file instead.",
)
@json_option
@click.pass_obj
def status_command(app: App, board: Path | None, *, as_json: bool) -> int:
    """Show the state of what `up` has started. The exit code is 0 if everything is healthy.

    With --board, write the state of all pipelines into one HTML file, and print its path.
    """
    if board is not None:
        return _write_board(app, board, as_json=as_json)
    from windlass.cli.display import print_table
    from windlass.stack import control
    from windlass.stack.layout import Layout

    stack = control.look(Layout.of(app.project))
    if as_json:
        echo_json(json.dumps({"up": stack is not None, **(stack.to_json() if stack else {})}, indent=2))
    elif stack is None:
        echo("nothing is up")
    else:
        rows = [(part.name, part.state, str(part.pid or ""), part.address) for part in stack.parts]
        print_table(("part", "state", "pid", "address"), rows)
        if stack.workers:
            echo("")
            print_table(
                ("worker", "queues", "tasks", "running", "restarts"), list(map(_worker_row, stack.workers))
            )
        if stack.problems:
            echo(f"\nthe last good plan is in use:\n{stack.problems}")
    return 0 if stack is not None and stack.state == State.HEALTHY else 1


def _write_board(app: App, file: Path, *, as_json: bool) -> int:
    from windlass.catalog import write_board

    written = write_board(app.project, file)
    if as_json:
        echo_json(json.dumps({"board": str(written)}, indent=2))
    else:
        echo(str(written))
    return 0


def _worker_row(worker: WorkerState) -> tuple[str, ...]:
    tasks = f"{len(worker.running)} of {worker.slots}"
    running = ", ".join(map(str, worker.running))
    return (worker.name, ", ".join(worker.queues), tasks, running, str(worker.restarts))


# --- what people see while it starts ----------------------------------------------------------------


class _Lines:
    """A line for each part when it starts and when it is healthy. Implements the supervisor's `Observer`."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def changed(self, stack: Stack) -> None:
        for part in stack.parts:
            if self._shown.get(part.name) != part.state:
                self._shown[part.name] = part.state
                self.show(part)

    def show(self, part: ComponentState) -> None:
        echo(_line(part), err=True)

    def say(self, text: str, *, warning: bool = False) -> None:
        echo(click.style(text, fg="yellow" if warning else None), err=True)

    def ready(self, stack: Stack, keys: Path, password: str | None) -> None:
        """Say where everything is; the password only when it has just been made."""
        known = f"password {password}" if password else "password"
        echo(f"\nAirflow   {stack.page}   user admin, {known} (kept in {keys})")
        if stack.pgadmin:
            from windlass.stack.pgadmin import USER

            echo(f"pgAdmin   {stack.pgadmin}   user {USER}, the same password")
        sys.stdout.flush()


class _Terminal(_Lines):
    """A line for each part, with a spinner until it is healthy."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(finished_text=" "), TextColumn("{task.description}"), TimeElapsedColumn())
        self.bars = Progress(*columns, console=Console(stderr=True, highlight=False), transient=True)
        self._ids: dict[str, object] = {}

    def show(self, part: ComponentState) -> None:
        if part.state == State.STARTING and self.bars.live.is_started:
            self._ids[part.name] = self.bars.add_task(part.name, total=None)
            return
        if part.name in self._ids:
            self.bars.remove_task(self._ids.pop(part.name))  # type: ignore[arg-type]
        self.bars.console.print(_line(part), markup=False, soft_wrap=True)

    def ready(self, stack: Stack, keys: Path, password: str | None) -> None:
        self.bars.stop()
        super().ready(stack, keys, password)


@contextmanager
def _display(*, supervise: bool) -> Iterator[_Lines]:
    from windlass import logs

    logs.emit_to(lambda _: None)  # the parts say the same, and better
    if supervise or not sys.stderr.isatty():
        yield _Lines()
    else:
        display = _Terminal()
        with display.bars:
            yield display


def _line(part: ComponentState) -> str:
    seconds = f" after {part.seconds:.1f} s" if part.seconds is not None else ""
    state = click.style(part.state, fg=_COLOURS.get(part.state)) + seconds
    return f"{part.name:<24} {state}" + (f"   {part.address}" if part.address else "")
