"""How many rows a Parquet file has."""

import sys

import pyarrow.parquet as pq

sys.stdout.write(f"{pq.read_metadata(sys.argv[1]).num_rows}\n")
