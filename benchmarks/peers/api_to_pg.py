"""What somebody writes by hand: a loop over the pages on one connection, and COPY by psycopg."""

import http.client
import json
import sys
from urllib.parse import urlsplit

import psycopg

api, y, target = sys.argv[1:]
connection = http.client.HTTPConnection(urlsplit(api).netloc)
with psycopg.connect(y) as database, database.cursor() as cursor:
    columns = "id bigint, customer jsonb, amount double precision, status text, created_at timestamptz, note text, gift boolean"
    cursor.execute(f"DROP TABLE IF EXISTS {target}; CREATE TABLE {target} ({columns})")
    with cursor.copy(f"COPY {target} FROM STDIN") as copy:
        page = 1
        while True:
            connection.request("GET", f"/orders?page={page}")
            orders = json.loads(connection.getresponse().read())["data"]
            if not orders:
                break
            for order in orders:
                copy.write_row(
                    [json.dumps(order["customer"]) if k == "customer" else v for k, v in order.items()]
                )
            page += 1
