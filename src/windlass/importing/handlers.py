"""What answers mean and how often an API lets itself be asked, as a low-code manifest says it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from windlass.importing.imported import Imported
from windlass.importing.templates import path_of, tests_of

__all__ = ["duration_of", "errors_of", "rate_limit_of"]

_ACTIONS = {
    "IGNORE": "skip",
    "SUCCESS": "skip",
    "FAIL": "fail",
    "RETRY": "retry",
    "RATE_LIMITED": "retry",
    "REFRESH_TOKEN_THEN_RETRY": "retry",
}
_RETRIED = (408, 425, 429, 500, 502, 503, 504)
_UNITS = {"Y": 365 * 86_400, "M": 30 * 86_400, "W": 7 * 86_400, "D": 86_400, "TH": 3600, "TM": 60, "TS": 1}

Note = Callable[[str], None]


def errors_of(handler: Mapping[str, Any], note: Note) -> dict[str, Any]:
    """`errors` and `retry` of a source."""
    rules: list[dict[str, Any]] = []
    retry: dict[str, Any] = {}
    for each in _handlers(handler):
        for filtered in each.get("response_filters") or ():
            rules += [rule for rule in _rules_of(filtered, note) if rule not in rules]
        if isinstance(retries := each.get("max_retries"), int):
            retry = {"retry": {"attempts": max(retries + 1, retry.get("retry", {}).get("attempts", 1))}}
    return retry | ({"errors": rules} if rules else {})


def _handlers(handler: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A handler, or those that a composite one has."""
    if handler.get("type") == "CompositeErrorHandler" or "error_handlers" in handler:
        for inner in handler.get("error_handlers") or ():
            yield from _handlers(inner)
    elif handler:
        yield handler


def _rules_of(filtered: Mapping[str, Any], note: Note) -> list[dict[str, Any]]:
    action = _ACTIONS.get(str(filtered.get("action")))
    if action == "fail" or not filtered.keys() & {"http_codes", "predicate", "error_message_contains"}:
        return []  # what is not 200 fails anyway
    codes = [int(code) for code in filtered.get("http_codes") or () if str(code).isdecimal()]
    condition = _condition(filtered)
    if action is None or condition == "":
        note("a filter of its error handler has no translation; see `errors`")
        return []
    when = {"when": condition} if condition is not None else {}
    if when and not codes:
        return [{**when, "action": action}]
    return [
        {"status": code, **when, "action": action}
        for code in codes
        if not (action == "retry" and not when and code in _RETRIED)  # as it is anyway
    ]


def _condition(filtered: Mapping[str, Any]) -> str | None:
    """What a filter asks of the answer; nothing where that has no translation, None where it does not ask."""
    if "error_message_contains" in filtered:
        return ""
    if not (predicate := filtered.get("predicate")):
        return None
    tests = tests_of(str(predicate))
    if tests is None or len(tests) != 1 or tests[0].place.root != "response" or not tests[0].place.path:
        return ""
    path = path_of(tests[0].place)
    if tests[0].asks in ("absent", "present") and '"' in path:  # a text of the answer, and no key
        return ""
    value = json.dumps(tests[0].value)
    return {"present": path, "absent": f"{path} == null"}.get(
        tests[0].asks, f"{path} {tests[0].asks} {value}"
    )


def rate_limit_of(budget: Mapping[str, Any], imported: Imported) -> dict[str, Any]:
    """`rate_limit` of the connection: of several, that which lets it be asked least often."""
    rates = [
        (float(rate["limit"]) / seconds, int(rate["limit"]), seconds)
        for policy in budget.get("policies") or ()
        for rate in policy.get("rates") or ()
        if str(rate.get("limit")).isdecimal() and (seconds := duration_of(str(rate.get("interval"))))
    ]
    if not rates:
        if budget.get("policies"):
            imported.note("api_budget", "has no translation; see `rate_limit`")
        return {}
    if len(budget.get("policies") or ()) > 1:
        imported.note("api_budget", "of several limits the lowest was taken, for all requests")
    _, calls, seconds = min(rates)
    return {"rate_limit": {"calls": calls, "per": f"{seconds}s"}}


def duration_of(iso: str) -> int | None:
    """The seconds of a duration of ISO 8601, a year as 365 days and a month as 30; None for something else.

    >>> duration_of("P1DT2H"), duration_of("P1M"), duration_of("soon")
    (93600, 2592000, None)
    """
    seconds, number, part = 0, "", ""
    for character in iso.removeprefix("P"):
        if character == "T" and not number:
            part = "T"
        elif character.isdecimal():
            number += character
        elif number and part + character in _UNITS:
            seconds, number = seconds + int(number) * _UNITS[part + character], ""
        else:
            return None
    return seconds if iso.startswith("P") and not number and seconds else None
