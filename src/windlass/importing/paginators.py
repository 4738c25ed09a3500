"""How pages follow each other, as a low-code manifest says it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from windlass.importing.documents import Tree
from windlass.importing.templates import is_template, place_in

__all__ = ["paginate_of"]

_PLACES = {"request_parameter": "query", "header": "header", "body_json": "body", "body_data": "body"}
_WRITTEN = {"query": "query", "header": "headers", "body": "body"}
_LINK = re.compile(
    r"\{\{\s*headers(?:\.link|\[\s*['\"]link['\"]\s*\])(?:\.|\[\s*['\"])next\b.*\}\}", re.IGNORECASE
)
_STOP = re.compile(r"\{\{\s*not\s+(response.*?)\s*\}\}")
_STOP_FALSE = re.compile(r"\{\{\s*(response.*?)\s*(?:==\s*(?:false|False)|is\s+false)\s*\}\}")

Paginate = dict[str, Any]


def paginate_of(
    tree: Tree, paginator: Mapping[str, Any], records: str, note: Callable[[str], None]
) -> tuple[Paginate | None, dict[str, dict[str, Any]]]:
    """`paginate`, and what is said of the size of a page, by where it is said."""
    if paginator.get("type", "NoPagination") == "NoPagination":
        return None, {}
    strategy = tree.at(paginator, "pagination_strategy")
    token, size = tree.at(paginator, "page_token_option"), tree.at(paginator, "page_size_option")
    kind, number = strategy.get("type"), _number(strategy.get("page_size"), note)
    said = {_WRITTEN[_place(size)]: {size["field_name"]: number}} if size and number else {}
    if kind == "OffsetIncrement":
        return _by_offset(token, size, number)
    if kind == "PageIncrement":
        start = strategy.get("start_from_page", 0)
        paginate = {"type": "page_number", "param": token.get("field_name", "page")}
        return paginate | ({} if start == 1 else {"start": start}) | _in(token), said
    if kind == "CursorPagination":
        return _by_cursor(strategy, token, records, note), said
    note(f"the pagination strategy {kind} has no translation; see `paginate`")
    return None, said


def _by_offset(
    token: Mapping[str, Any], size: Mapping[str, Any], number: int | None
) -> tuple[Paginate, dict[str, Any]]:
    paginate: Paginate = {"type": "offset", "param": token.get("field_name", "offset")}
    paginate |= {"limit_param": size["field_name"]} if size.get("field_name") else {}
    paginate |= {"limit": number} if number else {}
    return paginate | _in(token), {}


def _by_cursor(
    strategy: Mapping[str, Any], token: Mapping[str, Any], records: str, note: Callable[[str], None]
) -> Paginate | None:
    value = str(strategy.get("cursor_value", ""))
    if _LINK.fullmatch(value.strip()):
        return {"type": "header_link"}
    found = place_in("response", value)
    if found is None and (last := place_in("last_record", value) or place_in("last_records\\[-1\\]", value)):
        found = f"[-1].{last}" if records == "[]" else f"{records}[-1].{last}"
    if found is None:
        note(f"`cursor_value` is {value!r}, which has no translation; see `paginate`")
        return None
    more = _more(strategy, value, note)
    if token.get("type") == "RequestPath":
        return {"type": "json_link", "next": found} | more
    return {"type": "cursor", "param": token.get("field_name", "cursor"), "next": found} | more | _in(token)


def _more(strategy: Mapping[str, Any], value: str, note: Callable[[str], None]) -> Paginate:
    """Where an answer says whether there are other pages, if that is what ends them."""
    stop = str(strategy.get("stop_condition") or "")
    if not stop or (place_in("response", value) is None and not stop):
        return {}
    for pattern in (_STOP, _STOP_FALSE):
        if (match := pattern.fullmatch(stop.strip())) and (
            place := place_in("response", f"{{{{ {match[1]} }}}}")
        ):
            return {} if place == place_in("response", value) else {"more": place}
    note(f"`stop_condition` is {stop!r}; the pages end where there is no cursor any more")
    return {}


def _number(value: object, note: Callable[[str], None]) -> int | None:
    if is_template(value):
        note(f"`page_size` is {value!r}, which has no translation")
        return None
    return int(str(value)) if value is not None else None


def _place(option: Mapping[str, Any]) -> str:
    return _PLACES.get(str(option.get("inject_into")), "query")


def _in(option: Mapping[str, Any]) -> Paginate:
    place = _place(option)
    return {} if place == "query" else {"in": place}
