"""`windlass explain`: the manual's page of an error's code, without a network."""

from __future__ import annotations

import json
from pathlib import Path

import click

from windlass.cli.echo import echo, echo_json
from windlass.cli.main import App
from windlass.cli.options import json_option
from windlass.codes import Code

__all__ = ["PAGES", "explain_command", "page_of", "title_of"]

_PACKAGED, _CHECKED_OUT = (
    Path(__file__).parents[1] / "docs" / "errors",
    Path(__file__).parents[3] / "docs" / "errors",
)
PAGES = _PACKAGED if _PACKAGED.is_dir() else _CHECKED_OUT
"""Where the pages are: in the package, or in a clone of the repository."""


def page_of(code: Code) -> str:
    """The page, as Markdown."""
    return (PAGES / f"{code}.md").read_text(encoding="utf-8")


def title_of(code: Code) -> str:
    """What the code means, in a few words: the heading of its page, `# W0103: unknown key`."""
    return page_of(code).partition("\n")[0].partition(": ")[2]


@click.command("explain")
@click.argument("code", required=False)
@json_option
@click.pass_obj
def explain_command(app: App, code: str | None, *, as_json: bool) -> int:
    """Explain what an error CODE means and what to do about it, with an example. Without CODE, list all of them."""
    if code is None:
        codes = {str(known): title_of(known) for known in Code}
        if as_json:
            echo_json(json.dumps(codes, indent=2))
        else:
            echo("\n".join(f"{known}  {title}" for known, title in codes.items()))
        return 0
    known = _known(code)
    if as_json:
        echo_json(json.dumps({"code": known, "title": title_of(known), "text": page_of(known)}, indent=2))
    else:
        echo(page_of(known).rstrip())
    return 0


def _known(text: str) -> Code:
    from windlass.errors import UsageError, near_word

    try:
        return Code(text.upper())
    except ValueError as exc:
        hint = near_word(text.upper(), map(str, Code)) or "list them with: windlass explain"
        raise UsageError(f"there is no code {text!r}", hint=hint) from exc
