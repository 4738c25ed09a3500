"""Finnhub: quotes of stocks (https://finnhub.io/docs/api/quote)."""

from __future__ import annotations

from typing import Any

import fastjsonschema
from etl import addresses, web

_NUMBER = {"type": "number", "minimum": 0}
_IS_QUOTE = fastjsonschema.compile(
    {
        "type": "object",
        "properties": {"pc": _NUMBER, "o": _NUMBER, "c": {"type": "number", "exclusiveMinimum": 0}, "dp": {"type": "number"},
                       "t": {"type": "integer", "exclusiveMinimum": 0}},
        "required": ["pc", "o", "c", "dp", "t"],
    }
)  # fmt: skip


def quote(uri: str, symbol: str) -> dict[str, Any]:
    """The quote of a stock. Raises ValueError for an answer that is none: an unknown symbol has zeros."""
    address = addresses.parse(uri)
    query = {"symbol": symbol, **({"token": address.password} if address.password else {})}
    try:
        found: dict[str, Any] = _IS_QUOTE(web.get_json(f"{address.url}/api/v1/quote", query))
    except fastjsonschema.JsonSchemaException as exc:
        raise ValueError(f"the quote of {symbol} is not valid: {exc.message}") from exc
    return found
