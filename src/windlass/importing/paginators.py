"""How pages follow each other, as a low-code manifest says it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from windlass.connectors.http.keys import is_path
from windlass.importing.templates import Place, Test, is_template, path_of, pieces_of, tests_of, value_of

__all__ = ["PLACES", "WRITTEN", "paginate_of"]

PLACES = {"request_parameter": "query", "header": "header", "body_json": "body", "body_data": "body"}
WRITTEN = {"query": "query", "header": "headers", "body": "body"}
_OF_HEADER = re.compile(r"headers(?:\.|\[\s*|\.get\(\s*)['\"]?link\b", re.IGNORECASE)
_COUNTED = re.compile(r"\{\{\s*\(?\s*(response[^+]*?)\s*(?:\|\s*int\s*)?\)?\s*\+\s*1\s*\}\}")
_RECORDS_ABOVE = ("last_record", "last_records", "last_page_size", "response_records")

Paginate = dict[str, Any]
Note = Callable[[str], None]


def paginate_of(
    paginator: Mapping[str, Any], records: str, note: Note
) -> tuple[Paginate | None, dict[str, dict[str, Any]]]:
    """`paginate`, and what is said of the size of a page, by where it is said."""
    if paginator.get("type", "NoPagination") == "NoPagination":
        return None, {}
    strategy = paginator.get("pagination_strategy") or {}
    token, size = paginator.get("page_token_option") or {}, paginator.get("page_size_option") or {}
    kind, number = strategy.get("type"), _number(strategy.get("page_size", paginator.get("page_size")), note)
    said = {WRITTEN[_place(size)]: {_field(size): number}} if _field(size) and number else {}
    if kind == "OffsetIncrement":
        return _by_offset(token, size, number)
    if kind == "PageIncrement":
        start = strategy.get("start_from_page", 0)
        paginate = {"type": "page_number", "param": _field(token) or "page"}
        return paginate | ({} if start == 1 else {"start": start}) | _in(token), said
    if kind == "CursorPagination":
        return _by_cursor(strategy, token, records, note), said
    note(f"the pagination strategy {kind} has no translation; see `paginate`")
    return None, said


def _by_offset(
    token: Mapping[str, Any], size: Mapping[str, Any], number: int | None
) -> tuple[Paginate, dict[str, Any]]:
    paginate: Paginate = {"type": "offset", "param": _field(token) or "offset"}
    paginate |= {"limit_param": _field(size)} if _field(size) else {}
    paginate |= {"limit": number} if number else {}
    return paginate | _in(token), {}


def _by_cursor(
    strategy: Mapping[str, Any], token: Mapping[str, Any], records: str, note: Note
) -> Paginate | None:
    value = str(strategy.get("cursor_value", ""))
    follows = token.get("type") == "RequestPath"
    if _OF_HEADER.search(value) and (follows or "next" in value):
        return {"type": "header_link"}
    if counted := _COUNTED.fullmatch(value.strip()):
        place = value_of(f"{{{{ {counted[1]} }}}}")
        if isinstance(place, Place) and place.path:
            paginate: Paginate = {"type": "page_number", "param": _field(token) or "page"}
            return paginate | _more(strategy, place, records, note) | _in(token)
    place = _place_of(value, follows=follows)
    found = _next_of(place, records) if place is not None else None
    if place is None or found is None or not is_path(found):
        note(f"`cursor_value` is {value!r}, which has no translation; see `paginate`")
        return None
    more = _more(strategy, place, records, note)
    if follows:
        return {"type": "json_link", "next": found} | more
    return {"type": "cursor", "param": _field(token) or "cursor", "next": found} | more | _in(token)


def _place_of(value: str, *, follows: bool) -> Place | None:
    """Where the cursor is. A link may have an address before it, by which it is resolved anyway."""
    place = value_of(value)
    if follows and not isinstance(place, Place):
        pieces = pieces_of(value) or []
        place = pieces[-1] if len(pieces) == 2 and str(pieces[0]).startswith("http") else None
    return place if isinstance(place, Place) else None


def _next_of(place: Place, records: str) -> str | None:
    if place.root == "response" and place.path:
        return path_of(place)
    above = "" if records == "[]" else records
    if place.root == "last_record" and "[]" not in above and above[:1] != "[":
        return f"{above}[-1].{path_of(place)}"
    if (
        place.root == "last_records"
        and "[]" not in above
        and isinstance(place.path[0] if place.path else None, int)
    ):
        return f"{above}{path_of(place)}"
    return None


def _more(strategy: Mapping[str, Any], cursor: Place, records: str, note: Note) -> Paginate:
    """What an answer says as long as there are other pages, if that is what ends them."""
    stop = str(strategy.get("stop_condition") or "")
    if not stop:
        return {}
    tests = tests_of(stop)
    left = [test for test in tests or () if not _is_told_by(test, cursor)]
    more = _going_on(left[0], records) if len(left) == 1 else None
    if tests is None or (left and more is None):
        note(f"`stop_condition` is {stop!r}; the pages end where there is no cursor any more")
    return {"more": more} if more is not None else {}


def _is_told_by(test: Test, cursor: Place) -> bool:
    """Whether it only asks if there is a cursor: itself, or what it lies in."""
    place = test.place
    if place.root == "headers" or test.value == "null":
        return True
    if cursor.root in _RECORDS_ABOVE and place.root in _RECORDS_ABOVE:
        return True
    is_above = place.root == cursor.root and cursor.path[: len(place.path)] == place.path
    return is_above and test.asks == "absent"


def _going_on(test: Test, records: str) -> str | None:
    """The opposite of what ends the pages."""
    if test.place.root in _RECORDS_ABOVE:  # a page without records
        return records if re.fullmatch(r"\w+(\.\w+)*", records) else None
    path = path_of(test.place)
    if test.place.root != "response" or not path or not is_path(path):
        return None
    if test.asks == "absent":
        return path
    if test.asks == "present":
        return f"{path} != true"
    return f"{path} {'!=' if test.asks == '==' else '=='} {json.dumps(test.value)}"


def _number(value: object, note: Note) -> int | None:
    if is_template(value):
        found = value_of(value)
        if isinstance(found, Place) and str(found.default).isdecimal():
            return int(str(found.default))
        if not isinstance(found, int):
            note(f"`page_size` is {value!r}, which has no translation")
            return None
        return found
    try:
        return int(ast.literal_eval(str(value))) if value is not None else None
    except (ValueError, SyntaxError):
        return None


def _field(option: Mapping[str, Any]) -> str:
    """The name that a request option is sent as; in a body, the way to it."""
    if path := option.get("field_path"):
        return ".".join(map(str, path))
    return str(option.get("field_name") or "")


def _place(option: Mapping[str, Any]) -> str:
    return PLACES.get(str(option.get("inject_into")), "query")


def _in(option: Mapping[str, Any]) -> Paginate:
    place = _place(option)
    return {} if place == "query" else {"in": place}
