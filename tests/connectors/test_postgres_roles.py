"""A source of which a role may see only a part: that part is read if it was asked for, and nothing is left out in silence."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.connectors.database import Database
from windlass.errors import FatalError
from windlass.plan.model import Destination, Partition, SelectColumn, Source
from windlass.testing import Copier, destination_of, source_of

Let = Callable[[str], Source]
SELECTED = (SelectColumn(source="id", name="id"), SelectColumn(source="v", name="v"))
TABLE = "CREATE TABLE t (id serial PRIMARY KEY, v text, salary int); INSERT INTO t (v, salary) VALUES ('a', 9), ('b', 9);"


def to(path: str | None) -> Destination:
    """A file, or else the table `copied`."""
    if path is not None:
        return destination_of(path=path, format="csv", mode="replace")
    return destination_of(connection="pg", table="copied", mode="append")


@pytest.fixture
def let(copier: Copier, postgres: Database) -> Iterator[Let]:
    """Makes a role by SQL that calls it `app`, and gives the source `t` that it reads."""
    role = f"role_{uuid.uuid4().hex[:12]}"
    postgres.run(f"CREATE ROLE {role} LOGIN PASSWORD 'app'")
    copier.addresses["pg"] = postgres.address
    copier.addresses["app"] = replace(postgres.address, user=role, password="app")

    def do(sql: str) -> Source:
        postgres.run(sql.replace("app", role))
        return source_of(connection="app", table="t")

    yield do
    postgres.run(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize("path", [None, "out.csv"])
@pytest.mark.parametrize("existing", ["", "CREATE TABLE copied (id int, v varchar(1) NOT NULL)"])
def test_select_needs_no_more_than_the_columns_it_names(
    let: Let, copier: Copier, postgres: Database, existing: str, path: str | None
) -> None:
    source = let(f"{TABLE} GRANT SELECT (id, v) ON t TO app; {existing}")
    copier(source, to(path), select=SELECTED)
    if path:
        assert (copier.folder / "out.csv").read_text() == "id,v\n1,a\n2,b\n"
    else:
        assert postgres.rows("SELECT id, v FROM copied ORDER BY id") == [(1, "a"), (2, "b")]


def test_bad_rows_and_parts_are_told_by_the_columns_that_may_be_read(
    let: Let, copier: Copier, postgres: Database
) -> None:
    source = let(
        f"{TABLE} INSERT INTO t VALUES (7, 'long', 9); GRANT SELECT (id, v) ON t TO app; "
        "CREATE TABLE copied (id int, v varchar(1))"
    )
    copier(source, to(None), select=SELECTED, partition=Partition(by="id", parts=2), on_bad_row="quarantine")
    assert postgres.rows("SELECT id FROM copied ORDER BY id") == [(1,), (2,)]
    assert [(row["record"], row["reason"]) for row in copier.quarantined] == [
        ({"id": 7, "v": "long"}, "too_long")
    ]


@pytest.mark.parametrize("path", [None, "out.csv"])
@pytest.mark.parametrize("select", [(), (*SELECTED, SelectColumn(source="salary", name="salary"))])
def test_a_column_that_may_not_be_read_is_named(
    let: Let, copier: Copier, select: tuple[SelectColumn, ...], path: str | None
) -> None:
    source = let(f"{TABLE} GRANT SELECT (id, v) ON t TO app")
    destination = to(path)
    with pytest.raises(FatalError, match="may not read column 'salary'") as caught:
        copier(source, destination, select=select)
    assert "`select`" in str(caught.value.hint)


@pytest.mark.parametrize("path", [None, "out.csv"])
def test_rows_that_row_security_hides_are_an_error_for_a_table_and_not_for_a_query(
    let: Let, copier: Copier, path: str | None
) -> None:
    source = let(
        f"{TABLE} ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (v = 'a'); GRANT SELECT ON t TO app"
    )
    destination = to(path)
    with pytest.raises(FatalError, match="row-level security") as caught:
        copier(source, destination)
    assert "query" in str(caught.value.hint)
    assert copier(source_of(connection="app", query="SELECT * FROM t"), destination).counts.written == 1


@pytest.mark.parametrize("path", [None, "out.csv"])
def test_a_role_with_a_timeout_for_statements_is_given_the_time_it_takes(
    let: Let, copier: Copier, path: str | None
) -> None:
    let(f"ALTER ROLE app SET statement_timeout = '300ms'; {TABLE} GRANT SELECT ON t TO app")
    slow = source_of(connection="app", query="SELECT id, pg_sleep(0.2)::text AS v FROM t")
    destination = to(path)
    assert copier(slow, destination).counts.written == 2
