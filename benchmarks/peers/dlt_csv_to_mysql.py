"""dlt into MySQL, which is its destination `sqlalchemy`: rows of the file by pyarrow, loaded as Parquet."""

import os
import sys
import tempfile

import dlt
import pyarrow.csv
from dlt.destinations import sqlalchemy

file, y, target = sys.argv[1:]
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_ID"] = "false"
with tempfile.TemporaryDirectory() as folder:
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=folder,
        destination=sqlalchemy(y.replace("mysql://", "mysql+pymysql://")),
        dataset_name="bench",
    )
    pipeline.run(
        pyarrow.csv.read_csv(file),
        table_name=target,
        write_disposition="replace",
        loader_file_format="parquet",
    )
