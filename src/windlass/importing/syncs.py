"""What is new, as a low-code manifest says it: a cursor of times, and how the API is told of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from windlass.importing.handlers import duration_of
from windlass.importing.paginators import PLACES
from windlass.importing.templates import Place, pieces_of, value_of

__all__ = ["Sync", "sync_of"]

_FORMATS = {
    "%s": "unix",
    "%s_as_float": "unix",
    "%ms": "unix_ms",
    "%epoch_microseconds": "",
    "%Y-%m-%d": "date",
}
_ISO = re.compile(r"%Y-%m-%dT%H:%M:%S(Z|\.%fZ|\.%_msZ|%z|\.%f%z|\.%_ms%z)")
_SLICED = ("stream_interval", "stream_slice", "stream_partition")
_ENDS = {"start_time": "param", "start_date": "param", "end_time": "until", "end_date": "until"}


class Sync:
    """`incremental` of a copy, and `since` of its source."""

    def __init__(self, cursor: dict[str, Any] | None = None, since: dict[str, Any] | None = None) -> None:
        self.cursor, self._since, self._told = cursor or {}, since or {}, dict[str, str]()
        self._place: str | None = None

    @property
    def since(self) -> dict[str, Any]:
        """Nothing where the API is not told from when on."""
        if "param" not in self._told:
            return {}
        place = {"in": self._place} if self._place not in (None, "query") else {}
        window = {"window"} if "until" not in self._told or "start" not in self._since else set()
        said = {key: value for key, value in self._since.items() if key not in window}
        return {"param": self._told["param"], **place, **said} | (
            {"until": self._told["until"]} if "until" in self._told else {}
        )

    def tell(self, end: str, name: str, place: str) -> bool:
        """Whether it is told there; all of it in one place, and each once."""
        if not self._since_is_known or end in self._told or self._place not in (None, place):
            return False
        self._told[end], self._place = name, place
        return True

    @property
    def _since_is_known(self) -> bool:
        return bool(self.cursor)

    def take(self, value: str, name: str, part: str) -> bool:
        """Whether a parameter only says from when or until when."""
        place = {"query": "query", "headers": "header", "body": "body", "form": "body"}[part]
        pieces = pieces_of(value.strip().strip("'")) or []
        sliced = [piece for piece in pieces if isinstance(piece, Place) and piece.root in _SLICED]
        if len(sliced) != 1 or len(sliced[0].path) != 1 or str(sliced[0].path[0]) not in _ENDS:
            return False
        around = ["", ""]
        if len(pieces) > 1:
            at = pieces.index(sliced[0])
            others = [*pieces[:at], *pieces[at + 1 :]]
            if any(not isinstance(other, str) or "%" in other for other in others):
                return False
            around = ["".join(map(str, pieces[:at])), "".join(map(str, pieces[at + 1 :]))]
        format_ = _format(sliced[0].format) if sliced[0].format else self._since.get("format", "iso")
        if any(around):
            written = {"iso": "%Y-%m-%dT%H:%M:%SZ", "date": "%Y-%m-%d"}.get(format_, format_)
            format_ = f"{around[0]}{written}{around[1]}" if "%" in written else ""
        if not format_ or not self.tell(_ENDS[str(sliced[0].path[0])], name, place):
            return False
        self._since |= {"format": format_} if format_ != "iso" else {}
        return True


def sync_of(said: Mapping[str, Any], translated: Callable[[Any], Any], note: Callable[[str], None]) -> Sync:
    """What a stream says of it. Notes what has no translation."""
    kind = said.get("type", "DatetimeBasedCursor")
    if not said or kind != "DatetimeBasedCursor" or "cursor_field" not in said:
        if said:
            note(f"{kind} has no translation; the copy reads all records")
        return Sync()
    lookback = duration_of(str(translated(said.get("lookback_window") or "") or ""))
    cursor = {"cursor": str(said["cursor_field"]), **({"lookback": _written(lookback)} if lookback else {})}
    since: dict[str, Any] = {}
    if (format_ := _format(str(said.get("datetime_format") or ""))) not in ("iso", ""):
        since["format"] = format_
    start = said.get("start_datetime")
    start = start.get("datetime") if isinstance(start, Mapping) else start
    if start is not None and (known := _start(start, translated)) is not None:
        since["start"] = known
    elif start is not None:
        note(f"`start_datetime` is {start!r}, which has no translation: say `start` of `since`")
    if window := duration_of(str(said.get("step") or "")) or (said.get("step") and 30 * 86_400):
        since["window"] = _written(max(int(window), 2 * 86_400 if format_ == "date" else 2))
    sync = Sync(cursor, since)
    for key, end in (("start_time_option", "param"), ("end_time_option", "until")):
        option = said.get(key) or {}
        name = option.get("field_name") or ".".join(map(str, option.get("field_path") or ()))
        if name and not sync.tell(end, name, PLACES.get(str(option.get("inject_into")), "query")):
            note(f"`incremental_sync.{key}` was left out: it is told elsewhere than the other end")
    return sync


def _start(start: Any, translated: Callable[[Any], Any]) -> Any:
    value = value_of(start)
    if isinstance(value, Place) and value.root == "config":
        return translated("{{ config" + "".join(f"[{step!r}]" for step in value.path) + " }}")
    return translated(start)


def _format(theirs: str | None) -> str:
    """A pattern of times as `format` says it; nothing where that has no translation."""
    text = theirs or ""
    if text in _FORMATS:
        return _FORMATS[text]
    if not text or _ISO.fullmatch(text):
        return "iso"
    return text.replace("%_ms", "000").replace("%ms", "").replace("%s", "") if "%" in text else ""


def _written(seconds: int) -> str:
    """
    >>> _written(93600)
    '1d2h'
    """
    parts = []
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        number, seconds = divmod(seconds, length)
        parts.append(f"{number}{unit}" if number else "")
    return "".join(parts)
