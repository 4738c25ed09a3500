"""ADBC to ADBC: the source's rows as Arrow, ingested into the target. numeric and jsonb travel as text."""

import sys

from adbc_driver_postgresql import dbapi

x, source, y, target = sys.argv[1:]
columns = {
    "tb_trx_src": "*",
    "wide": "id, amount::text AS amount, at_time, note, doc::text AS doc, flag, score",
}
with dbapi.connect(x) as reading, dbapi.connect(y) as writing:
    rows = reading.cursor()
    rows.execute(f"SELECT {columns[source]} FROM {source}")
    into = writing.cursor()
    # ADBC writes what Arrow has: for the wide table that is text instead of numeric and jsonb
    into.adbc_ingest(target, rows.fetch_record_batch(), mode="replace")
    writing.commit()
