"""MySQL without a server: scripts, addresses, and what its errors and columns mean."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from asyncmy.errors import OperationalError, ProgrammingError

from windlass.connections import parse_address
from windlass.connectors.mysql.catalog import Definition
from windlass.connectors.mysql.errors import mysql_errors, number_of, reason_of_row
from windlass.connectors.mysql.names import split_name
from windlass.connectors.mysql.session import _options
from windlass.connectors.mysql.statements import statements
from windlass.connectors.mysql.writing.types import as_wanted, refusal, storable
from windlass.connectors.rows import Column, Reason
from windlass.errors import Code, FatalError, RetryableError

ADDRESS = parse_address("mysql://me:secret@db/shop", "WINDLASS_CONN_SHOP", "mysql")

SCRIPT = """
SELECT ';', "a;\\"b", `c``;d`, 'it''s;'; -- one;
# two;
/* three; */ SELECT 2 --x
;
/*! SELECT 3 */;
delimiter $$
CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET NEW.a = 1; END$$
DELIMITER ;
SELECT 4"""


def test_a_script_is_split_as_its_own_client_does() -> None:
    found = [statement for _, statement in statements(SCRIPT)]
    assert found == [
        """SELECT ';', "a;\\"b", `c``;d`, 'it''s;'""",
        "SELECT 2 --x",
        "/*! SELECT 3 */",
        "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET NEW.a = 1; END",
        "SELECT 4",
    ]
    assert [SCRIPT.startswith(statement, begin) for begin, statement in statements(SCRIPT)] == [True] * 5
    assert list(statements("-- nothing\n;;")) == []


@pytest.mark.parametrize(
    ("query", "tls"),
    [
        ("", None),
        ("?ssl_mode=disabled", None),
        ("?ssl-mode=REQUIRED", {"verify_mode": "none", "check_hostname": False}),
        ("?ssl_ca=/ca.pem", {"ca": "/ca.pem", "verify_mode": "required", "check_hostname": False}),
        (
            "?ssl_ca=/ca.pem&ssl_mode=VERIFY_IDENTITY",
            {"ca": "/ca.pem", "verify_mode": "required", "check_hostname": True},
        ),
    ],
)
def test_how_a_connection_is_encrypted_is_said_as_to_other_clients(query: str, tls: Any) -> None:
    assert _options(parse_address(f"mysql://db/shop{query}", "here", "mysql"))["ssl"] == tls


@pytest.mark.parametrize("query", ["?ssl_mode=perhaps", "?connect_timeout=x", "?local_infile=1"])
def test_an_option_that_means_nothing_is_refused(query: str) -> None:
    with pytest.raises(FatalError) as caught:
        _options(parse_address(f"mysql://db/shop{query}", "here", "mysql"))
    assert caught.value.code is Code.UNREADABLE_ADDRESS


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (OperationalError(1045, "Access denied"), FatalError, Code.NOT_LET_IN),
        (OperationalError(3159, "insecure transport"), FatalError, Code.NOT_LET_IN),
        (ProgrammingError(1146, "Table 'shop.t' doesn't exist"), FatalError, Code.NO_TABLE),
        (ProgrammingError(1064, "syntax"), FatalError, FatalError.code),
        (OperationalError(1205, "Lock wait timeout"), RetryableError, RetryableError.code),
        (OperationalError(1213, "Deadlock"), RetryableError, RetryableError.code),
        (OperationalError(1114, "The table is full"), RetryableError, Code.DISK_FULL),
        (OperationalError(2013, "Lost connection"), RetryableError, Code.CONNECTION_LOST),
        (ConnectionResetError("reset"), RetryableError, Code.CONNECTION_LOST),
        (socket.gaierror(-2, "Name or service not known"), RetryableError, Code.NO_HOST),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), FatalError, FatalError.code),
    ],
)
def test_an_error_says_what_can_be_done(error: Exception, kind: type[Exception], code: Code) -> None:
    with pytest.raises(kind) as caught, mysql_errors(ADDRESS, "db:3306"):
        raise error
    assert caught.value.code is code  # type: ignore[attr-defined]
    assert "secret" not in str(caught.value)


def test_an_error_about_a_row_has_its_reason() -> None:
    with pytest.raises(FatalError) as caught, mysql_errors(ADDRESS, "db:3306"):
        raise OperationalError(1062, "Duplicate entry '1' for key 'PRIMARY'")
    assert number_of(caught.value) == 1062
    assert reason_of_row(caught.value) is Reason.UNIQUE_VIOLATION
    assert reason_of_row(FatalError("of ours")) is None


def test_a_table_is_of_the_database_of_its_address_or_of_another() -> None:
    assert split_name("t", "shop") == ("shop", "t")
    assert split_name("other.t", "shop") == ("other", "t")
    with pytest.raises(FatalError, match="no database is named"):
        split_name("t", "")


def definition(kind: str, **more: Any) -> Definition:
    base = kind.partition("(")[0].partition(" ")[0]
    known: dict[str, Any] = dict.fromkeys(
        ("charset", "collation", "characters", "octets", "precision", "scale", "fraction")
    )
    flags = {"nullable": True, "has_default": False, "generated": False, "invisible": False}
    return Definition(name="c", kind=kind, base=base, **{**known, **flags, **more})


def test_a_column_of_mysql_8_keeps_json_with_numbers_that_are_doubles() -> None:
    for rounds in (True, False):
        assert (
            as_wanted(definition("json", is_json=True), is_boolean=False, rounds_json=rounds).rounds_json
            is rounds
        )
        for kind in ("STRUCT(a INTEGER)", "DECIMAL(38,10)[]", "DECIMAL(5,2)[3]"):
            made = storable(Column("c", kind), is_key=False, keys=1, exact="x", rounds_json=rounds)
            assert (made.type, made.native, made.rounds_json) == ("JSON", "JSON", rounds)


def test_a_key_is_as_long_as_an_index_may_be() -> None:
    made = storable(Column("c", "VARCHAR"), is_key=True, keys=3, exact="utf8mb4_0900_bin", rounds_json=True)
    assert made.native == "VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin"
    assert made.max_length == 256


def test_what_cannot_be_written_is_said() -> None:
    assert refusal(definition("point")) == "its type point takes a form of MySQL's own"
    assert "character set big5" in str(refusal(definition("text", charset="big5")))
    assert refusal(definition("text", charset="latin1")) is None
