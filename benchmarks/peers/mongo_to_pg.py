"""What somebody writes by hand: a loop over the documents of a collection, and COPY by psycopg."""

import sys
from typing import Any

import psycopg
from pymongo import MongoClient

mongo, name, y, target = sys.argv[1:]
with psycopg.connect(y) as database, database.cursor() as cursor:
    cursor.execute(
        f"DROP TABLE IF EXISTS {target}; CREATE TABLE {target} (_id bigint, amount float8, note text, flag bool)"
    )
    with cursor.copy(f"COPY {target} FROM STDIN") as copy:
        client: MongoClient[dict[str, Any]] = MongoClient(mongo)
        for document in client.get_default_database()[name].find(batch_size=10_000):
            copy.write_row([document[key] for key in ("_id", "amount", "note", "flag")])
