"""Postgres to Postgres: the same values, of every type, in every mode.

What is compared is each value's text on either server, asked for over a connection of the test's own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.connectors.database import Database
from windlass.plan.model import Destination, Mode, Partition, SelectColumn
from windlass.testing import Copier, destination_of, source_of

OWN_TYPES = """
    CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine", really');
    CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
    CREATE DOMAIN price AS numeric(10,2);
    CREATE DOMAIN prices AS price[];
    CREATE TYPE address AS (street text, "house no" integer, moods mood[]);
    CREATE TYPE person AS (name text, home address);
    CREATE TYPE moodrange AS RANGE (subtype = mood);
    CREATE TABLE "My Table" ();
    CREATE SCHEMA "odd schema";
    CREATE TYPE "odd schema"."Odd Type" AS ENUM ('ä', '日本');
"""

# column, type, values as SQL literals (of that type)
TYPES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("t_bool", "boolean", ("true", "false")),
    ("t_int2", "smallint", ("-32768", "32767")),
    ("t_int4", "integer", ("-2147483648", "2147483647")),
    ("t_int8", "bigint", ("-9223372036854775808", "9223372036854775807")),
    ("t_numeric", "numeric", ("NaN", "Infinity", "-Infinity", "1.50", "1.5000", "1e-300", "1" * 200, "0.00")),
    ("t_numeric_38_10", "numeric(38,10)", ("NaN", "1234567890123456789012345678.0123456789", "-0.0000000001")),
    ("t_numeric_2_5", "numeric(2,5)", ("0.00099", "-0.00012")),
    ("t_numeric_5_m2", "numeric(5,-2)", ("1234500", "-100")),
    ("t_float4", "real", ("NaN", "Infinity", "-Infinity", "1.17549435e-38", "3.4028235e38", "-0")),
    ("t_float8", "double precision", ("NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308", "0.1", "-0")),
    ("t_money", "money", ("-92233720368547758.08", "12.34")),
    ("t_text", "text", ("", " ", "NULL", r"\N", r"\\x41", "tab\there", "two\nlines\r\n", "quote\"'", "日本語 🎉 é", "x" * 100_000)),
    ("t_varchar", "varchar(10)", ("", "zehn chars")),
    ("t_char", "char(5)", ("", "ab", "abcde")),
    ("t_one_char", '"char"', ("a",)),
    ("t_name", "name", ("n" * 63,)),
    ("t_bytea", "bytea", (r"\x", r"\x00ff00", r"\x" + "00" * 70_000)),
    ("t_date", "date", ("infinity", "-infinity", "4713-01-01 BC", "0001-01-01", "5874897-12-31", "2000-02-29")),
    ("t_time", "time", ("00:00", "24:00", "23:59:59.999999")),
    ("t_timetz", "timetz", ("00:00+14", "24:00-15:59:59", "23:59:59.999999+00")),
    ("t_timestamp", "timestamp", ("infinity", "-infinity", "4713-01-01 00:00 BC", "294276-12-31 23:59:59.999999")),
    ("t_timestamptz", "timestamptz", ("infinity", "-infinity", "4713-01-02 00:00+00 BC", "294276-12-31 23:59:59.999999+00")),
    ("t_timestamp_0", "timestamp(0)", ("2020-01-01 12:34:56",)),
    ("t_interval", "interval", ("1 year 2 mons", "-1 mons +30 days", "1 mon -1 day 00:00:00.000001", "infinity", "-infinity",
                                "178000000 years", "-2562047788 hours -54.775808 secs", "0")),
    ("t_interval_field", "interval day to second(3)", ("3 days 04:05:06.789",)),
    ("t_json", "json", ('{"b": 1, "a": 1, "a": 2}', "[ 1,2 ]", "123456789012345678901234567890.10", "null", '"\\u00e9"')),
    ("t_jsonb", "jsonb", ('{"big": 123456789012345678901234567890.123000}', "9007199254740993", "1e400", '[null, {"a": []}]', "null")),
    ("t_jsonpath", "jsonpath", ("$.a[*] ? (@.b > 3)",)),
    ("t_uuid", "uuid", ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff")),
    ("t_xml", "xml", ()),  # the embedded server can keep no XML: it is built without libxml
    ("t_bit", "bit(10)", ("0000000000", "1010101010")),
    ("t_varbit", "bit varying", ("", "1", "10" * 500)),
    ("t_inet", "inet", ("192.168.0.1", "192.168.0.1/24", "::ffff:1.2.3.4", "fe80::1/64")),
    ("t_cidr", "cidr", ("10.0.0.0/8", "2001:db8::/32")),
    ("t_macaddr", "macaddr", ("08:00:2b:01:02:03",)),
    ("t_macaddr8", "macaddr8", ("08:00:2b:01:02:03:04:05",)),
    ("t_tsvector", "tsvector", ("a:1A fat:2B,4C cat:5D", "'quo''ted' x")),
    ("t_tsquery", "tsquery", ("fat & (rat | !cat:A)", "a <2> b:*")),
    ("t_point", "point", ("(1.5,-Infinity)", "(NaN,0.1)")),
    ("t_line", "line", ("{1,-1,0.1}",)),
    ("t_lseg", "lseg", ("[(0,0),(1,2)]",)),
    ("t_box", "box", ("(3,4),(1,2)",)),
    ("t_path", "path", ("((0,0),(1,1),(2,0))", "[(0,0),(1,1)]")),
    ("t_polygon", "polygon", ("((0,0),(1,1),(2,0))",)),
    ("t_circle", "circle", ("<(1,2),3.5>",)),
    ("t_int4range", "int4range", ("empty", "[1,5)", "(,)", "[3,)")),
    ("t_numrange", "numrange", ("[1.50,2.500]", "[-Infinity,Infinity]", "empty")),
    ("t_daterange", "daterange", ("[-infinity,infinity]", "[4713-01-01 BC,2000-01-01)")),
    ("t_tstzrange", "tstzrange", ("[2000-01-01,infinity)",)),
    ("t_int8multirange", "int8multirange", ("{}", "{[1,2),[5,9)}")),
    ("t_datemultirange", "datemultirange", ("{[2000-01-01,2000-02-01),(2001-01-01,)}",)),
    ("t_int_array", "integer[]", ("{}", "{1,NULL,3}", "[2:4]={1,2,3}", "{{1,2},{3,NULL}}", "[-1:0][5:6]={{1,2},{3,4}}")),
    ("t_text_array", "text[]", ("{}", '{NULL,"NULL","","a,b","q\\"q","back\\\\slash","{}"}', '{"[1,2]"}', "[1:1]={x}")),
    ("t_numeric_array", "numeric[]", ("{NaN,Infinity,1.50}",)),
    ("t_json_array", "jsonb[]", ('{"{\\"a\\": 1}",NULL}',)),
    ("t_timestamptz_array", "timestamptz[]", ("{infinity,294276-12-31 23:59:59+00}",)),
    ("t_bytea_array", "bytea[]", (r'{"\\x00",NULL}',)),
    ("t_char_array", "char(3)[]", ('{"a  ",abc}',)),
    ("t_range_array", "int4range[]", ('{"[1,2)",empty}',)),
    ("t_enum", "mood", ("sad", "it's \"fine\", really")),
    ("t_enum_array", "mood[]", ("{sad,ok}", '{"it\'s \\"fine\\", really",NULL}')),
    ("t_odd_enum", '"odd schema"."Odd Type"', ("ä", "日本")),
    ("t_domain", "positive", ("1",)),
    ("t_domain_numeric", "price", ("1.50", "NaN")),
    ("t_domain_array", "positive[]", ("{1,NULL}", "[3:3]={9}")),
    ("t_array_domain", "prices", ("{1.50,NULL}",)),
    ("t_composite", "address", ('("Main, St.",5,"{sad,NULL}")', "(,,)", '("",0,{})')),
    ("t_nested", "person", ('("O\'Brien \\"Bob\\"","(""x y"",1,{ok})")',)),
    ("t_composite_array", "address[]", ('{"(a,1,{sad})",NULL}',)),
    ("t_enum_range", "moodrange", ("[sad,ok]", "empty")),
    ("t_enum_multirange", "moodmultirange", ("{[sad,ok]}",)),
    ("t_oid", "oid", ("4294967295",)),
    ("t_pg_lsn", "pg_lsn", ("16/B374D848",)),
    ("t_tid", "tid", ("(4294967295,65535)",)),
    ("t_xid8", "xid8", ("18446744073709551615",)),
    ("t_regclass", "regclass", ('"My Table"', "pg_class")),
    ("t_regtype", "regtype", ("mood", "integer")),
    ("t_regtype_array", "regtype[]", ("{mood,text}",)),
)  # fmt: skip

ROWS = max(len(values) for _, _, values in TYPES) + 1  # the last one is all NULL


def table(name: str) -> str:
    columns = "".join(f", {column} {kind}" for column, kind, _ in TYPES)
    return f"CREATE TABLE {name} (id integer PRIMARY KEY, day date{columns});"


def inserts(name: str) -> str:
    """A row for the first value of each type, one for the second, and so on."""
    lines = []
    for number in range(ROWS):
        values = [literal(v[number]) if number < len(v) else "NULL" for _, _, v in TYPES]
        lines.append(f"INSERT INTO {name} VALUES ({number}, '2020-01-01', {', '.join(values)});")
    return "\n".join(lines)


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def texts(database: Database, name: str) -> dict[tuple[int, str], str]:
    """Every value as text, by row and column. Shortened here, so that a failure can be read."""
    columns = ", ".join(f"{column}::text" for column, _, _ in TYPES)
    found = {}
    for number, *values in database.rows(f"SELECT id, {columns} FROM {name}"):
        for (column, _, _), value in zip(TYPES, values, strict=True):
            found[number, column] = (
                value if value is None or len(value) < 300 else f"{len(value)} {hash(value)}"
            )
    return found


def definition(database: Database, name: str) -> list[tuple[str, str]]:
    return database.rows(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        f"WHERE attrelid = '{name}'::regclass AND attnum > 0 ORDER BY attnum"
    )


@pytest.fixture
def pair(make_postgres: Callable[[str], Database], copier: Copier) -> tuple[Database, Database]:
    """The source, with all values in it, and the target, which only has the types."""
    source = make_postgres(OWN_TYPES + table("everything") + inserts("everything"))
    target = make_postgres(
        "CREATE TABLE uses_up_a_number ();" + OWN_TYPES
    )  # so types have other numbers here
    copier.addresses.update(x=source.address, y=target.address)
    return source, target


EVERYTHING = source_of(connection="x", table="everything")
INTERVAL = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC))


def test_a_table_that_windlass_makes_has_the_same_types_and_values(
    pair: tuple[Database, Database], copier: Copier
) -> None:
    source, target = pair
    result = copier(EVERYTHING, destination_of(connection="y", table="everything"))
    assert result.path == "copy-binary"
    assert definition(target, "everything") == definition(source, "everything")
    assert texts(target, "everything") == texts(source, "everything")


@pytest.mark.parametrize("on_bad_row", ["fail", "quarantine"])
@pytest.mark.parametrize(
    "destination",
    [
        destination_of(connection="y", table="everything", mode="append"),
        destination_of(connection="y", table="everything", mode="replace"),
        destination_of(connection="y", table="everything", mode="merge", key=("id",)),
        destination_of(connection="y", table="everything", mode="delete_insert", interval="day"),
    ],
    ids=lambda d: d.mode,
)
def test_a_table_that_is_there_gets_the_same_values(
    pair: tuple[Database, Database], copier: Copier, destination: Destination, on_bad_row: str
) -> None:
    source, target = pair
    target.run(table("everything"))
    result = copier(EVERYTHING, destination, on_bad_row=on_bad_row, interval=INTERVAL)
    assert result.counts.written == ROWS
    assert texts(target, "everything") == texts(source, "everything")


def test_parts_that_are_read_at_once_make_up_the_same_table(
    pair: tuple[Database, Database], copier: Copier
) -> None:
    source, target = pair
    copier(
        EVERYTHING, destination_of(connection="y", table="everything"), partition=Partition(by="id", parts=3)
    )
    assert texts(target, "everything") == texts(source, "everything")


def test_a_merge_changes_what_differs_and_counts_what_does_not(
    pair: tuple[Database, Database], copier: Copier
) -> None:
    source, target = pair
    destination = destination_of(connection="y", table="everything", mode="merge", key=("id",))
    copier(EVERYTHING, destination)
    target.run("UPDATE everything SET t_numeric = 1.500 WHERE id = 3; DELETE FROM everything WHERE id = 4")
    counts = copier(EVERYTHING, destination).counts
    assert (counts.inserted, counts.updated, counts.unchanged) == (1, 1, ROWS - 2)
    assert texts(target, "everything") == texts(source, "everything")


def test_values_that_another_type_can_hold_are_converted_and_the_others_quarantined(
    make_postgres: Callable[[str], Database], copier: Copier
) -> None:
    source = make_postgres("""
        CREATE TABLE t (id int, a text, b numeric, c timestamp, d text, e jsonb);
        INSERT INTO t VALUES (1, '007', 5, '2020-01-01', 'sad', '[1, 2]'),
          (2, 'x', 5, '2020-01-01', 'sad', '[]'), (3, '1', 5.5, '2020-01-01', 'sad', '[]'),
          (4, '1', 5, '2020-01-01 12:00', 'sad', '[]'), (5, '1', 5, '2020-01-01', 'glad', '[]'),
          (6, NULL, NULL, NULL, NULL, NULL), (7, '1', 'NaN', '2020-01-01', 'ok', '[]'),
          (8, '1', 1, 'infinity', 'ok', '[]')""")
    target = make_postgres(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (id int, a int, b int, c date, d mood, e json)"
    )
    copier.addresses.update(x=source.address, y=target.address)
    copier(
        source_of(connection="x", table="t"),
        destination_of(connection="y", table="t"),
        on_bad_row="quarantine",
    )
    rows = target.rows("SELECT id, a, b, c::text, d::text, e::text FROM t ORDER BY id")
    assert rows == [
        (1, 7, 5, "2020-01-01", "sad", "[1, 2]"),
        (6, None, None, None, None, None),
        (8, 1, 1, "infinity", "ok", "[]"),
    ]
    found = {(row["record"]["id"], row["column"], row["reason"]) for row in copier.quarantined}
    assert found == {
        (2, "a", "type_mismatch"),
        (3, "b", "type_mismatch"),
        (4, "c", "loses_precision"),
        (5, None, "type_mismatch"),
        (7, "b", "type_mismatch"),
    }


def test_generated_columns_are_left_to_the_target(
    make_postgres: Callable[[str], Database], copier: Copier
) -> None:
    columns = (
        "a int, twice int GENERATED ALWAYS AS (a * {}) STORED, thrice int GENERATED ALWAYS AS (a * 3) VIRTUAL"
    )
    source = make_postgres(f"CREATE TABLE t ({columns.format(2)}); INSERT INTO t VALUES (1), (2)")
    target = make_postgres(f"CREATE TABLE t ({columns.format(20)})")
    copier.addresses.update(x=source.address, y=target.address)
    for mode in ("append", "replace"):
        copier(source_of(connection="x", table="t"), destination_of(connection="y", table="t", mode=mode))
    assert target.rows("SELECT * FROM t ORDER BY a") == [(1, 20, 3), (2, 40, 6)]
    copier(source_of(connection="x", table="t"), destination_of(connection="y", table="made"))
    assert target.rows("SELECT * FROM made ORDER BY a") == [(1, 2, 3), (2, 4, 6)]


@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
@pytest.mark.parametrize(
    "column", ["serial", "int GENERATED ALWAYS AS IDENTITY", "bigint GENERATED BY DEFAULT AS IDENTITY"]
)
def test_sequences_go_on_behind_the_copied_rows(
    make_postgres: Callable[[str], Database], copier: Copier, column: str, mode: Mode
) -> None:
    script = f'CREATE TABLE "T" ("Id" {column} PRIMARY KEY, v text)'
    source = make_postgres(
        script
        + """; INSERT INTO "T" (v) VALUES ('a'), ('b'), ('c');
        DELETE FROM "T" WHERE v = 'c'"""
    )
    target = make_postgres(script)
    copier.addresses.update(x=source.address, y=target.address)
    key = ("Id",) if mode == "merge" else ()
    copier(
        source_of(connection="x", table="T"), destination_of(connection="y", table="T", mode=mode, key=key)
    )
    target.run("INSERT INTO \"T\" (v) VALUES ('new')")
    assert target.rows('SELECT "Id", v FROM "T" ORDER BY 1') == [(1, "a"), (2, "b"), (4, "new")]


PARTITIONED = """
    CREATE TABLE sales (id int, day date, amount numeric) PARTITION BY RANGE (day);
    CREATE TABLE sales_2020 PARTITION OF sales FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
    CREATE TABLE sales_rest PARTITION OF sales DEFAULT;
