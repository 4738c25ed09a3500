"""Where connections are: URIs, Airflow's JSON, and the places that are looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass import logs
from windlass.connections import Address, parse_address, resolve
from windlass.errors import FatalError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (
            "postgresql://me:p%40ss%2F@host:5433/my%20db?sslmode=require",
            Address("postgres", "host", 5433, "me", "p@ss/", "my db", {"sslmode": "require"}, "postgresql"),
        ),
        ("postgres://host/db", Address("postgres", "host", database="db", scheme="postgres")),
        (
            "postgresql+psycopg2://host/db",
            Address("postgres", "host", database="db", scheme="postgresql+psycopg2"),
        ),
        ("postgresql://[::1]:5432/db", Address("postgres", "::1", 5432, database="db", scheme="postgresql")),
        (
            "mongodb://me:pw@a:27017,b:27018/shop?replicaSet=rs",
            Address("mongodb", "a:27017,b:27018", None, "me", "pw", "shop", {"replicaSet": "rs"}, "mongodb"),
        ),
        ("mongodb+srv://host/shop", Address("mongodb", "host", database="shop", scheme="mongodb+srv")),
        ("sqlite:///a/b.db", Address("sqlite", database="a/b.db", scheme="sqlite")),
        ("sqlite:////a/b.db", Address("sqlite", database="/a/b.db", scheme="sqlite")),
        ("duckdb:///x.duckdb", Address("duckdb", database="x.duckdb", scheme="duckdb")),
        ("https://host:8443/api", Address("http", "host", 8443, database="api", scheme="https")),
        (
            json.dumps(
                {
                    "conn_type": "postgres",
                    "host": "h",
                    "login": "me",
                    "password": "pw12",
                    "schema": "db",
                    "port": 5,
                }
            ),
            Address("postgres", "h", 5, "me", "pw12", "db"),
        ),
        (
            json.dumps({"conn_type": "postgres", "host": "h", "extra": '{"sslmode": "require"}'}),
            Address("postgres", "h", options={"sslmode": "require"}),
        ),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    found = parse_address(text, "")
    assert found == address
    assert found.password == address.password


@pytest.mark.parametrize(
    "text",
    ["", "secret-text", "host:5432/db", "secret-text:x", "postgresql://me:secret-text@h:port/db",
     '{"host": "secret-text"}', "{", '{"conn_type": "postgres", "port": "secret-text"}', "postgresql://[::1:secret-text", "[]"],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(FatalError, match="the connection in PLACE cannot be read") as caught:
        parse_address(text, "PLACE")
    assert "secret-text" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "word", "hint"),
    [
        ("db2://me:secret-text@h/db", "db2", "known: "),
        ("postgre://me:secret-text@h/db", "postgre", "did you mean 'postgres'?"),
        ('{"conn_type": "teradata", "password": "secret-text"}', "teradata", "known: "),
        ('{"conn_type": "sql_lite", "password": "secret-text"}', "sql_lite", "did you mean 'sqlite'?"),
    ],
)
def test_an_unknown_type_is_told_with_those_that_are_known(text: str, word: str, hint: str) -> None:
    with pytest.raises(FatalError, match=f"PLACE is of an unknown type, '{word}'") as caught:
        parse_address(text, "PLACE")
    assert hint in str(caught.value.hint)
    assert "secret-text" not in str(caught.value)


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=4),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
)
def test_a_uri_gives_the_same_address_back_and_its_text_hides_the_password(password: str, user: str) -> None:
    address = Address("postgres", "host", 1, user, password, "db", scheme="postgresql")
    again = parse_address(address.uri(), "")
    assert (again.user, again.password, again.database) == (user, password, "db")
    assert repr(address).count(repr(password)) <= repr(
        Address("postgres", "host", 1, user, "", "db", scheme="postgresql")
    ).count(repr(password))


@pytest.mark.parametrize(
    "text",
    ["mongodb://me:p%40s@a:27017,b:27018/shop?w=1", "mongodb://[::1]:27017/shop", "mongodb+srv://h/shop"],
)
def test_an_address_of_several_hosts_gives_the_same_uri_back(text: str) -> None:
    assert parse_address(text, "a test").uri() == text


def test_several_hosts_are_refused_where_there_can_be_one() -> None:
    with pytest.raises(FatalError, match="cannot be read"):
        parse_address("postgresql://a:1,b:2/db", "a test")


def test_another_type_than_declared_is_refused() -> None:
    with pytest.raises(FatalError, match="is of type sqlite, expected postgres"):
        parse_address("sqlite:///x.db", "PLACE", "postgres")


def test_the_places_are_looked_at_in_their_order(tmp_path: Path) -> None:
    def found(**environ: str) -> tuple[str, str]:
        address = resolve("my-db", "sqlite", tmp_path, environ)
        assert address is not None
        return address.database, address.origin

    assert resolve("my-db", "sqlite", tmp_path, {}) is None
    (tmp_path / ".env").write_text("AIRFLOW_CONN_MY_DB=sqlite:///4\n")
    assert found() == ("4", f"AIRFLOW_CONN_MY_DB in {tmp_path / '.env'}")
    (tmp_path / ".env").write_text(
        "# c\nexport WINDLASS_CONN_MY_DB='sqlite:///3'\r\nAIRFLOW_CONN_MY_DB=sqlite:///4\n"
    )
    assert found()[0] == "3"
    assert found(AIRFLOW_CONN_MY_DB="sqlite:///2")[0] == "2"
    assert found(AIRFLOW_CONN_MY_DB="sqlite:///2", WINDLASS_CONN_MY_DB="sqlite:///1") == (
        "1", "the environment variable WINDLASS_CONN_MY_DB"
    )  # fmt: skip
    assert found(WINDLASS_CONN_MY_DB="", AIRFLOW_CONN_MY_DB="sqlite:///2")[0] == "2"
    handed_on = {"WINDLASS_CONN_MY_DB": "sqlite:///1", "WINDLASS_ORIGIN_MY_DB": "where a runner found it"}
    assert found(**handed_on) == ("1", "where a runner found it")


@pytest.mark.parametrize("password", ["p*ss@word", "p%2ass%40word", 'p"ss\\word'])
def test_no_form_of_a_password_gets_into_a_log(password: str) -> None:
    address = parse_address(f"postgresql://me:{password}@host/db", "PLACE")
    for form in (password, address.password, address.uri()):
        assert "word" not in logs.mask(f"connecting with {form}")
