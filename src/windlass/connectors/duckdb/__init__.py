"""DuckDB files: tables as sources and destinations of a copy, and SQL.

The file is attached to the scratch database of the copy, so rows go from one to the other without
leaving DuckDB. Only one process at a time can have such a file open: DuckDB's own rule, which also keeps
two writers apart.
"""
