"""pandas, with the Arrow reader."""

import sys

import pandas as pd

file, out = sys.argv[1:]
pd.read_csv(file, engine="pyarrow", dtype_backend="pyarrow").to_parquet(out)
