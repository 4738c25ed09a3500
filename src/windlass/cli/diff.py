"""`windlass diff`: what a change of the files does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from windlass.cli.echo import echo, echo_json
from windlass.cli.main import App
from windlass.cli.options import json_option

if TYPE_CHECKING:
    from windlass.comparing import Difference

__all__ = ["diff_command"]


@click.command("diff")
@click.argument("ref", metavar="[REF]", default="HEAD")
@json_option
@click.pass_obj
def diff_command(app: App, ref: str, *, as_json: bool) -> int:
    """Show what has changed since the project diverged from REF, a branch or commit, as Markdown for a pull request.

    Lists pipelines, the tables and files that they write, and images that have to be built. Uncommitted changes count,
    too; without REF, only those do.
    """
    from windlass.comparing import difference_since, markdown

    difference = difference_since(app.project, ref)
    if as_json:
        echo_json(json.dumps(_document(difference), indent=2))
    else:
        echo(markdown(difference).rstrip())
    return 0


def _document(difference: Difference) -> dict[str, Any]:
    from windlass.comparing.changes import MISSING

    def sides(before: object, now: object) -> dict[str, object]:
        return {side: value for side, value in (("before", before), ("now", now)) if value is not MISSING}

    return {
        "pipelines": {
            one.pipeline: {
                "status": one.status,
                "changes": [{"path": list(c.path), **sides(c.before, c.now)} for c in one.changes],
            }
            for one in difference.pipelines
        },
        "written": difference.written,
        "abandoned": difference.abandoned,
        "images": [
            {"name": step.build.name, "why": list(step.why), "pipelines": list(step.pipelines)}
            for step in difference.images
        ],
    }
