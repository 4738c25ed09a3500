"""dlt: the CSV by its Arrow reader, written to Parquet by the filesystem destination."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pyarrow.csv as pc
from dlt.destinations import filesystem

file, out = sys.argv[1:]
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"


@dlt.resource(name="wide")
def rows() -> Iterator[Any]:
    yield from pc.open_csv(file)


with tempfile.TemporaryDirectory() as folder:
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=f"{folder}/state",
        destination=filesystem(f"{folder}/out"),
        dataset_name="bench",
    )
    pipeline.run(rows(), loader_file_format="parquet")
    written = max(Path(folder, "out").rglob("wide/*.parquet"), key=lambda path: path.stat().st_size)
    shutil.move(written, out)
