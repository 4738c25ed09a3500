"""Writes the quote of a stock to InfluxDB, at the time that it is of."""

from __future__ import annotations

import os
import sys

import finnhub
from etl import influx, logs
from etl.web import WebError


def main(symbol: str) -> int:
    try:
        quote = finnhub.quote(os.environ["FINNHUB_URL"], symbol)
        fields = {
            "previous_close": quote["pc"],
            "open": quote["o"],
            "last_price": quote["c"],
            "change": quote["dp"],
        }
        influx.write(os.environ["INFLUX_URL"], "stocks", {"symbol": symbol}, fields, quote["t"])
    except (ValueError, WebError) as exc:
        logs.say("failed", level="error", error=str(exc))
        return 1
    logs.say("result", rows_read=1, rows_written=1)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
