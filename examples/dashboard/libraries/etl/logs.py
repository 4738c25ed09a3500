"""Log records: one JSON object a line, which windlass, Loki and their like read."""

from __future__ import annotations

import json
import sys


def say(event: str, level: str = "info", **fields: object) -> None:
    """Print a record."""
    sys.stdout.write(json.dumps({"event": event, "level": level, **fields}, ensure_ascii=False) + "\n")
    sys.stdout.flush()
