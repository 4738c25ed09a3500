"""A service and a timer for each pipeline (systemd.service(5), systemd.timer(5), systemd.time(7))."""

from __future__ import annotations

from windlass.plan.changes import has_whole_hours
from windlass.targets.cron.fields import Fields, Numbers
from windlass.targets.cron.starting import Starting

__all__ = ["calendars", "follows_utc", "service", "timer", "unit_name"]

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_SPECIAL = " \t\"'\\;"


def unit_name(one: Starting) -> str:
    """What both units are called, up to their ending."""
    return f"windlass-{one.project}-{one.pipeline}"


def service(heading: str, one: Starting, user: str | None, environment_file: str) -> str:
    """One run. systemd starts no second one meanwhile; stopping it is SIGTERM, and SIGKILL after a minute and a half."""
    lines = [
        "[Unit]",
        f"Description={_description(one)}",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        *([f"User={user}"] if user else []),
        f"WorkingDirectory={_specifiers(one.folder)}",
        f"EnvironmentFile=-{_specifiers(environment_file)}",
        f"ExecStart=/usr/bin/env {' '.join(map(_word, one.command))}",
        "KillMode=mixed",
    ]
    return heading + "\n".join(lines) + "\n"


def timer(heading: str, one: Starting) -> str:
    """When it starts. What was missed while the machine was off is made up for, once."""
    lines = [
        "[Unit]",
        f"Description={_description(one)}",
        "",
        "[Timer]",
        *(f"OnCalendar={calendar}" for calendar in calendars(one.fields, one.timezone)),
        "AccuracySec=1s",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return heading + "\n".join(lines) + "\n"


def calendars(fields: Fields, timezone: str) -> list[str]:
    """The schedule as calendar events. Where cron takes days of either kind, systemd wants an event of each."""
    timezone = "UTC" if follows_utc(fields, timezone) else timezone
    if fields.days is not None and fields.weekdays is not None:
        return [
            _calendar(fields, fields.days, None, timezone),
            _calendar(fields, None, fields.weekdays, timezone),
        ]
    return [_calendar(fields, fields.days, fields.weekdays, timezone)]


def follows_utc(fields: Fields, timezone: str) -> bool:
    """Whether an event in UTC is the same: that of every hour, also of one that the clock shows a second time, when systemd
    starts nothing.
    """
    of_all = (fields.hours, fields.days, fields.months, fields.weekdays)
    return of_all == (None,) * 4 and has_whole_hours(timezone)


def _calendar(fields: Fields, days: Numbers, weekdays: Numbers, timezone: str) -> str:
    named = f"{','.join(_WEEKDAYS[day] for day in weekdays)} " if weekdays is not None else ""
    date = f"*-{_numbers(fields.months)}-{_numbers(days)}"
    return f"{named}{date} {_numbers(fields.hours)}:{_numbers(fields.minutes)}:00 {timezone}"


def _numbers(numbers: Numbers) -> str:
    return "*" if numbers is None else ",".join(f"{number:02}" for number in numbers)


def _description(one: Starting) -> str:
    text = f"{one.pipeline} of {one.project}" + (f": {one.description}" if one.description else "")
    return _specifiers(" ".join(text.split()))


def _word(word: str) -> str:
    """A word of a command line, as systemd reads it: quoted where it must be, `$` and `%` doubled."""
    text = _specifiers(word).replace("$", "$$")
    if text and not any(letter in text for letter in _SPECIAL):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")
