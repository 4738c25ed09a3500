"""`python -m tests.spark.start FOLDER ADDRESS [BUCKET]`: a copy in small pieces, in a process that a test kills."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from msgspec import structs

from tests.spark.both import copy_of, job_of
from windlass.connections import parse_address
from windlass.engine.copying import copy
from windlass.engine.spread import cutting, pieces
from windlass.plan.model import Destination, Source

TYPES = {"id": "bigint", "amount": "numeric(12,2)", "note": "text"}


def main(folder: str, address: str, lake: str = "") -> None:
    pieces.SIZE, cutting._LARGE = 4_000, 8_000
    spark = replace(parse_address(address, "a test", "spark"), settings={"python": sys.executable})
    what = copy_of("in.csv", TYPES, to={"mode": "append"})
    job = job_of(what, Path(folder), spark)
    if lake:
        ends: dict[str, Any] = {"source": Source(connection="lake", type="s3", options=what.source.options)}
        ends["destination"] = Destination(connection="lake", type="s3", options=what.destination.options)
        job = replace(job, copy=structs.replace(job.copy, **ends))
        job.addresses["lake"] = parse_address(lake, "a test", "s3")
    print(copy(job).counts.written)  # noqa: T201 - its result


if __name__ == "__main__":
    main(*sys.argv[1:])
