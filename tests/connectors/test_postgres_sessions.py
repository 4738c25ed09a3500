"""Sessions that the ledger ends: the ones that it noted, and what it does where it may not see them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from windlass.connections import Address
from windlass.connectors.postgres.session import Session
from windlass.connectors.postgres.writing import ledger
from windlass.connectors.postgres.writing.ledger import Ledger
from windlass.errors import RetryableError
from windlass.ledger import LedgerEntry

Role = Callable[[], Session]


@pytest.fixture
def role(database: Address) -> Iterator[Role]:
    """Makes roles that may write, and see nothing of each other; a session of each."""
    made: list[tuple[str, Session]] = []
    with closing(Session(database)) as administrator:

        def make() -> Session:
            name = f"role_{uuid.uuid4().hex[:12]}"
            administrator.execute(
                f"CREATE ROLE {name} LOGIN PASSWORD 'secret'; GRANT ALL ON SCHEMA public TO {name};"
                f"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {name}"
            )
            session = Session(replace(database, user=name, password="secret"))
            made.append((name, session))
            return session

        yield make
        for name, session in made:
            session.close()
            administrator.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def entry() -> LedgerEntry:
    return LedgerEntry("p", "t", "key", load_id=str(uuid.uuid4()))


def test_a_commit_of_a_session_that_another_role_cannot_see_is_not_taken_for_ended(
    role: Role, database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_SESSION_END", 0.2)
    writer, other = role(), role()
    with closing(Session(database)) as owner:  # who made the tables that both may use
        Ledger(owner, "public", "t", entry()).create()
    load = entry()
    Ledger(writer, "public", "t", load).turn.take(alone=True)
    with pytest.raises(RetryableError, match="may still be at its COMMIT") as caught:
        Ledger(other, "public", "t", load).settle(load, [load.load_id])
    assert "pg_read_all_stats" in str(caught.value.hint)
    writer.close()
    assert Ledger(other, "public", "t", load).settle(load, [load.load_id]) is None