"""


@pytest.mark.parametrize("mode", ["append", "replace", "merge", "delete_insert"])
def test_partitioned_tables_can_be_either_end(
    make_postgres: Callable[[str], Database], copier: Copier, mode: Mode
) -> None:
    rows = "INSERT INTO sales SELECT i, date '2020-01-01' + i, i / 7.0 FROM generate_series(0, 999) i"
    source = make_postgres(PARTITIONED + rows)
    target = make_postgres(PARTITIONED)
    copier.addresses.update(x=source.address, y=target.address)
    destination = destination_of(
        connection="y",
        table="sales",
        mode=mode,
        key=("id",) if mode == "merge" else (),
        interval="day" if mode == "delete_insert" else None,
    )
    span = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
    for _ in range(2):
        copier(source_of(connection="x", table="sales"), destination, interval=span, run_key="one")
    query = "SELECT tableoid::regclass::text, id, day, amount::text FROM sales ORDER BY id"
    assert target.rows(query) == source.rows(query)


NAMES = (
    "select", "user", "Order By", 'quo"te', 'all""quotes"', "it's", "a.b", "semi;colon", "--", "/* c", "$1", "%s",
    "{x}", "{v}", "back\\slash", "new\nline", "tab\there", " lead", "ünïcödé", "日本語テーブル", "🎉", "ctid2", "NULL",
    "s", "d", "f0", "f1", "__v0", "record", "fault", "x" * 63, "é" * 31, "CamelCase", "camelcase", "windlass_row", "?",
)  # fmt: skip


@pytest.mark.parametrize("on_bad_row", ["fail", "quarantine"])
@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
def test_any_name_will_do_for_a_column(
    make_postgres: Callable[[str], Database], copier: Copier, mode: Mode, on_bad_row: str
) -> None:
    columns = ", ".join(f"{quoted(name)} text" for name in NAMES)
    values = ", ".join(literal(f"value {i}") for i in range(len(NAMES)))
    script = f"CREATE TABLE t (id int PRIMARY KEY, {columns});"
    source = make_postgres(f"{script} INSERT INTO t VALUES (1, {values})")
    target = make_postgres(script)
    copier.addresses.update(x=source.address, y=target.address)
    key = ("id",) if mode == "merge" else ()
    destination = destination_of(connection="y", table="t", mode=mode, key=key)
    for _ in range(2):
        copier(source_of(connection="x", table="t"), destination, on_bad_row=on_bad_row, run_key="one")
    assert target.rows("SELECT * FROM t") == source.rows("SELECT * FROM t")


def test_any_name_will_do_for_a_table(make_postgres: Callable[[str], Database], copier: Copier) -> None:
    copier.addresses["x"] = (database := make_postgres("")).address
    for name in NAMES:
        table = quoted(name)
        database.run(f"""CREATE TABLE {table} (id serial PRIMARY KEY, {table} text UNIQUE);
            INSERT INTO {table} ({table}) VALUES ('a'), ('b')""")
        end = source_of(connection="x", table=table)
        copier(end, destination_of(connection="x", table="a copy"))
        copier(
            source_of(connection="x", table="a copy"),
            destination_of(connection="x", table=table, mode="replace"),
        )
        copier(end, destination_of(connection="x", table=table, mode="merge", key=(name,)))
        database.run(f"INSERT INTO {table} ({table}) VALUES ('c'); DROP TABLE \"a copy\"")
        assert database.rows(f"SELECT * FROM {table} ORDER BY 1") == [(1, "a"), (2, "b"), (3, "c")]


SET_UP_OTHERWISE = {
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kolkata",
    "extra_float_digits": "-5",
    "bytea_output": "escape",
}


def test_how_the_servers_are_set_up_changes_no_value(pair: tuple[Database, Database], copier: Copier) -> None:
    source, target = pair
    expected = texts(source, "everything")
    destination = destination_of(connection="y", table="everything", mode="append")
    copier(EVERYTHING, destination)
    for setting, value in {**SET_UP_OTHERWISE, "default_transaction_read_only": "on"}.items():
        source.run(f"ALTER DATABASE {source.address.database} SET {setting} = {literal(value)}")
    for from_ in (EVERYTHING, source_of(connection="x", query="SELECT * FROM everything")):
        target.run("TRUNCATE everything")
        copier(from_, destination, on_bad_row="quarantine")
        assert [row["message"][:300] for row in copier.quarantined] == []
        assert texts(target, "everything") == expected


def test_columns_are_renamed_and_picked_by_select(pair: tuple[Database, Database], copier: Copier) -> None:
    source, target = pair
    select = (SelectColumn(name="nr", source="id"), SelectColumn(name="how", source="t_enum_array"))
    copier(EVERYTHING, destination_of(connection="y", table="t"), select=select)
    assert target.rows("SELECT nr, how::text FROM t ORDER BY 1") == source.rows(
        "SELECT id, t_enum_array::text FROM everything ORDER BY 1"
    )


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
