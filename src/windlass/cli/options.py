"""Options that several commands have, and what completes their values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from windlass.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from windlass.spec import PipelineFile

__all__ = [
    "arguments_as_options",
    "complete_connection",
    "complete_end",
    "complete_pipeline",
    "complete_run",
    "complete_task",
    "json_option",
    "memory_option",
    "parse_params",
]

_OPTION = re.compile(r"`([a-z_]+)`")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
memory_option = click.option(
    "--memory", metavar="SIZE", help="The memory that a copy may use, such as 2GB. Default: 512MB."
)


@contextmanager
def arguments_as_options() -> Iterator[None]:
    """Show the arguments that an error of the API names as the options that they are here."""
    try:
        yield
    except UsageError as exc:
        message, hint = (_OPTION.sub(_option, text) if text else text for text in (exc.message, exc.hint))
        raise UsageError(str(message), hint=hint, code=exc.code) from exc.__cause__


def _option(argument: re.Match[str]) -> str:
    return f"--{argument[1].replace('_', '-')}"


def parse_params(params: tuple[str, ...], as_json: str | None = None) -> dict[str, object]:
    """`NAME=VALUE` pairs, as text: the parameter's type says what it means. Raises UsageError."""
    values = _json_object(as_json) if as_json else {}
    for text in params:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--param {text!r}: expected NAME=VALUE")
        values[name] = value
    return values


def _json_object(text: str) -> dict[str, object]:
    try:
        values = json.loads(text)
    except ValueError as exc:
        raise UsageError(f"--params-json: not JSON: {exc}") from exc
    if not isinstance(values, dict):
        raise UsageError("--params-json: expected a JSON object")
    return values


def complete_pipeline(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    pipelines = _project_files(ctx)
    return [
        CompletionItem(name, help=file.spec.description or None)
        for name, file in sorted(pipelines.items())
        if name.startswith(incomplete)
    ]


def complete_task(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    pipelines = _project_files(ctx)
    # behind an option that still waits for its value, click has not yet parsed the arguments
    named = str(ctx.params.get("pipeline") or ctx.params.get("run") or next(iter(ctx.args), ""))
    chosen = [file for name, file in pipelines.items() if named == name or named.startswith(f"{name}-")]
    names = sorted({name for file in chosen or pipelines.values() for name in file.spec.tasks})
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_connection(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from windlass.errors import WindlassError
    from windlass.project_folder import find_project
    from windlass.spec import load_project

    try:
        connections = load_project(find_project(_folder(ctx))).spec.connections
    except WindlassError:
        return []
    return [CompletionItem(n, help=c.type) for n, c in connections.items() if n.startswith(incomplete)]


def complete_end(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files, and the connections of the project."""
    from click.shell_completion import CompletionItem

    from windlass.errors import WindlassError
    from windlass.project_folder import find_project
    from windlass.spec import load_project_file

    try:
        connections = load_project_file(find_project(_folder(ctx))).connections
    except WindlassError:
        connections = {}
    named = [CompletionItem(f"{n}:", help=c.type) for n, c in connections.items() if n.startswith(incomplete)]
    return [CompletionItem(incomplete, type="file"), *named]


def complete_run(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from windlass.errors import WindlassError
    from windlass.project_folder import find_project
    from windlass.runner.history import History
    from windlass.state_folder import StateFolder

    try:
        runs = History(StateFolder.of(find_project(_folder(ctx)))).runs(limit=50)
    except WindlassError:
        return []
    return [CompletionItem(r.run_id, help=r.status) for r in runs if r.run_id.startswith(incomplete)]


def _project_files(ctx: click.Context) -> dict[str, PipelineFile]:
    from windlass.errors import WindlassError
    from windlass.project_folder import find_project
    from windlass.spec import load_project

    try:
        return load_project(find_project(_folder(ctx))).pipelines
    except WindlassError:
        return {}


def _folder(ctx: click.Context) -> Path:
    """What -C says; while completing, the group has not run and there is no App yet."""
    folder = ctx.find_root().params.get("folder")
    return (folder or Path()).resolve()
