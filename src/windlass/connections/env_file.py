"""The `.env` of a project, as python-dotenv reads it; and names in it, and in the environment, that nothing is called."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from windlass.errors import Code, FatalError, WindlassError, did_you_mean, reason_of

__all__ = ["Unknown", "read_env_file", "unknown_connections"]

_PREFIX = "WINDLASS_CONN_"


def read_env_file(file: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of the file, `${NAME}` in them filled in; nothing where there is none. Raises FatalError for a line
    that is none: what is written there must not be passed over.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise FatalError(f"cannot read {file}: {reason_of(exc)}", code=Code.UNREADABLE_ADDRESS) from exc
    from dotenv.parser import parse_stream
    from dotenv.variables import parse_variables

    values: dict[str, str] = {}
    for found in parse_stream(io.StringIO(text)):
        if found.error or (found.key is not None and found.value is None):
            skipped = len(found.original.string) - len(found.original.string.lstrip("\n"))
            message = f"{file}:{found.original.line + skipped}: this line is not NAME=value"
            hint = "quote a value with blanks or several lines in it; begin a comment with #"
            raise FatalError(message, hint=hint, code=Code.UNREADABLE_ADDRESS)
        if found.key is not None:
            known = {**environ, **values}
            values[found.key] = "".join(part.resolve(known) for part in parse_variables(str(found.value)))
    return values


class Unknown(NamedTuple):
    """A variable that looks like the address of a connection, and is of none of the project's."""

    variable: str
    place: str
    hint: str | None


def unknown_connections(
    declared: Iterable[str], project: Path, environ: Mapping[str, str]
) -> Iterator[Unknown]:
    """Such variables in the environment and in `.env`. They are not read: a name is misspelt, or in lower case."""
    known = {_PREFIX + name.upper().replace("-", "_") for name in declared}
    file = project / ".env"
    try:
        noted = read_env_file(file, environ)
    except WindlassError:  # whoever looks for a connection there is told
        noted = {}
    for place, names in ((str(file), noted), ("the environment", environ)):
        for name in names:
            if name.upper().startswith(_PREFIX) and name not in known:
                yield Unknown(name, place, _hint(name, known))


def _hint(name: str, known: set[str]) -> str | None:
    if name.upper() in known:
        return f"did you mean {name.upper()!r}?"
    return did_you_mean(name, known) if known else "the project declares no connection"
