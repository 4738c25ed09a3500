"""`windlass export`: the pipelines of a project, for a scheduler. Each target is a command."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from windlass.cli.echo import echo, echo_json
from windlass.cli.garbage import keeping_garbage
from windlass.cli.main import App
from windlass.cli.options import json_option

if TYPE_CHECKING:
    from windlass.targets import Target
    from windlass.targets.exporting import Exported

__all__ = ["export_command"]

_LISTED = 20


class TargetGroup(click.Group):
    """A group with a command for each target; its options are those that the target declares."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from windlass.targets.table import TARGETS

        return TARGETS.names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        from windlass.targets.table import TARGETS

        return _command(cmd_name, TARGETS.load(cmd_name))


class TargetCommand(click.Command):
    """The export to one target: what the command line does not say is as windlass.yaml says."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--help" not in args and isinstance(ctx.obj, App):
            from windlass.spec.files import load_project_document
            from windlass.targets.declared import declared

            ctx.default_map = declared(*load_project_document(ctx.obj.project)).get(self.name or "")
        return super().parse_args(ctx, args)


@click.group("export", cls=TargetGroup)
def export_command() -> None:
    """Write what a scheduler needs to run the pipelines of the project."""


def _command(name: str, target: Target) -> click.Command:
    from windlass.cli.fields import options_of

    @click.pass_obj
    def export_to(app: App, /, out: str | None, *, check: bool, as_json: bool, **given: Any) -> int:
        from windlass.targets.exporting import export, stale

        where, options = out or app.project, target.options(**given)
        with keeping_garbage():
            if check:
                return _say_stale(stale(target, app.project, where, options), as_json=as_json)
            _say(target, export(target, app.project, where, options), as_json=as_json)
        return 0

    command = click.command(name, cls=TargetCommand, help=target.__doc__)(json_option(export_to))
    out = click.Option(
        ["--out"],
        help="The folder, or the address of a bucket (gs://bucket/dags), below which the files are written. Default: the project's.",
    )
    check = click.Option(
        ["--check"],
        is_flag=True,
        help="Write nothing; exit with 1 if a file is missing, out of date or left over.",
    )
    command.params = [*options_of(target.options), out, check, *command.params]
    return command


def _say(target: Target, exported: Exported, *, as_json: bool) -> None:
    written, needs = exported.written, exported.needs
    if as_json:
        needed = {"pipelines": needs.pipelines, "connections": needs.connections, "pools": needs.pools}
        echo_json(
            json.dumps(
                {"written": list(written), "removed": list(exported.removed), "needs": needed}, indent=2
            )
        )
        return
    if written:
        echo(f"wrote {_above(written)} with {_listed(needs.pipelines)}")
    else:
        echo(f"wrote nothing for {_listed(needs.pipelines)}")
    for file in exported.removed:
        echo(f"  removed {file}, whose pipeline is not there any more")
    for name, kind in needs.connections.items():
        echo(f"  {target.title} needs connection {name} ({kind})")
    for name, slots in needs.pools.items():
        echo(f"  {target.title} needs pool {name} ({slots} slots)")


def _above(files: Sequence[str]) -> str:
    """The folder, or prefix, that all of them are in."""
    scheme, found, _ = files[0].partition("://")
    inside = [file.removeprefix(f"{scheme}://") if found else file for file in files]
    common = os.path.commonpath([str(PurePath(file).parent) for file in inside])
    return f"{scheme}://{common}" if found else common


def _say_stale(files: Mapping[str, str], *, as_json: bool) -> int:
    if as_json:
        echo_json(json.dumps({"stale": list(files)}, indent=2))
    for file, what in () if as_json else files.items():
        echo(f"{what}: {file}")
    if files and not as_json:
        echo("export again, and commit what was written", err=True)
    return 1 if files else 0


def _listed(pipelines: Sequence[str]) -> str:
    """Their names, or how many they are: a terminal of a thousand names hides the lines below them."""
    if len(pipelines) > _LISTED:
        return f"{len(pipelines):,} pipelines"
    return ", ".join(pipelines) or "no pipeline"
