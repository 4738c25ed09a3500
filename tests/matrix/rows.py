"""The pipelines of the table, and what came of each."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass, field

from tests.matrix.place import Place

__all__ = ["ROWS", "Row"]


@dataclass(frozen=True)
class Row:
    """A pipeline, and where to look for what came of it."""

    project: str
    pipeline: str
    tables: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()
    away: tuple[str, ...] = field(default=(), kw_only=True)
    """Connections behind which there is nothing: the run fails, and that is told."""

    @property
    def title(self) -> str:
        return f"{self.project}: `{self.pipeline}`" + (" fails" if self.away else "")

    def came_of(self, place: Place) -> str:
        """What is there after a run, so that two texts are the same only where it is."""
        if self.away:
            return f"{len(place.told)} message" + "".join(sorted(_failure(told) for told in place.told))
        tables = [_rows(place, f"{connection}:{table}") for connection, table in self.tables]
        return ", ".join([*tables, *(_file(place, name) for name in self.files)])


ROWS = (
    Row("pg2pg", "pg2pg", tables=(("pg_y", "tb_trx_dest"),)),
    Row(
        "taxi",
        "taxi_csv",
        tables=(("warehouse", "yellow_trips"),),
        files=("downloads/yellow_tripdata_2021-01.csv",),
    ),
    Row("taxi", "taxi", tables=(("warehouse", "yellow_taxi_trips"),)),
    Row("ensembl", "etl1", tables=(("ensembl-transformed", "ensembl"),)),
    Row("ensembl", "etl1_parallel", tables=(("ensembl-transformed", "ensembl"),)),
    Row("dashboard", "project_tasks", tables=(("warehouse", "project_tasks"),)),
    Row("dashboard", "yield_curve", tables=(("warehouse", "yield_curve"),)),
    Row("dashboard", "yield_curve", away=("treasury",)),
    Row("drugs", "import_dv", files=("imported_data/drugs.parquet", "imported_data/pubmed_csv.parquet")),
)


def _failure(told: object) -> str:
    """That a message tells which pipeline has failed; how it is put differs with what a scheduler knows."""
    return " that yield_curve has failed" if "yield_curve" in json.dumps(told) else f": {told}"


def _rows(place: Place, source: str) -> str:
    """How many rows, and what is in them, in any order."""
    done = place.windlass("query", source, "--format", "csv")
    done.check_returncode()
    header, *rows = csv.reader(io.StringIO(done.stdout))
    text = json.dumps([header, sorted(rows)])
    return f"{len(rows):,} rows, {_digest(text.encode())}"


def _file(place: Place, name: str) -> str:
    """The rows of a Parquet file, in whose bytes stand the versions of what wrote it; every byte of another."""
    path = place.root / name
    if not path.exists():
        return f"no {name}"
    if path.suffix == ".parquet":
        return _rows(place, str(path))
    return f"{path.stat().st_size:,} bytes, {_digest(path.read_bytes())}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]
