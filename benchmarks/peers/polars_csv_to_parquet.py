"""polars, streaming."""

import sys

import polars as pl

file, out = sys.argv[1:]
pl.scan_csv(file, try_parse_dates=True).sink_parquet(out)
