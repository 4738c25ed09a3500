"""What Postgres's system catalog says of a table: its columns, its constraints, its neighbours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from windlass.connectors.postgres.session import Session
from windlass.connectors.postgres.statements import statements
from windlass.connectors.scratch import identifier
from windlass.errors import Code, FatalError, did_you_mean

__all__ = [
    "PgColumn",
    "Table",
    "columns_of_query",
    "default_schema",
    "find_table",
    "no_table",
    "require_name",
    "require_table",
    "split_name",
    "table_names",
    "without_semicolon",
]


@dataclass(frozen=True)
class PgColumn:
    """A column. `type` is as `format_type` writes it, and `stored` the same of what is below a domain, if it is one;
    `base` is the catalog's name of that."""

    name: str
    type: str
    stored: str
    base: str
    type_kind: str
    not_null: bool
    has_default: bool
    generated: bool
    identity: bool
    length: int | None
    precision: int | None
    scale: int | None
    sequence: str | None
    built_in: bool
    """Every server has this type, and means the same by it."""

    portable: bool
    """Another server gets the same value from the type's binary form: it has one, no object's number is in it,
    and it says everything (that of XML leaves a declaration out that says no more than version 1.0)."""


@dataclass(frozen=True)
class Table:
    """A table, found by the name that somebody wrote."""

    oid: int
    schema: str
    name: str
    kind: str
    columns: tuple[PgColumn, ...]

    @property
    def sql(self) -> str:
        """The name as SQL, schema included."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"

    def column(self, name: str) -> PgColumn | None:
        return next((column for column in self.columns if column.name == name), None)


def split_name(text: str) -> tuple[str | None, str]:
    """Schema (or None) and name in `name`, `schema.name`, or with parts in double quotes.

    Nothing is folded to lower case: the name is the name.

    >>> split_name('sales.orders'), split_name('"a.b"')
    (('sales', 'orders'), (None, 'a.b'))
    """
    parts = re.findall(r'"(?:[^"]|"")*"|[^."]+', text)
    if not 1 <= len(parts) <= 2 or ".".join(parts) != text:
        raise FatalError(
            f"{text!r} is not a valid table name", hint='expected name, schema.name or "odd.name"'
        )
    names = [p[1:-1].replace('""', '"') if p.startswith('"') else p for p in parts]
    require_name(*names)
    return (names[0], names[1]) if len(names) == 2 else (None, names[0])


def require_name(*names: str) -> None:
    """Raise FatalError for a name that Postgres would cut off, and so take for another one, or that it cannot have."""
    for name in names:
        if (length := len(name.encode())) > _LONGEST_NAME:
            hint = f"Postgres keeps the first {_LONGEST_NAME}: choose a shorter name"
            raise FatalError(f"the name {name!r} has {length} bytes", hint=hint)
        if "\0" in name:
            raise FatalError(
                f"the name {name!r} has a NUL character", hint="choose another name with `select`"
            )


def find_table(session: Session, text: str) -> Table | None:
    """The table, view or foreign table of that name, or None."""
    schema, name = split_name(text)
    qualified = identifier(name) if schema is None else f"{identifier(schema)}.{identifier(name)}"
    found = session.row(_TABLE, qualified)
    if found is None:
        return None
    columns = tuple(PgColumn(**dict(row)) for row in session.fetch(_COLUMNS, found["oid"]))
    return Table(found["oid"], found["schema"], found["name"], found["kind"], columns)


def require_table(session: Session, text: str, what: str) -> Table:
    """The table of that name. Raises FatalError with near names."""
    table = find_table(session, text)
    if table is None:
        hint = did_you_mean(text, table_names(session)) or "the database has no tables"
        raise FatalError(f"{what}: there is no table {text!r}", hint=hint, code=Code.NO_TABLE)
    return table


def no_table(session: Session, error: FatalError) -> FatalError:
    """The error of a statement about a table that there is not, with near names."""
    missing = error.message.split('"')[1] if '"' in error.message else ""
    hint = did_you_mean(missing, table_names(session)) or "the database has no tables"
    return FatalError(error.message, hint=hint, code=Code.NO_TABLE)


def columns_of_query(session: Session, query: str) -> tuple[PgColumn, ...]:
    """The columns that a SELECT returns. Looked up as those of a temporary view, which alone knows the
    precision of a numeric; a server that allows no temporary objects tells the rest."""
    if len(list(statements(query))) != 1:
        raise FatalError("a query is one SELECT, and this is more or less than one statement")
    session.execute("BEGIN")
    try:
        session.execute(f"CREATE TEMP VIEW windlass_query AS {without_semicolon(query)}")
        oid = session.value("SELECT 'pg_temp.windlass_query'::regclass::oid::int8")
        return tuple(PgColumn(**dict(row)) for row in session.fetch(_COLUMNS, oid))
    except FatalError as exc:
        if exc.code is Code.NO_TABLE:
            session.execute("ROLLBACK; BEGIN")
            raise no_table(session, exc) from exc
        if getattr(exc.__cause__, "sqlstate", None) not in _NO_TEMPORARY_VIEWS:
            raise
        session.execute("ROLLBACK; BEGIN")
        return _columns_of_statement(session, query)
    finally:
        session.execute("ROLLBACK")


def _columns_of_statement(session: Session, query: str) -> tuple[PgColumn, ...]:
    attributes = session.run(session.connection.prepare(query)).get_attributes()
    types = {row["oid"]: row for row in session.fetch(_TYPES, [a.type.oid for a in attributes])}

    def column(name: str, oid: int) -> PgColumn:
        facts = {key: value for key, value in types[oid].items() if key != "oid"}
        return PgColumn(name=name, **_UNKNOWN, **facts)

    return tuple(column(a.name, a.type.oid) for a in attributes)


def without_semicolon(query: str) -> str:
    """The query as it can stand in parentheses."""
    return query.rstrip().rstrip(";")


def table_names(session: Session) -> list[str]:
    """Every table and view that is not Postgres's or windlass's own, with its schema unless on the path."""
    return [row["name"] for row in session.fetch(_NAMES)]


def default_schema(session: Session) -> str:
    """Where a table without a schema is made."""
    schema = session.value("SELECT current_schema()")
    if schema is None:
        raise FatalError("the connection has no schema to create tables in", hint="name one: schema.table")
    return str(schema)


_LONGEST_NAME = 63  # bytes, NAMEDATALEN - 1
_NO_TEMPORARY_VIEWS = ("25006", "42501")  # read-only, as on a replica; not permitted

_TABLE = """
SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass($1)
"""

_PORTABLE = """CASE WHEN t.oid < 16384 THEN t.typname !~ '^_?(reg|aclitem)|^xml$' AND t.typsend <> 0
       ELSE NOT EXISTS (
           WITH RECURSIVE part AS (
               SELECT t.oid AS oid
               UNION
               SELECT unnest(ARRAY[y.typelem, y.typbasetype]
                      || ARRAY(SELECT rngsubtype FROM pg_range WHERE y.oid IN (rngtypid, rngmultitypid))
                      || ARRAY(SELECT atttypid FROM pg_attribute
                               WHERE attrelid = y.typrelid AND attnum > 0 AND NOT attisdropped))
               FROM part JOIN pg_type y USING (oid)
           )
           SELECT FROM part JOIN pg_type y USING (oid)
           WHERE y.oid < 16384 AND y.typname ~ '^(reg|aclitem)' OR y.typsend = 0 OR y.typreceive = 0
       ) END"""

_COLUMNS = f"""
SELECT a.attname AS name,
       format_type(a.atttypid, a.atttypmod) AS type,
       format_type(b.oid, m.typmod) AS stored,
       b.typname AS base,
       t.typtype::text AS type_kind,
       a.attnotnull OR t.typnotnull AS not_null,
       a.atthasdef AND a.attgenerated = '' OR t.typdefault IS NOT NULL AS has_default,
       a.attgenerated <> '' AS generated,
       a.attidentity <> '' AS identity,
       CASE WHEN b.typname IN ('varchar', 'bpchar') AND m.typmod > 4 THEN m.typmod - 4 END AS length,
       CASE WHEN b.typname = 'numeric' AND m.typmod > 4 THEN (m.typmod - 4) >> 16 & 65535 END AS precision,
       CASE WHEN b.typname = 'numeric' AND m.typmod > 4
            THEN ((m.typmod - 4 & 2047) # 1024) - 1024 END AS scale,
       pg_get_serial_sequence(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname) AS sequence,
       t.oid < 16384 AS built_in,
       {_PORTABLE} AS portable
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
CROSS JOIN LATERAL (SELECT CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS typmod) m
WHERE a.attrelid = $1::int8::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""

_UNKNOWN: dict[str, Any] = {
    **dict.fromkeys(("length", "precision", "scale", "sequence")),
    **dict.fromkeys(("not_null", "has_default", "generated", "identity"), False),
}

_TYPES = f"""
SELECT t.oid::int8 AS oid, format_type(t.oid, -1) AS type, format_type(t.oid, -1) AS stored, t.typname AS base,
       t.typtype::text AS type_kind,
       t.oid < 16384 AS built_in, {_PORTABLE} AS portable
FROM pg_type t WHERE t.oid = ANY ($1::oid[])
"""

_NAMES = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg_temp%'
  AND c.relname NOT LIKE '\\_windlass%'
ORDER BY 1
"""
