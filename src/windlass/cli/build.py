"""`windlass build`: the images of the steps."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from windlass import logs
from windlass.cli.echo import echo, echo_json
from windlass.cli.main import App
from windlass.cli.options import json_option
from windlass.units import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from windlass.building import BuildPlan, Step

__all__ = ["build_command"]

_REASONS = 3  # that people are shown


@click.command("build")
@click.argument("images", metavar="[IMAGE]...", nargs=-1)
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would be built, and why.")
@click.option(
    "--print", "prints", is_flag=True, help="Only print the Dockerfiles; with --json the bake file."
)
@click.option(
    "--since",
    metavar="REF",
    help="Only build what has changed since this commit, or since the current branch left this one.",
)
@click.option("--push", is_flag=True, help="Push what the registry does not have, and write windlass.lock.")
@click.option(
    "--platform", "platforms", metavar="PLATFORM[,…]", help="Build for these instead of `images.platforms`."
)
@click.option("--refresh-bases", is_flag=True, help="Look up base images in their registries again.")
@json_option
@click.pass_obj
def build_command(
    app: App,
    images: tuple[str, ...],
    since: str | None,
    platforms: str | None,
    *,
    only_plan: bool,
    prints: bool,
    push: bool,
    refresh_bases: bool,
    as_json: bool,
) -> int:
    """Build the images that have changed: the named ones, or all.

    An image is named by its folder. Images that the engine has, or with --push the registry, are not built again. BuildKit
    builds from a bake file, which is written to docker-bake.json; windlass.lock records what was pushed, and exports use it.
    """
    from windlass.building import carry_out, plan_builds

    is_watched = not as_json and sys.stderr.isatty()
    if is_watched:
        from windlass.cli.display import TerminalLog

        logs.emit_to(TerminalLog().show)
    plan = plan_builds(
        app.project,
        images,
        push=push,
        platforms=tuple(platforms.split(",")) if platforms else (),
        refresh_bases=refresh_bases,
        since=since,
    )
    for folder in plan.unknown:
        echo(f"left out: only a run knows how the image of {folder} is built", err=True)
    if prints:
        _print(plan, as_json=as_json)
        return 0
    is_done = not only_plan
    digests = carry_out(plan, shown=is_watched) if is_done else {}
    _say(plan, digests, is_done=is_done, as_json=as_json)
    return 0


def _print(plan: BuildPlan, *, as_json: bool) -> None:
    from windlass.images.bake import bake_file

    builds = [step.build for step in plan.steps]
    if as_json:
        echo_json(bake_file(builds))
        return
    for build in builds:
        echo(f"# --- {build.name}: {build.reference} ---\n{build.inputs.dockerfile}")


def _say(plan: BuildPlan, digests: Mapping[str, str], *, is_done: bool, as_json: bool) -> None:
    from windlass.cli.display import print_table

    if as_json:
        found = [_document(step, digests, is_done=is_done) for step in plan.steps]
        echo_json(json.dumps({"images": found, "bases": dict(sorted(plan.lock.bases.items()))}, indent=2))
        return
    if plan.steps:
        rows = [_row(step, digests, is_done=is_done) for step in plan.steps]
        print_table(("image", "status", "tag", "pipelines", "why"), rows)
    count, what = len(plan.to_build), "built" if is_done else "to build"
    echo(f"{counted(len(plan.steps), 'image')}, {count} {what}")


def _row(step: Step, digests: Mapping[str, str], *, is_done: bool) -> tuple[str, ...]:
    status = _status(step, digests, is_done=is_done).replace("_", " ")
    more = f" and {len(step.why) - _REASONS} more" if len(step.why) > _REASONS else ""
    why = ", ".join(step.why[:_REASONS]) + more
    return step.build.name, status, step.build.inputs.tag, ", ".join(step.pipelines), why


def _status(step: Step, digests: Mapping[str, str], *, is_done: bool) -> str:
    if step.is_current:
        return "up_to_date"
    if not is_done:
        return "to_build"
    return "pushed" if step.build.name in digests else "built"


def _document(step: Step, digests: Mapping[str, str], *, is_done: bool) -> dict[str, object]:
    build = step.build
    return {
        "name": build.name,
        "image": build.reference,
        "status": _status(step, digests, is_done=is_done),
        "why": list(step.why),
        "pipelines": list(step.pipelines),
        "input": build.inputs.digest,
        "platforms": build.inputs.settings["platforms"].split(", "),
        "digest": digests.get(build.name, step.digest),
    }
