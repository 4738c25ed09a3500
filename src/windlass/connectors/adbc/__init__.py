"""Any database that has a driver of ADBC, read as Arrow."""
