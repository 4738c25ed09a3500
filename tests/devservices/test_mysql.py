"""The dev service of MySQL: a real MariaDB of this machine; and databases of their own for fixture tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.connectors.mysql_database import MysqlDatabase
from windlass.connectors.mysql.database import MysqlDatabase as Connected
from windlass.connectors.mysql.fresh import fresh
from windlass.devservices import DevServices
from windlass.errors import FatalError
from windlass.plan.model import Connection

SHOP = """
CREATE TABLE customers (id int AUTO_INCREMENT PRIMARY KEY, name text) CHARACTER SET utf8mb4; -- ; is no end here
CREATE TABLE orders (
    id int PRIMARY KEY, customer int, amount decimal(9,2), twice decimal(9,2) AS (amount * 2),
    FOREIGN KEY (customer) REFERENCES customers (id), CHECK (amount > 0)
);
INSERT INTO customers (name) VALUES ('Ada; "é"'), ('it''s');
/* two; */ INSERT INTO orders (id, customer, amount) VALUES (1, 1, 1.50);
CREATE VIEW bigger AS SELECT id FROM orders WHERE amount > 1;
CREATE VIEW big AS SELECT id FROM bigger;
DELIMITER $$
CREATE FUNCTION doubled(n int) RETURNS int DETERMINISTIC BEGIN RETURN n * 2; END$$
CREATE TRIGGER shout BEFORE INSERT ON customers FOR EACH ROW BEGIN SET NEW.name = UPPER(NEW.name); END$$
DELIMITER ;
"""


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DevServices]:
    """Those of a project that is where we are."""
    monkeypatch.chdir(tmp_path)
    made = DevServices(Path("state"), Path())
    yield made
    made.close()


def test_a_server_of_this_machine_stands_in_and_has_the_init_files(
    tmp_path: Path, services: DevServices
) -> None:
    if os.environ.get("WINDLASS_TEST_MYSQL") == "none":
        pytest.skip("WINDLASS_TEST_MYSQL says that there is no MySQL")
    if shutil.which("mariadbd") is None:
        missing("mariadbd")
    (tmp_path / "shop.sql").write_text(SHOP, encoding="utf-8")
    address = services.start("my-shop", Connection(type="mysql", dev={"init": ["shop.sql"]}))
    assert (address.host, address.database, address.user) == ("127.0.0.1", "my_shop", "root")
    with closing(Connected(address)) as database:
        assert database.query("SELECT name FROM customers ORDER BY id").rows == (('Ada; "é"',), ("it's",))
        assert database.tables() == ["big", "bigger", "customers", "orders"]


def test_a_case_has_a_copy_of_the_whole_database(mysql: MysqlDatabase) -> None:
    with closing(Connected(mysql.address)) as database:
        database.execute(SHOP, transaction=False)
        with pytest.raises(FatalError, match=r"line 3: .*: SELEC 2"):
            database.execute("SELECT 1;\n\nSELEC 2;\n")
    name = f"{mysql.address.database}_case"
    with fresh(mysql.address, name) as address:
        copied = MysqlDatabase(address)
        copied.run("INSERT INTO customers (name) VALUES ('new')")
        assert copied.rows("SELECT id, name FROM customers WHERE id > 1") == [(2, "it's"), (3, "NEW")]
        assert copied.rows("SELECT * FROM big") == [(1,)]
        assert str(copied.value("SELECT twice FROM orders")) == "3.00"
        assert copied.value("SELECT doubled(21)") == 42
        for wrong in ("INSERT INTO orders (id, customer) VALUES (2, 9)", "UPDATE orders SET amount = -1"):
            with pytest.raises(Exception, match="CONSTRAINT"):
                copied.run(wrong)
    assert mysql.value("SELECT count(*) FROM customers") == 2
    assert mysql.rows(f"SHOW DATABASES LIKE '{name}'") == []
