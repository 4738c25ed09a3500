"""Options that several commands have, and what completes their values."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from windlass.errors import UsageError, WindlassError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from windlass.spec import PipelineFile

__all__ = [
    "arguments_as_options",
    "complete_backfill_target",
    "complete_connection",
    "complete_end",
    "complete_pipeline",
    "complete_rehearsal_target",
    "complete_run",
    "complete_runtime",
    "complete_task",
    "json_option",
    "memory_option",
    "parse_params",
]

_OPTION = re.compile(r"`([a-z_]+)`")
_KEY = re.compile(r"`(?:csv: )?\{?([a-z_]+):(?: ([^`{}]+))?\}?`")  # of a pipeline file, with its value
_OTHERWISE = {"format": "--from-format or --to-format", "header: false": "--no-header"}

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
memory_option = click.option(
    "--memory", metavar="SIZE", help="The memory a copy may use, such as 2GB. Default: 512MB."
)


@contextmanager
def arguments_as_options() -> Iterator[None]:
    """Show the arguments and keys that an error names as the options of the command that they are here."""
    try:
        yield
    except WindlassError as exc:
        command = click.get_current_context().command
        known = {name for option in command.params for name in option.opts}
        values = {
            v
            for option in command.params
            if isinstance(option.type, click.Choice)
            for v in option.type.choices
        }

        def shown(text: str) -> str:
            text = _OPTION.sub(lambda m: _option(m, known), _KEY.sub(lambda m: _key(m, known), text))
            return _OPTION.sub(lambda m: m[1] if m[1] in values else m[0], text)

        exc.message, exc.hint = shown(exc.message), shown(exc.hint) if exc.hint else exc.hint
        exc.args = (exc.message, *exc.args[1:])
        raise


def _option(argument: re.Match[str], known: Collection[str]) -> str:
    """`on_bad_row` is --on-bad-row where the command has that."""
    return _named(argument[1], "", known) or argument[0]


def _key(key: re.Match[str], known: Collection[str]) -> str:
    """`on_bad_row: quarantine` is --on-bad-row quarantine."""
    return _named(key[1], (key[2] or "").strip("'\" "), known) or key[0]


def _named(name: str, value: str, known: Collection[str]) -> str | None:
    if other := _OTHERWISE.get(f"{name}: {value}" if value else name):
        return other if other.split()[0] in known else None
    option = f"--{name.replace('_', '-')}"
    return f"{option} {value}".rstrip() if option in known else None


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


def complete_runtime(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from windlass.registry import RUNTIMES

    return _completed(RUNTIMES.names(), incomplete)


def complete_rehearsal_target(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from windlass.targets import TargetWithRehearsal
    from windlass.targets.table import able

    return _completed(able(TargetWithRehearsal), incomplete)


def complete_backfill_target(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from windlass.targets import TargetWithBackfill
    from windlass.targets.table import able

    return _completed(able(TargetWithBackfill), incomplete)


def _completed(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


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
