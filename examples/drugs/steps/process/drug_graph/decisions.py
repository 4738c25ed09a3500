"""What was decided about a row: the trace that everything but an untouched row leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

What = Literal["repaired", "merged", "kept", "left out"]


@dataclass(frozen=True)
class Decision:
    """One thing that was decided. `kept` is for what is odd, and was left as it is."""

    row: str
    """Where the row is, as `table:number`; the first row has the number 1."""

    what: What
    why: str
    field: str | None = None
    before: object = None
    after: str | None = None

    def as_json(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if value is not None}
