"""`.env` is read as python-dotenv reads it; what it cannot read is an error, and what nothing is called is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass.connections import resolve, unknown_connections
from windlass.connections.env_file import read_env_file
from windlass.errors import Code, FatalError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NAME=value", "value"),
        ("\ufeffNAME=value", "value"),
        ("export NAME=value", "value"),
        ("export\tNAME=value\r\n", "value"),
        ("NAME = value", "value"),
        ("NAME=postgresql://u:p@h:1/db   # production", "postgresql://u:p@h:1/db"),
        ('NAME="postgresql://u:p@h/db"   # production', "postgresql://u:p@h/db"),
        ("NAME='a b'", "a b"),
        ("NAME=a#b", "a#b"),
        ('NAME="two\nlines"', "two\nlines"),
        ('NAME="two\\nlines"', "two\nlines"),
        ("# a comment\n\n  # another\nNAME=value", "value"),
        ("PW=secret\nNAME=postgresql://u:${PW}@h/db", "postgresql://u:secret@h/db"),
        ("NAME=${OUTSIDE}/x", "given/x"),
        ("NAME=${NOWHERE:-default}", "default"),
        ("NAME=$PW", "$PW"),
        ("NAME=", ""),
        ("NAME=one\nNAME=two", "two"),
    ],
)
def test_a_value_is_what_dotenv_says(text: str, value: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    assert read_env_file(tmp_path / ".env", {"OUTSIDE": "given"})["NAME"] == value


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("NAME: value", 1),
        ("A=1\nNAME", 2),
        ("# comment\nA=1\n\nthis is no variable\n", 4),
        ("NAME='never closed\nB=2", 1),
        ('NAME="value" and more', 1),
        ("export", 1),
    ],
)
def test_a_line_that_is_none_is_an_error_with_its_number(text: str, line: int, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(text)
    with pytest.raises(FatalError, match=rf"\.env:{line}: this line is not NAME=value") as caught:
        resolve("db", "sqlite", tmp_path, {})
    assert caught.value.code == Code.UNREADABLE_ADDRESS
    assert "value" not in str(caught.value).replace("NAME=value", "").replace("a value", "")


def test_a_file_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / ".env", {}) == {}
    (tmp_path / ".env").mkdir()
    with pytest.raises(FatalError, match=r"cannot read .*\.env: "):
        read_env_file(tmp_path / ".env", {})


def test_names_of_no_connection_are_told_with_what_may_be_meant(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "windlass_conn_my_db=x\nWINDLASS_CONN_MY_DV=x\nWINDLASS_CONN_MY_DB=x\nOTHER=x\n"
    )
    found = list(unknown_connections(["my-db"], tmp_path, {"WINDLASS_CONN_MYDB": "x", "PATH": "x"}))
    assert [(told.variable, told.hint) for told in found] == [
        ("windlass_conn_my_db", "did you mean 'WINDLASS_CONN_MY_DB'?"),
        ("WINDLASS_CONN_MY_DV", "did you mean 'WINDLASS_CONN_MY_DB'?"),
        ("WINDLASS_CONN_MYDB", "did you mean 'WINDLASS_CONN_MY_DB'?"),
    ]
    assert [told.place for told in found] == [str(tmp_path / ".env")] * 2 + ["the environment"]
