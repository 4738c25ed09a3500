"""Writes the pages that come from the code (YAML keys, commands, exit codes, errors), and the list of decisions.

python docs/generate.py            write them
python docs/generate.py --check    fail if one of them is not as it would be written
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias, get_args

import click
import msgspec
from pydantic import BaseModel, TypeAdapter

from windlass import recordings
from windlass.cli.explain import title_of
from windlass.cli.main import COMMANDS, cli
from windlass.codes import Code
from windlass.errors import ExitCode
from windlass.fixtures import cases
from windlass.options import Options
from windlass.registry import FILES, all_connectors
from windlass.spec import commands, copy, kinds, pipeline, project, runtimes
from windlass.spec.ends import models_of, options_model
from windlass.spec.schema import documentation

FOLDER = Path(__file__).parent / "reference"
NOTICE = "<!-- Written by docs/generate.py from the code. Change the code, not this page. -->\n"

Model: TypeAlias = type[BaseModel] | type[Options]
Section: TypeAlias = tuple[str, Model, str]
"""Heading, model, where it stands in the file."""


def ends() -> Iterator[Section]:
    """What each connector takes in `from:` and `to:`, and the mappings in there."""
    found: dict[type[Options], Section] = {}
    for part, key in (("Source", "from"), ("Destination", "to")):
        for model, types in models_of(part).items():
            of = "files" if types == [FILES] else " or ".join(types)
            where = f"`copy.{key}`" if types == [FILES] else f"`copy.{key}`, beside `connection`"
            yield f"copy: {key}: {of}", model, where
            for name, inner, at in nested(model, of):
                found.setdefault(inner, (f"copy: {name}", inner, at))
    yield from found.values()


def nested(model: type[Options], of: str) -> Iterator[tuple[str, type[Options], str]]:
    """The mappings that are values of a model's keys, and those in them: the key, the model, where it stands."""
    for field in msgspec.structs.fields(model):
        name = field.encode_name
        for inner in options_in(field.type):
            yield name, inner, f"`{name}` of {of}"
            yield from nested(inner, f"`{name}`")


def options_in(annotation: Any) -> Iterator[type[Options]]:
    """The models in a type: of a value, or of the items of a list."""
    if isinstance(annotation, type) and issubclass(annotation, Options):
        yield annotation
    for inner in get_args(annotation):
        yield from options_in(inner)


def settings() -> Iterator[Section]:
    """What each connector takes beside the type of a connection, and the mappings in there."""
    for model, types in models_of("Connection").items():
        of = ", ".join(types)
        yield f"A connection: {of}", model, f"`connections.NAME`, where the type is {of}"
        found: dict[type[Options], list[tuple[str, str]]] = {}
        for name, inner, at in nested(model, of):
            found.setdefault(inner, []).append((name, at))
        for inner, places in found.items():
            yield f"A connection: {of}: {places[0][0]}", inner, " and ".join(at for _, at in places)


def dev_services() -> Iterator[Section]:
    """What each connector takes in `dev:`."""
    for model, types in models_of("DevService").items():
        yield f"A dev service: {', '.join(types)}", model, "`connections.NAME.dev`"


