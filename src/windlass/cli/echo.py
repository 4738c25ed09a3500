"""Text for people, on its way out: all that the command line says goes through `echo`.

What a server answers, a row holds or a file is named stands in it, and may have codes for a terminal: only the colours
are kept that `click.style` makes.
"""

from __future__ import annotations

import re

import click

from windlass.printable import escaped_json, printable

__all__ = ["echo", "echo_json"]

_COLOUR = re.compile(r"(\x1b\[(?:0|1|2|3[0-7]|9[0-7])m)")
_RESET = "\x1b[0m"


def echo(text: str = "", *, err: bool = False, nl: bool = True, color: bool | None = None) -> None:
    """Print text with nothing in it that takes hold of a terminal."""
    parts = _COLOUR.split(text)
    parts[::2] = map(printable, parts[::2])
    if len(parts) > 1 and parts[-2] != _RESET:  # the colour of a stranger, which would go on
        parts.append(_RESET)
    click.echo("".join(parts), err=err, nl=nl, color=color)  # noqa: TID251


def echo_json(text: str) -> None:
    """Print a document for machines, whose values stay what they are."""
    click.echo(escaped_json(text))  # noqa: TID251
