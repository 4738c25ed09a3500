"""What every source does alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from windlass.errors import FatalError
from windlass.plan.model import ColumnRules, SelectColumn, Validate
from windlass.testing.kits import Kit, SqliteKit
from windlass.testing.rows import NAMES, NEW, OLD, Row

__all__ = ["JUNE", "OUTCOMES", "ROWS", "Reading"]

ROWS: list[Row] = [
    *OLD,
    (4, None, "7.00", False, "2020-06-02", None),
    (5, "x", "8.00", None, "2020-06-03", None),
]
OUTCOMES: list[tuple[str, ColumnRules, set[int]]] = [
    ("id", ColumnRules(min=2, max=4), {2, 3, 4}),
    ("name", ColumnRules(not_null=True), {1, 2, 3, 5}),
    ("name", ColumnRules(pattern="^[A-Z]|\\n"), {1, 3, 4}),
    ("name", ColumnRules(max_length=9), {1, 3, 4, 5}),
    ("amount", ColumnRules(min="-0.005"), {1, 3, 4, 5}),
    ("ok", ColumnRules(accepted=(True,)), {1, 3, 5}),
    ("day", ColumnRules(max="2020-02-29"), {1, 2, 3}),
    ("at", ColumnRules(min="2020-01-02"), {2, 3, 4, 5}),
]
"""Rules, and the ids of the rows that satisfy them."""

JUNE = (datetime(2020, 6, 1, tzinfo=UTC), datetime(2020, 7, 1, tzinfo=UTC))


class Reading:
    """Tests of a source; what is read goes to SQLite."""

    @pytest.fixture
    def into(self, kit: Kit) -> SqliteKit:
        """Where the rows go."""
        return SqliteKit(kit.copier)

    def test_all_rows_are_read(self, readable: Kit, into: SqliteKit) -> None:
        counts = readable.copier(readable.source(OLD), into.destination()).counts
        assert (counts.read, counts.written, into.rows()) == (3, 3, OLD)

    def test_no_rows_leave_a_table_empty(self, readable: Kit, into: SqliteKit) -> None:
        readable.copier(readable.source(OLD), into.destination())
        assert readable.copier(readable.source([]), into.destination()).counts.read == 0
        assert into.rows() == []

    def test_a_source_that_is_read_again_is_the_same_input(self, readable: Kit, into: SqliteKit) -> None:
        source = readable.source(OLD)
        for skipped in (False, True):
            result = readable.copier(source, into.destination("append"), run_key="one")
            assert (result.skipped, into.rows()) == (skipped, OLD)

    def test_columns_are_chosen_renamed_and_cast(self, readable: Kit, into: SqliteKit) -> None:
        select = (SelectColumn(name="key", source="id"), SelectColumn(name="day", source="day", type="text"))
        readable.copier(readable.source(OLD), into.destination(), select=select)
        assert into.query("SELECT * FROM target ORDER BY 1") == [(row[0], row[4]) for row in OLD]

    def test_a_column_that_is_not_there_is_named(self, readable: Kit, into: SqliteKit) -> None:
        select = (SelectColumn(name="nam", source="nam"),)
        with pytest.raises(FatalError, match="nam"):
            readable.copier(readable.source(OLD), into.destination(), select=select)

    @pytest.mark.parametrize(("column", "rules", "good"), OUTCOMES)
    def test_rules_mean_the_same_for_every_source(
        self, readable: Kit, into: SqliteKit, column: str, rules: ColumnRules, good: set[int]
    ) -> None:
        validate = Validate(columns={column: rules})
        source = readable.source(ROWS)
        readable.copier(source, into.destination(), validate=validate, on_bad_row="quarantine")
        assert into.rows() == [row for row in ROWS if row[0] in good]

    def test_a_bad_row_is_in_quarantine_with_all_of_its_values(self, readable: Kit, into: SqliteKit) -> None:
        validate = Validate(columns={"name": ColumnRules(not_null=True)})
        readable.copier(readable.source(NEW), into.destination(), validate=validate, on_bad_row="quarantine")
        (bad,) = readable.copier.quarantined
        assert (bad["reason"], bad["column"]) == ("is_null", "name")
        assert (int(bad["record"]["id"]), bad["record"]["name"]) == (4, bad["value"])
        assert set(bad["record"]) == {*NAMES, *readable.more}

    @pytest.mark.parametrize("cursor", ["id", "day"])
    def test_only_rows_past_the_cursor_are_read(self, readable: Kit, into: SqliteKit, cursor: str) -> None:
        first = [(i, *row[1:]) for i, row in enumerate(sorted(OLD, key=lambda row: row[4]), 1)]
        source = readable.source(first)
        options: dict[str, Any] = {"incremental": readable.incremental(cursor)}
        assert readable.copier(source, into.destination("append"), **options).counts.read == 3
        assert readable.copier(source, into.destination("append"), **options).counts.read == 0
        more: Row = (4, None, "7.00", False, "2020-06-02", None)
        readable.add(source, more)
        assert readable.copier(source, into.destination("append"), **options).counts.read == 1
        assert into.rows() == [*first, more]

    def test_an_unknown_cursor_is_named(self, readable: Kit, into: SqliteKit) -> None:
        with pytest.raises(FatalError, match="idd"):
            readable.copier(
                readable.source(OLD), into.destination("append"), incremental=readable.incremental("idd")
            )

    def test_rows_outside_of_the_interval_are_left_out_or_bad(self, readable: Kit, into: SqliteKit) -> None:
        outside: Row = (8, "May", "1.00", True, "2020-05-31", "2020-05-31 23:59:59.999999")
        destination = into.destination("delete_insert", interval="day")
        source = readable.source([outside, NEW[0]])
        select = tuple(SelectColumn(name=n, source=n, type="date" if n == "day" else None) for n in NAMES)
        readable.copier(source, destination, interval=JUNE, select=select, on_bad_row="quarantine")
        assert into.rows() == [NEW[0]]
        assert {row["reason"] for row in readable.copier.quarantined} <= {"outside_interval"}
