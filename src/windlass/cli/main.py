"""The `windlass` command. Commands are imported when they are called, so `--help` answers at once."""

from __future__ import annotations

import atexit
import gc
import io
import os
import re
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from windlass import __version__, logs
from windlass.cli.echo import echo
from windlass.stopping import StoppedError, ignore_requests, in_place_of

if TYPE_CHECKING:
    from windlass.errors import WindlassError

__all__ = ["App", "cli", "end", "error_mark", "main", "say"]

_MUCH_GARBAGE = 100_000  # objects

# name: (module, what `--help` says of it)
COMMANDS = {
    "init": ("project", "Create a project that runs as it is."),
    "import": ("importing", "Generate a pipeline from an OpenAPI document or a low-code manifest."),
    "validate": ("project", "Check every file of the project."),
    "graph": ("project", "Show a pipeline as text, Mermaid or SVG."),
    "compile": ("project", "Show what a pipeline compiles to."),
    "schema": ("project", "Print the JSON Schema of the files, for editors."),
    "run": ("run", "Run a pipeline on this machine."),
    "test": ("test", "Run pipelines on given inputs and compare the results."),
    "backfill": ("backfill", "Run a pipeline for each date of a range that has not succeeded yet."),
    "exec": ("exec", "Execute one task, as every scheduler does."),
    "alarm": ("alarm", "Send the alert that a scheduler's run has failed."),
    "scripts": ("scripts", "Write the commands of a pipeline as shell scripts, for pods."),
    "copy": ("copy", "Copy a file or table to another, once."),
    "query": ("query", "Show rows of a table or file, or the result of a query."),
    "runs": ("history", "List past runs."),
    "logs": ("history", "Show the log of a run, or of one task."),
    "report": ("history", "Write the HTML report of a run."),
    "freshness": ("freshness", "Check which pipelines are overdue, and send alerts."),
    "docs": ("docs", "Write a page for every pipeline, and a board of all of them."),
    "build": ("build", "Build the images of the steps that have changed."),
    "diff": ("diff", "Show how a change affects pipelines, tables and images."),
    "export": ("export", "Write what a scheduler needs to run the pipelines."),
    "quarantine": ("quarantine", "List, show and replay rows that could not be loaded."),
    "up": ("up", "Start Airflow here, with every pipeline of the project in it."),
    "down": ("up", "Stop what `up` has started."),
    "status": ("up", "Show the state of what `up` has started, or a board of all pipelines."),
    "connections": ("connections", "List connections and where each is configured, or test them."),
    "doctor": ("connections", "Check whether this machine has what windlass needs."),
    "explain": ("explain", "Explain an error code: what it means and what to do."),
    "completion": ("project", "Print the completion script of a shell."),
}


class App:
    """What every command gets: the folder that `-C` names, and whether to show tracebacks."""

    def __init__(self, folder: Path, *, debug: bool) -> None:
        self.folder, self.debug = folder, debug

    @property
    def project(self) -> Path:
        """The project that the folder is in, its secrets masked from now on. Raises UsageError when there is none."""
        from windlass.connections import hide_secrets
        from windlass.errors import UsageError
        from windlass.project_folder import find_project

        if not self.folder.is_dir():
            raise UsageError(f"-C {self.folder}: there is no such folder")
        project = find_project(self.folder.resolve())
        hide_secrets(os.environ, project)
        return project


class LazyGroup(click.Group):
    """A group whose commands are imported by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"windlass.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as exc:
            from windlass.errors import UsageError, did_you_mean

            hint = did_you_mean(args[0], COMMANDS)
            raise UsageError(f"there is no command {args[0]!r}", hint=hint or "see: windlass --help") from exc

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Like click's own, but without importing every command for a line of help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="The project's folder, or a folder inside it. Default: the current folder.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(__version__, prog_name="windlass")
@click.pass_context
def cli(ctx: click.Context, folder: Path, *, debug: bool) -> None:
    """One pipeline file; any language inside, any scheduler outside.

    Exit codes: 0 success, 1 a task failed, 2 usage or invalid files, 3 may work later, above 128 stopped.
    """
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        ctx.color = False
    logs.emit_to(logs.json_lines(sys.stderr))
    ctx.obj = App(folder, debug=debug)


def main() -> NoReturn:
    """Run the command line, and end the process; every failure becomes a message and an exit code."""
    _open_standard_streams()
    _speak_utf8()
    gc.set_threshold(_MUCH_GARBAGE)  # a short command ends before there is any worth looking for
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except BaseException as exc:
        code = say(in_place_of(exc))
    end(code if isinstance(code, int) else 0)


def end(code: int) -> NoReturn:
    """End at once: to take the interpreter apart takes as long as a small copy, and helps nobody."""
    ignore_requests()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads it any more
            stream.flush()
    os._exit(code)


def _open_standard_streams() -> None:
    """Who closes our stdout or stderr (`>&-`) wants silence; no file of ours may take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", closefd=False))


def _speak_utf8() -> None:
    """Records and documents are UTF-8, whatever the locale; a terminal gets what it can show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def say(exc: BaseException) -> int:
    """Say what ended the command. Returns its exit code."""
    if isinstance(exc, StoppedError):
        echo(str(exc), err=True)
        return exc.exit_code
    if isinstance(exc, SystemExit):  # of click, when nobody reads our output any more
        return exc.code if isinstance(exc.code, int) else 1

    if "--debug" in sys.argv:
        import traceback

        echo(logs.mask("".join(traceback.format_exception(exc))), err=True, nl=False)
    error = _as_ours(exc)
    colour = False if os.environ.get("NO_COLOR") else None
    echo(logs.mask(_shown(error)), err=True, color=colour)
    if isinstance(exc, OSError):  # what is left of our output may be what cannot be written
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return int(error.exit_code)


def _as_ours(exc: BaseException) -> WindlassError:
    from windlass.errors import UsageError, as_error

    if not isinstance(exc, click.ClickException):
        return as_error(exc)
    context = getattr(exc, "ctx", None)
    path = context.command_path if context else "windlass"
    message = exc.format_message().rstrip(".")
    return UsageError(message[:1].lower() + message[1:], hint=_near_choice(exc) or f"see: {path} --help")


def _near_choice(exc: click.ClickException) -> str | None:
    """What may have been meant by a word that is not one of an option's."""
    from windlass.errors import near_word

    kind = getattr(getattr(exc, "param", None), "type", None)
    written = re.search(r"'([^']*)' is not one of", exc.format_message())
    if not isinstance(kind, click.Choice) or written is None:
        return None
    return near_word(written[1], map(str, kind.choices))


def _shown(error: WindlassError) -> str:
    """An error as people see it: its code first, which `windlass explain` takes."""
    from windlass.errors import SpecError

    if isinstance(error, SpecError):  # each of its problems has one
        return str(error)
    return f"{error_mark(error.code)} {error}"


def error_mark(code: str) -> str:
    """What an error begins with on a terminal."""
    return click.style(f"error[{code}]:", fg="red", bold=True)
