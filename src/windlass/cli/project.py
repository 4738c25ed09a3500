"""Commands on the files of a project: `init`, `validate`, `graph`, `compile`, `schema`, `completion`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from windlass.cli.echo import echo, echo_json
from windlass.cli.editor import KINDS
from windlass.cli.garbage import keeping_garbage
from windlass.cli.main import App
from windlass.cli.options import complete_pipeline, json_option, parse_params
from windlass.units import size

if TYPE_CHECKING:
    from windlass.api.online import QueryAsked
    from windlass.plan.model import Plan

__all__ = [
    "compile_command",
    "completion_command",
    "graph_command",
    "init_command",
    "schema_command",
    "validate_command",
]


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.pass_obj
def init_command(app: App, folder: Path) -> int:
    """Create a project in FOLDER (default: here) that runs as it is."""
    from windlass.cli.scaffold import scaffold

    target = app.folder / folder
    made = scaffold(target)
    for name in made:
        echo(f"made {target / name}")
    where = f"-C {target} " if target.resolve() != Path.cwd() else ""
    echo(f"\nrun it with: windlass {where}run hello")
    return 0


@click.command("validate")
@click.option("--online", is_flag=True, help="Also have the servers check each query, without running it.")
@json_option
@click.pass_obj
def validate_command(app: App, *, online: bool, as_json: bool) -> int:
    """Check every file of the project, and that the targets it names can express it; report all errors."""
    from windlass.api.planning import validate
    from windlass.errors import ExitCode, SpecError
    from windlass.plan.conflicts import conflicts

    try:
        with keeping_garbage():
            plans = validate(app.project)
    except SpecError as exc:
        if not as_json:
            echo(f"{exc}\n\n{_count(len(exc.problems), 'problem')}", err=True)
        else:
            problems = [{name: getattr(p, name) for name in p.__slots__} for p in exc.problems]
            echo_json(json.dumps({"valid": False, "problems": problems}, indent=2))
        return int(ExitCode.USAGE)
    tasks = sum(len(plan.tasks) for plan in plans.values())
    warnings = [warning for plan in plans.values() for warning in conflicts(plan)]
    asked = _asked(app, plans) if online else []
    is_valid = not any(query.ok is False for query in asked)
    if as_json:
        valid = {
            "valid": is_valid,
            "problems": [],
            "warnings": warnings,
            "pipelines": sorted(plans),
            "tasks": tasks,
        }
        told = {"queries": [asdict(query) for query in asked]} if online else {}
        echo_json(json.dumps(valid | told, indent=2))
    else:
        for warning in warnings:
            echo(f"warning: {warning}", err=True)
        for query in asked:
            echo(_told(query), err=query.ok is False)
        echo(
            f"{'valid' if is_valid else 'not valid'}: {_count(len(plans), 'pipeline')}, {_count(tasks, 'task')}"
        )
    return 0 if is_valid else int(ExitCode.FAILED)


def _asked(app: App, plans: Mapping[str, Plan]) -> list[QueryAsked]:
    from windlass.api.online import ask_queries
    from windlass.connections import hide_secrets

    hide_secrets(os.environ, app.project)
    return ask_queries(app.project, plans.values())


def _told(query: QueryAsked) -> str:
    """What a server says of a query, in a line."""
    where = f"{query.pipeline} {query.task} on {query.connection}"
    if query.ok:
        return f"{where}: " + ("fits" if query.bytes is None else f"would read {size(query.bytes)}")
    return f"{where}: {'not known' if query.ok is None else 'wrong'}: {query.message}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


@click.command("graph")
@click.argument("pipeline", required=False, shell_complete=complete_pipeline)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "mermaid", "svg"]),
    default="text",
    show_default=True,
    help="Write it in this form.",
)
@click.pass_obj
def graph_command(app: App, pipeline: str | None, kind: Literal["text", "mermaid", "svg"]) -> int:
    """Show the tasks of PIPELINE and their dependencies."""
    from windlass import drawing
    from windlass.api.planning import compile_one

    plan = compile_one(app.project, pipeline, {})
    draw = {"text": drawing.text, "mermaid": drawing.mermaid, "svg": drawing.svg}[kind]
    drawn = draw(plan)
    echo(drawn)
    return 0


@click.command("compile")
@click.argument("pipeline", required=False, shell_complete=complete_pipeline)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a parameter. Repeatable.")
@json_option
@click.pass_obj
def compile_command(app: App, pipeline: str | None, params: tuple[str, ...], *, as_json: bool) -> int:
    """Show what PIPELINE compiles to: every task, in order; with --json, the whole plan."""
    from windlass.api.planning import compile_one
    from windlass.plan.codec import to_json

    plan = compile_one(app.project, pipeline, parse_params(params))
    if as_json:
        echo_json(to_json(plan))
        return 0
    schedule = f"{plan.schedule} ({plan.timezone})"
    if plan.assets:
        schedule = f"when {' and '.join(plan.assets)} were written"
    echo(f"{plan.pipeline}: schedule {schedule}, {_count(len(plan.tasks), 'task')}")
    for task in plan.tasks:
        after = f"  after {', '.join(task.needs)}" if task.needs else ""
        using = f"  using {', '.join(task.uses)}" if task.uses else ""
        echo(f"  {task.name}  {task.kind}{after}{using}")
    return 0


@click.command("schema")
@click.argument("file", type=click.Choice(KINDS), default="pipeline")
@click.option("--write", is_flag=True, help="Write the schemas of all files into the project, for editors.")
@click.pass_obj
def schema_command(app: App, file: str, *, write: bool) -> int:
    """Print the JSON Schema of a pipeline file, of windlass.yaml (project), or of cases of `windlass test`.

    With --write all are put into the project, where an editor finds them by the first line of a file:

    \b
      # yaml-language-server: $schema=../.schema/pipeline.json      in pipelines/
      # yaml-language-server: $schema=.schema/windlass.json         in windlass.yaml
      # yaml-language-server: $schema=../.schema/cases.json         in tests/
    """
    from windlass.cli.editor import schema, write_schemas

    if not write:
        echo_json(json.dumps(schema(file), indent=2))
        return 0
    changed = write_schemas(app.project)
    for name in changed:
        echo(f"wrote {name}")
    if not changed:
        echo("the schemas are those of this windlass already")
    return 0


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> int:
    """Print the completion script of a SHELL.

    \b
      bash:  eval "$(windlass completion bash)"      in ~/.bashrc
      zsh:   eval "$(windlass completion zsh)"       in ~/.zshrc
      fish:  windlass completion fish | source       in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    from windlass.cli.main import cli

    completion = get_completion_class(shell)
    assert completion is not None
    echo(completion(cli, {}, "windlass", "_WINDLASS_COMPLETE").source())
    return 0
