"""dlt with its fastest set-up for this: the Arrow backend of `sql_database`, loaded as CSV."""

import os
import sys
import tempfile

import dlt
from dlt.destinations import postgres
from dlt.sources.sql_database import sql_database

x, source, y, target = sys.argv[1:]
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_ID"] = "false"
with tempfile.TemporaryDirectory() as folder:
    pipeline = dlt.pipeline(
        "bench", pipelines_dir=folder, destination=postgres(y.replace("@", ":unused@")), dataset_name="public"
    )
    rows = sql_database(
        x.replace("mysql://", "mysql+pymysql://"), backend="pyarrow", chunk_size=100_000, table_names=[source]
    )
    rows.resources[source].apply_hints(table_name=target)
    pipeline.run(rows, write_disposition="replace", loader_file_format="csv")
