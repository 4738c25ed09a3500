"""One INSERT a row, a commit every thousand: what Airflow's `DbApiHook.insert_rows` does. A tenth of the rows."""

import sys

import psycopg

x, source, y, target = sys.argv[1:]
with psycopg.connect(x) as reading, psycopg.connect(y) as writing:
    count = reading.execute(f"SELECT count(*) / 10 FROM {source}").fetchone()
    assert count is not None
    cast = {"wide": "id, amount, at_time, note, doc::text, flag, score"}.get(source, "*")
    rows = reading.cursor(name="rows")
    rows.execute(f"SELECT {cast} FROM {source} LIMIT {count[0]}")
    with writing.cursor() as cursor:
        for number, row in enumerate(rows, 1):
            marks = ", ".join(["%s"] * len(row))
            cursor.execute(f"INSERT INTO {target} VALUES ({marks})", row, prepare=False)
            if number % 1000 == 0:
                writing.commit()
    writing.commit()
