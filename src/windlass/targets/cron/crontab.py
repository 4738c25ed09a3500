"""A crontab: a line for each pipeline, as cron(8) of Debian and cronie read it (crontab(5))."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from itertools import groupby

from windlass.targets.cron.fields import Fields, Numbers
from windlass.targets.cron.starting import Starting

__all__ = ["crontab"]

_SETTINGS = """\
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""


def crontab(heading: str, pipelines: Iterable[Starting], zone: str, user: str | None) -> str:
    """The text. `zone` is that of the machine; lines of another come last, below a `CRON_TZ`, which holds for all
    that follow. With a user it is a file for /etc/cron.d.
    """
    ordered = sorted(pipelines, key=lambda one: (one.timezone != zone, one.timezone, one.pipeline))
    text = heading + _SETTINGS
    for timezone, ones in groupby(ordered, key=lambda one: one.timezone):
        text += "" if timezone == zone else f"\nCRON_TZ={timezone}\n"
        text += "".join(f"\n# {_comment(one)}\n{_line(one, user)}\n" for one in ones)
    return text


def _comment(one: Starting) -> str:
    return " ".join(f"{one.pipeline}: {one.description}".split()) if one.description else one.pipeline


def _line(one: Starting, user: str | None) -> str:
    command = shlex.join(one.command)
    if one.alone:
        lock = f".windlass/cron/{one.pipeline}.lock"
        command = f"mkdir -p .windlass/cron && flock -n -E 0 {lock} {command}"
    command = f"cd {shlex.quote(one.folder)} && {command} 2>&1 | logger -t windlass-{one.pipeline}"
    when = " ".join(_fields(one.fields))
    as_user = f" {user}" if user else ""
    return f"{when}{as_user}  {command.replace('%', chr(92) + '%')}"  # a bare % is the end of a command


def _fields(fields: Fields) -> Iterable[str]:
    """Days never begin with a star, unless they are all: where one kind does, as in `*/2`, cron takes only days of both."""
    return (
        _field(fields.minutes, 59, star_from=0),
        _field(fields.hours, 23, star_from=0),
        _field(fields.days, 31),
        _field(fields.months, 12, star_from=1),
        _field(fields.weekdays, 6),
    )


def _field(numbers: Numbers, last: int, *, star_from: int | None = None) -> str:
    """The numbers, in short where they are a range, or every so many up to the last, which is `*/2` from that number on."""
    if numbers is None:
        return "*"
    step = numbers[1] - numbers[0] if len(numbers) > 2 else 0
    if step > 1 and numbers == tuple(range(numbers[0], last + 1, step)):
        return f"*/{step}" if numbers[0] == star_from else f"{numbers[0]}-{last}/{step}"
    if step == 1 and numbers == tuple(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))