PIPELINE = (
    ("The pipeline", pipeline.Pipeline, "the top of the file"),
    ("Schedule by data", pipeline.Assets, "`schedule`, where it is not text"),
    ("Freshness", pipeline.WithinTime, "`freshness`"),
    ("Defaults", pipeline.Defaults, "`defaults`"),
    ("A task", pipeline.Task, "`tasks.NAME`"),
    ("copy", copy.Copy, "`tasks.NAME.copy`"),
    *ends(),
    ("copy: select", copy.SelectColumn, "`copy.select.NAME`"),
    ("copy: validate", copy.Validate, "`copy.validate`"),
    ("copy: rules of a column", copy.ColumnRules, "`copy.validate.columns.NAME`"),
    ("copy: quarantine", copy.QuarantineTo, "`copy.quarantine`"),
    ("copy: incremental", copy.Incremental, "`copy.incremental`"),
    ("copy: partition", copy.Partition, "`copy.partition`"),
    ("sql", kinds.Sql, "`tasks.NAME.sql`"),
    ("run", commands.Run, "`tasks.NAME.run`"),
    ("service", commands.Service, "`tasks.NAME.service`"),
    ("run, service: build", commands.Build, "`run.build` and `service.build`, where it is not text"),
    (
        "run, service: values of env",
        commands.Reference,
        "a value of `run.env` and `service.env`, where it is not text",
    ),
    ("run, service: resources", commands.StepResources, "`run.resources` and `service.resources`"),
    ("download", kinds.Download, "`tasks.NAME.download`"),
    ("check", kinds.Check, "`tasks.NAME.check`"),
    ("check: rows", kinds.RowCount, "`check.rows`, where it is not a number"),
    ("check: freshness", kinds.Freshness, "`check.freshness`"),
    ("notify", kinds.Notify, "`tasks.NAME.notify`"),
    ("trigger", kinds.Trigger, "`tasks.NAME.trigger`"),
    ("kubernetes of a task", runtimes.TaskOnKubernetes, "`tasks.NAME.kubernetes`"),
    ("kubernetes of the pipeline", runtimes.PipelineOnKubernetes, "`kubernetes`"),
    ("kubernetes: volumes", runtimes.Volume, "`kubernetes.volumes`"),
    ("kubernetes: resources", runtimes.Resources, "`kubernetes.resources`, of the pipeline and of a task"),
)
PROJECT = (
    ("The project", project.Project, "the top of the file"),
    ("A connection", project.Connection, "`connections.NAME`"),
    *settings(),
    *dev_services(),
    ("Images", project.Images, "`images`"),
    ("Images: project", project.ProjectImage, "`images.project`"),
    ("Runtimes", runtimes.Runtimes, "`runtimes`"),
    ("Runtime: docker", runtimes.DockerRuntime, "`runtimes.docker`"),
    ("Runtime: docker: mounts", runtimes.Mount, "`runtimes.docker.mounts`"),
    ("Runtime: kubernetes", runtimes.KubernetesRuntime, "`runtimes.kubernetes`"),
    ("Runtime: kubernetes: volumes", runtimes.Volume, "`runtimes.kubernetes.volumes`"),
    ("Runtime: kubernetes: resources", runtimes.Resources, "`runtimes.kubernetes.resources`"),
)
CASES = (
    ("A case", cases.Case, "each part of the list"),
    ("run", cases.Run, "`run`"),
    ("given", cases.Given, "`given`"),
    ("given: an interaction", recordings.Interaction, "`given.apis.NAME`, and in files of recordings"),
    ("A request", recordings.Request, "`request`, and in `expect.requests.NAME`"),
    ("An answer", recordings.Response, "`response`"),
    ("expect", cases.Expect, "`expect`"),
    ("expect: a task", cases.ExpectedTask, "`expect.tasks.NAME`"),
    ("expect: an alert", cases.ExpectedAlert, "`expect.alerts`"),
    ("Rows", cases.Rows, "a table of `given` and `expect`, where it is not a list of rows"),
)
ERROR_GROUPS = {
    "W00": "Anything",
    "W01": "The files of a project",
    "W02": "What the files name",
    "W03": "Connections",
    "W04": "The ends of a copy, and messages",
    "W05": "Rows",
    "W06": "Runs",
    "W07": "Plans and plugins",
}
EXIT_CODES = {
    ExitCode.SUCCESS: "Everything succeeded.",
    ExitCode.FAILED: "A task failed, or a check did; trying again changes nothing.",
    ExitCode.USAGE: "The command line or a file does not make sense. Nothing was run.",
    ExitCode.RETRYABLE: "It may work later: a server is away, a disk is full, another run is going on.",
    ExitCode.HUNG_UP: "Stopped because its terminal closed (SIGHUP): whatever ran was stopped, and a run is recorded as cancelled.",
    ExitCode.INTERRUPTED: "Stopped by Ctrl-C, likewise.",
    ExitCode.TERMINATED: "Stopped by SIGTERM, likewise: an eviction, `docker stop`, a machine that shuts down.",
}


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check compare them. Returns the exit code."""
    pages = {
        "pipeline.md": keys_page("Pipeline file", "pipelines/NAME.yaml", PIPELINE, "pipeline"),
        "project.md": keys_page("Project file", "windlass.yaml", PROJECT, "project"),
        "cases.md": keys_page("Cases of `windlass test`", "tests/*.yaml", CASES, None),
        "commands.md": commands_page(),
        "exit-codes.md": exit_codes_page(),
        "../errors/index.md": errors_page(),
        "../adr/index.md": decisions_page(FOLDER.parent / "adr"),
    }
    stale = [name for name, text in pages.items() if _read(FOLDER / name) != text]
    if "--check" in arguments:
        for name in stale:
            click.echo(
                f"docs/{(FOLDER / name).resolve().relative_to(FOLDER.parent)} is not up to date: run python docs/generate.py",
                err=True,
            )
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(pages[name], encoding="utf-8")
    return 0


def _read(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None


# --- YAML keys -----------------------------------------------------------------------------------


def keys_page(title: str, file: str, models: Any, schema: Any) -> str:
    """Every key of a file, model by model."""
    lines = [NOTICE, f"# {title}\n", f"Every key of `{file}`. A key that is not here is an error. "]
    if schema is None:
        lines[-1] += (
            "Written in YAML, with the tags `!any`, `!re`, `!approx` and `!file` where a value is expected.\n"
        )
    if schema is not None:
        lines.append(
            f"`windlass schema {schema}` prints the same as JSON Schema, for [editors](../guides/editors.md).\n"
        )
    for heading, model, place in models:
        lines += [
            f"## {heading}\n",
            f"{_first_line(model)} Stands at {place}.\n",
            *_keys(model),
            "",
        ]
    if schema == "project":
        lines += ["## Types of connections\n", *_connection_types()]
    return "\n".join(lines).rstrip() + "\n"


def _first_line(model: Model) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _keys(model: Model) -> Iterator[str]:
    schema = TypeAdapter(model).json_schema(by_alias=True, mode="validation")
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for key, text in documentation(model).items():
        entry = schema["properties"][key]
        default = "required" if key in schema.get("required", ()) else _default(entry)
        yield f"| `{key}` | {_value(entry)} | {default} | {_cell(text)} |"


def _default(entry: dict[str, Any]) -> str:
    value = entry.get("default")
    if value in (None, [], {}, "") or isinstance(value, dict):
        return ""
    if isinstance(value, float) and "examples" in entry:
        return f"`{value:g}s`"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`"


def _value(entry: dict[str, Any]) -> str:
    """What a key takes, in a few words, from its JSON Schema."""
    if "$ref" in entry:
        return "a mapping"
    if options := entry.get("anyOf") or entry.get("oneOf"):
        options = [_value(option) for option in options if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(options))
    if "enum" in entry:
        return ", ".join(f"`{item}`" for item in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    if "examples" in entry:
        return " or ".join(f"`{example}`" for example in entry["examples"])
    if entry.get("type") == "array":
        return f"a list of {_value(entry['items'])}"
    if entry.get("type") == "object":
        inner = entry.get("additionalProperties") or next(
            iter(entry.get("patternProperties", {}).values()), None
        )
        return f"a mapping to {_value(inner)}" if isinstance(inner, dict) and inner else "a mapping"
    words = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "`true` or `false`",
    }
    return words.get(
        entry.get("type", ""), f"text like `{entry['pattern']}`" if "pattern" in entry else "a value"
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _connection_types() -> Iterator[str]:
    yield "| type | address | `from` | `to` | SQL | alerts | dev service |"
    yield "|---|---|---|---|---|---|---|"
    for connector in all_connectors():
        if connector.form is None:
            continue
        parts = (connector.source, connector.destination, connector.sql, connector.alert)
        can = " | ".join("yes" if part else "" for part in parts)
        model = options_model(connector.type, "DevService")
        keys = ", ".join(f"`{key}`" for key in documentation(model)) if model else ""
        dev = f"yes ({keys})" if connector.dev_service and keys else "yes" if connector.dev_service else ""
        yield f"| `{connector.type}` | `{connector.example}` | {can} | {dev} |"


# --- commands ------------------------------------------------------------------------------------


def commands_page() -> str:
    """The help of every command."""
    lines = [NOTICE, "# Commands\n", "```text", _help(cli, "windlass"), "```\n"]
    for name in COMMANDS:
        context = click.Context(cli, info_name="windlass")
        command = cli.get_command(context, name)
        assert command is not None
        lines += [f"## windlass {name}\n", "```text", _help(command, f"windlass {name}"), "```\n"]
        if isinstance(command, click.Group):
            for sub_name in command.commands or command.list_commands(context):
                sub = command.get_command(context, sub_name)
                assert sub is not None
                title = f"windlass {name} {sub_name}"
                lines += [f"### {title}\n", "```text", _help(sub, title), "```\n"]
    return "\n".join(lines).rstrip() + "\n"


def _help(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
    return command.get_help(context)


def exit_codes_page() -> str:
    """The exit codes."""
    rows = [f"| {int(code)} | {text} |" for code, text in EXIT_CODES.items()]
    lines = [NOTICE, "# Exit codes\n", "| code | meaning |", "|---|---|", *rows]
    lines.append(
        "\nA task that a scheduler starts with `windlass exec` ends with the same codes: 3 is one to retry, and so is one"
        " above 128, which\nnobody but the scheduler can have meant. A `run` task ends with the exit code of its command;"
        " where a signal ended that, with\n128 + the signal, and its `failed` event says by which. Every command can be"
        " stopped at any moment, with one line that says so."
    )
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """The codes of errors, each with a link to its page."""
    lines = [NOTICE, "# Errors\n"]
    lines.append(
        "Each error has a code that stays the same, `error[W0103]`, and a page here with an example. `windlass explain"
        " W0103`\nprints it, without a network. Documents of `--json` and the `failed` events of tasks have the code, too."
    )
    for group, title in ERROR_GROUPS.items():
        lines += [f"\n## {title}\n", "| code | meaning |", "|---|---|"]
        lines += [f"| [{code}]({code}.md) | {title_of(code)} |" for code in Code if code.startswith(group)]
    return "\n".join(lines) + "\n"


def decisions_page(folder: Path) -> str:
    """Every decision by its number, with its title."""
    lines = [
        "<!-- Written by docs/generate.py from the titles of the pages. Change those. -->\n",
        "# Decisions\n",
    ]
    lines.append(
        "Each page says what was decided, why, and what was turned down. A decision is changed by a new page.\n"
    )
    for file in sorted(folder.glob("[0-9]*.md")):
        title = file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({file.name})")  # a numbered list would count them anew
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
