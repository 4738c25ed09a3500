"""One pipeline file; any language inside, any scheduler outside.

    windlass.copy("orders.csv", "postgresql://ada@localhost/shop?table=orders", mode="merge", key="id")
    windlass.query("orders.csv", "SELECT sum(amount) FROM orders")
    windlass.run("shop", "orders", params={"day": 5}, logical_date="2025-03-02")
    windlass.compile("shop")

Each is imported when it is first used, so `import windlass` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windlass.api.backfilling import backfill
    from windlass.api.copying import copy
    from windlass.api.copying_many import copy_tables
    from windlass.api.planning import compile
    from windlass.api.querying import query
    from windlass.api.results import (
        BackfillRunResult,
        CopyResult,
        QueryResult,
        RunResult,
        TableCopyResult,
        TaskRunResult,
    )
    from windlass.api.running import run
    from windlass.errors import (
        FatalError,
        Problem,
        RetryableError,
        SpecError,
        UsageError,
        WindlassError,
    )
    from windlass.plan.model import Plan
    from windlass.status import Status

__all__ = [
    "BackfillRunResult",
    "CopyResult",
    "FatalError",
    "Plan",
    "Problem",
    "QueryResult",
    "RetryableError",
    "RunResult",
    "SpecError",
    "Status",
    "TableCopyResult",
    "TaskRunResult",
    "UsageError",
    "WindlassError",
    "__version__",
    "backfill",
    "compile",
    "copy",
    "copy_tables",
    "query",
    "run",
]

__version__ = "0.1.0"

_MODULES = {
    "windlass.api.backfilling": ("backfill",),
    "windlass.api.copying": ("copy",),
    "windlass.api.planning": ("compile",),
    "windlass.api.copying_many": ("copy_tables",),
    "windlass.api.querying": ("query",),
    "windlass.api.results": (
        "BackfillRunResult",
        "CopyResult",
        "QueryResult",
        "RunResult",
        "TableCopyResult",
        "TaskRunResult",
    ),
    "windlass.api.running": ("run",),
    "windlass.errors": (
        *("FatalError", "Problem", "RetryableError", "SpecError", "UsageError", "WindlassError"),
    ),
    "windlass.plan.model": ("Plan",),
    "windlass.status": ("Status",),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            found: object = getattr(import_module(module), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
