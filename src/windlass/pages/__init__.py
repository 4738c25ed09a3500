"""What all pages of HTML have in common: how they look, and that nothing in a value is taken for markup.

templates/theme.css    colours for light and dark, tables, cards
templates/marks.html   macros: what became of a run or a task
place.py               a page is written over a page, and over nothing else
clipping.py            values of any size as text of a bounded size
compiled.py            templates stay compiled
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from windlass import units
from windlass.drawing.picture import STATE_ICONS
from windlass.logs import mask
from windlass.pages.clipping import clipped
from windlass.printable import printable

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["environment_of"]


@cache
def environment_of(package: str) -> Environment:
    """The templates of a package, beside ours: Jinja with autoescape, every value made visible."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    from windlass.pages.compiled import Compiled

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("windlass.pages")]),
        bytecode_cache=Compiled(Path(__file__).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": units.number,
        "size": units.size,
        "duration": units.duration,
        "stamp": _stamp,
        "said": _said,
        "clipped": clipped,
    }
    environment.globals["icons"] = STATE_ICONS
    return environment


def _visible(value: object) -> object:
    """Text without secrets and terminal codes, and with a picture of each character that a page cannot show."""
    if value is None:
        return ""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return printable(mask(value))


def _stamp(moment: str) -> str:
    """An ISO 8601 time for people: `2026-03-01 06:00:00 UTC`."""
    text = moment[:19].replace("T", " ")
    zone = moment[19:].lstrip(".0123456789")
    return text + {"": "", "Z": " UTC", "+00:00": " UTC"}.get(zone, f" {zone}")


def _said(status: str) -> str:
    return status.replace("_", " ")
