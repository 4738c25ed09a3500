"""What the environment of a command refers to."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass import logs
from windlass.errors import FatalError
from windlass.plan.model import Connection, Part, Reference, RunCommand, Task
from windlass.tasks.references import environment_given

ADDRESSES = {
    "WINDLASS_CONN_PG": "postgresql://me:p%40ss%2F1@db.test:5433/sales?sslmode=require",
    "WINDLASS_ORIGIN_PG": "a test",
    "WINDLASS_CONN_BARE": "postgresql://db.test",
}
CONNECTIONS = {name: Connection(type="postgres") for name in ("pg", "bare")}


def given(project: Path, *whole: str, **references: Reference) -> dict[str, str]:
    task = Task(name="a", action=RunCommand(connections=whole, references=references))
    return environment_given(task, ADDRESSES, CONNECTIONS, project)


def test_a_reference_is_a_connection_whole_or_in_parts(tmp_path: Path) -> None:
    parts: tuple[Part, ...] = ("host", "port", "user", "password", "database")
    references = {part: Reference(connection="pg", part=part) for part in parts}
    assert given(tmp_path, URL=Reference(connection="pg"), **references) == {
        "URL": ADDRESSES["WINDLASS_CONN_PG"],
        "host": "db.test",
        "port": "5433",
        "user": "me",
        "password": "p@ss/1",
        "database": "sales",
    }
    assert given(tmp_path, "pg") == {name: ADDRESSES[name] for name in ADDRESSES if name.endswith("_PG")}
    assert given(tmp_path, W=Reference(connection="bare", part="password")) == {"W": ""}
    with pytest.raises(FatalError, match="the address of connection 'bare' has no port, which is to be P"):
        given(tmp_path, P=Reference(connection="bare", part="port"))


def test_a_secret_is_found_in_the_environment_and_in_the_env_file_and_is_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("WINDLASS_SECRET_SLACK=from-the-file\nWINDLASS_SECRET_API_V1_KEY=old\n")
    monkeypatch.setenv("WINDLASS_SECRET_API_V1_KEY", "from-the-environment")
    key, whole = Reference(secret="api", key="v1.key"), Reference(secret="slack")
    assert given(tmp_path, KEY=key, HOOK=whole) == {"KEY": "from-the-environment", "HOOK": "from-the-file"}
    assert logs.mask("from-the-environment, from-the-file") == "***, ***"
    with pytest.raises(FatalError) as caught:
        given(tmp_path, KEY=Reference(secret="api", key="other"))
    assert str(caught.value).splitlines() == [
        "key 'other' of secret 'api' is not configured; looked for it in",
        "    the environment variable WINDLASS_SECRET_API_OTHER",
        f"    WINDLASS_SECRET_API_OTHER in {tmp_path}/.env",
        "    the file /run/secrets/api/other",
    ]
