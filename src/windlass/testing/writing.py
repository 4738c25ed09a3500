"""What every destination does alike: the rows that arrive, and what starting again changes."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any

import pytest

from windlass.engine.copying import copy
from windlass.engine.ends import open_destination
from windlass.engine.settling import settle
from windlass.errors import FatalError, FencedError, RetryableError
from windlass.plan.model import ColumnRules, Incremental, Mode, Validate
from windlass.testing.copies import source_of
from windlass.testing.kits import Kit, NdjsonKit, SqliteKit
from windlass.testing.reading import JUNE, OUTCOMES, ROWS
from windlass.testing.rows import NEW, OLD, Row, record

__all__ = ["AFTER", "MODES", "Writing"]

MODES: tuple[Mode, ...] = ("append", "replace", "merge", "delete_insert")
AFTER: dict[Mode, list[Row]] = {
    "replace": NEW,
    "append": sorted([*OLD, *NEW], key=str),
    "merge": [*OLD[:2], *NEW],
}
"""What is there when `NEW` went to `OLD`."""


class Writing:
    """Tests of a destination; what is written comes from files."""

    @pytest.fixture
    def out_of(self, kit: Kit) -> NdjsonKit:
        """Where the rows come from."""
        return NdjsonKit(kit.copier)

    @pytest.mark.parametrize("mode", AFTER)
    def test_all_rows_arrive_and_once(self, writable: Kit, out_of: NdjsonKit, mode: Mode) -> None:
        need(writable, mode)
        new = out_of.source(NEW)
        writable.copier(out_of.source(OLD), writable.destination())
        assert writable.rows() == OLD
        counts = writable.copier(new, writable.destination(mode), run_key=mode).counts
        assert (counts.read, counts.written) == (2, 2)
        if mode == "merge":
            assert (counts.inserted, counts.updated, counts.unchanged) == (1, 1, 0)
        assert sorted(writable.rows(), key=str) == sorted(AFTER[mode], key=str)
        again = writable.copier(new, writable.destination(mode), run_key=mode)
        assert again.skipped == (mode == "append")
        assert sorted(writable.rows(), key=str) == sorted(AFTER[mode], key=str)

    def test_a_mode_that_it_does_not_have_is_refused(self, writable: Kit, out_of: NdjsonKit) -> None:
        missing = [mode for mode in MODES if mode not in modes_of(writable)]
        writable.copier(out_of.source(OLD), writable.destination())
        for mode in missing:
            options = {"interval": "day"} if mode == "delete_insert" else {}
            with pytest.raises(FatalError, match=mode):
                writable.copier(out_of.source(NEW), writable.destination(mode, **options), interval=JUNE)
        assert writable.rows() == OLD

    def test_no_rows_leave_it_empty(self, writable: Kit, out_of: NdjsonKit) -> None:
        writable.copier(out_of.source(OLD), writable.destination())
        writable.copier(SqliteKit(writable.copier).source([]), writable.destination())
        assert writable.rows() == []

    def test_other_input_under_the_same_run_key_is_refused_unless_forced(
        self, writable: Kit, out_of: NdjsonKit
    ) -> None:
        need(writable, "append")
        destination = writable.destination("append")
        writable.copier(out_of.source(OLD), destination, run_key="one")
        other = out_of.source(NEW)
        with pytest.raises(FatalError, match="'one' was already loaded from another input") as refusal:
            writable.copier(other, destination, run_key="one")
        assert "in a run of its own" in str(refusal.value)
        assert writable.rows() == OLD
        writable.copier(other, destination, run_key="one", force=True)
        assert len(writable.rows()) == len(OLD) + len(NEW)

    def test_the_same_input_is_known_by_its_bytes(self, writable: Kit, out_of: NdjsonKit) -> None:
        """A checkout, a download or a step may write the same file anew: its time of change differs then."""
        need(writable, "append")
        source, destination = out_of.source(OLD), writable.destination("append")
        writable.copier(source, destination, run_key="one")
        file = writable.copier.folder / str(source.options["path"])
        for seconds in (1, 10**9):
            os.utime(file, (seconds, seconds))
            assert writable.copier(source, destination, run_key="one").skipped
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("1", "7", 1), encoding="utf-8")
        with pytest.raises(FatalError, match="'one' was already loaded from another input"):
            writable.copier(source, destination, run_key="one")
        assert writable.rows() == OLD

    @pytest.mark.parametrize("mode", AFTER)
    def test_the_ledger_says_which_start_of_a_load_committed(
        self, writable: Kit, out_of: NdjsonKit, mode: Mode
    ) -> None:
        need(writable, mode)
        job = writable.copier.job(out_of.source(OLD), writable.destination(mode), "one")
        with pytest.raises(RetryableError, match="nothing was committed"):
            settle(job, [job.identity.load_id])
        copy(job)
        result = settle(job, ["another", job.identity.load_id])
        assert (result.counts.read, result.counts.written, result.skipped) == (3, 3, True)
        if mode == "append":
            assert settle(job, ["another"]).counts.written == 3
            job = writable.copier.job(out_of.source(NEW), writable.destination(mode), "one")
            with pytest.raises(FatalError, match="already loaded from another input"):
                settle(job, ["another"])
        else:
            with pytest.raises(RetryableError, match="nothing was committed"):
                settle(job, ["another"])
        assert writable.rows() == OLD

    @pytest.mark.parametrize("mode", AFTER)
    @pytest.mark.parametrize("same", [True, False])
    def test_of_two_writers_at_once_one_commits(
        self, writable: Kit, out_of: NdjsonKit, mode: Mode, same: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another load waits until it gives up; a later start of the same load may take over instead."""
        need(writable, mode)
        monkeypatch.setenv("WINDLASS_WAIT_FOR_TURN", "0")
        keys = ("one", "one" if same else "another")
        writable.copier(out_of.source(ROWS[3:]), writable.destination())
        inner: list[Exception | None] = []

        def meanwhile(rows: int, size: int) -> None:
            if inner:
                return
            inner.append(None)
            try:
                writable.copier(out_of.source(NEW), writable.destination(mode), run_key=keys[1])
            except RetryableError as exc:
                inner[0] = exc

        outer = None
        try:
            writable.copier(out_of.source(OLD), writable.destination(mode), meter=meanwhile, run_key=keys[0])
        except FencedError as exc:
            outer = exc
        assert inner, "the meter was not told of the rows"
        both = not same and outer is None and inner[0] is None
        assert both or (outer is None) != (inner[0] is None)
        assert both or same or outer is None, "another load was taken for a later start of the same one"
        if both:  # they went side by side, which takes none of their rows
            assert mode == "append"
            assert sorted(writable.rows(), key=str) == sorted([*OLD, *NEW, *ROWS[3:]], key=str)
            return
        winner = OLD if outer is None else NEW
        others = [] if mode == "replace" else [row for row in ROWS[3:] if mode == "append" or row[0] != 4]
        if mode == "merge" and winner is OLD:
            others = ROWS[3:]
        assert sorted(writable.rows(), key=str) == sorted([*winner, *others], key=str)

    @pytest.mark.parametrize("on_bad_row", ["fail", "quarantine"])
    def test_a_key_that_occurs_twice_or_is_null_never_merges(
        self, writable: Kit, out_of: NdjsonKit, on_bad_row: str
    ) -> None:
        need(writable, "merge")
        writable.copier(out_of.source(OLD), writable.destination())
        more: Row = (5, "x", "8.00", None, "2020-06-03", None)
        twice = out_of.source([NEW[0], NEW[0], more, NEW[1]])
        if on_bad_row == "fail":
            with pytest.raises(FatalError, match="key occurs more than once"):
                writable.copier(twice, writable.destination("merge"))
            assert writable.rows() == OLD
        else:
            named = Validate(columns={"name": ColumnRules(not_null=True)})  # looked at before the keys are
            writable.copier(twice, writable.destination("merge"), validate=named, on_bad_row="quarantine")
            found = [(row["line"], row["reason"]) for row in writable.copier.quarantined]
            assert found == [(1, "duplicate_key"), (2, "duplicate_key"), (4, "is_null")]
            assert writable.rows() == [*OLD, more]

    def test_a_merge_is_refused_where_a_key_has_several_rows(self, writable: Kit, out_of: NdjsonKit) -> None:
        need(writable, "merge")
        twice: list[Row] = [OLD[0], (OLD[0][0], *OLD[1][1:]), OLD[2]]
        writable.copier(out_of.source(twice), writable.destination())
        with pytest.raises(FatalError, match=r"several rows with the same key \(id\)"):
            writable.copier(out_of.source([OLD[0]]), writable.destination("merge"))
        assert sorted(writable.rows()) == sorted(twice)
        assert writable.copier(out_of.source(NEW), writable.destination("merge")).counts.inserted == 1

    def test_a_merge_leaves_the_columns_that_it_does_not_bring(
        self, writable: Kit, out_of: NdjsonKit
    ) -> None:
        need(writable, "merge")
        writable.copier(out_of.source(OLD), writable.destination())
        (writable.copier.folder / "new.csv").write_text("id,name\n1,Augusta\n4,new\n")
        writable.copier(source_of(path="new.csv"), writable.destination("merge"))
        found = {int(row[0]): row[1:5] for row in writable.raw()}
        assert (found[1][0], str(found[1][3]), found[4][3]) == ("Augusta", "2020-01-01", None)

    @pytest.mark.parametrize("column", ["at", "day"])
    def test_delete_insert_replaces_the_rows_of_the_interval_only(
        self, writable: Kit, out_of: NdjsonKit, column: str
    ) -> None:
        need(writable, "delete_insert")
        may: Row = (8, "May", "1.00", True, "2020-05-31", "2020-05-31 23:59:59.999999")
        june: Row = (9, "June", "1.00", True, "2020-06-01", "2020-06-01 00:00:00")
        july: Row = (10, "July", "1.00", True, "2020-07-01", "2020-07-01 00:00:00")
        writable.copier(SqliteKit(writable.copier).source([may, june, july]), writable.destination())
        new: Row = (11, "new", "1.00", True, "2020-06-30", "2020-06-30 23:59:59.999999")
        source, destination = out_of.source([new]), writable.destination("delete_insert", interval=column)
        for _ in range(2):
            writable.copier(source, destination, interval=JUNE, run_key="june")
            assert writable.rows() == [may, july, new]

    def test_delete_insert_without_an_interval_is_refused(self, writable: Kit, out_of: NdjsonKit) -> None:
        need(writable, "delete_insert")
        with pytest.raises(FatalError, match="needs a data interval"):
            writable.copier(out_of.source(OLD), writable.destination("delete_insert", interval="day"))

    def test_the_cursor_of_the_last_load_is_kept(self, writable: Kit) -> None:
        need(writable, "append")
        from_, destination = SqliteKit(writable.copier), writable.destination("append")
        source = from_.source(OLD)
        for read in (3, 0):
            assert (
                writable.copier(source, destination, incremental=Incremental(cursor="id")).counts.read == read
            )
        from_.add(source, ROWS[3])
        assert writable.copier(source, destination, incremental=Incremental(cursor="id")).counts.read == 1
        assert writable.rows() == ROWS[:4]

    @pytest.mark.parametrize(("column", "rules", "good"), OUTCOMES)
    def test_rules_mean_the_same_for_every_destination(
        self, writable: Kit, out_of: NdjsonKit, column: str, rules: ColumnRules, good: set[int]
    ) -> None:
        validate = Validate(columns={column: rules})
        writable.copier(
            out_of.source(ROWS), writable.destination(), validate=validate, on_bad_row="quarantine"
        )
        expected = [row for row in ROWS if row[0] in good]
        assert [row[0] for row in writable.rows()] == [row[0] for row in expected]

    @pytest.mark.parametrize(("limit", "fits"), [(1, False), (2, True), ("39%", False), ("40%", True)])
    def test_more_bad_rows_than_allowed_fail_before_anything_is_loaded(
        self, writable: Kit, out_of: NdjsonKit, limit: int | str, *, fits: bool
    ) -> None:
        need(writable, "append")
        writable.copier(out_of.source(OLD), writable.destination())
        (writable.copier.folder / "in.csv").write_text(
            "id,name,amount,ok,day,at\n5,a,1,true,2020-01-01,\n6,b,1,true,2020-01-01,\n7\n8\n"
            "9,c,1,true,2020-01-01,\n"
        )
        source, destination = source_of(path="in.csv"), writable.destination("append")
        options: dict[str, Any] = {"on_bad_row": "quarantine", "max_bad_rows": limit}
        if fits:
            writable.copier(source, destination, **options)
            assert [row[0] for row in writable.rows()] == [1, 2, 3, 5, 6, 9]
        else:
            with pytest.raises(FatalError, match=r"max_bad_rows"):
                writable.copier(source, destination, **options)
            assert writable.rows() == OLD
            assert list(writable.copier.folder.glob("*.quarantine.ndjson")) == []

    def test_a_failed_copy_leaves_nothing_behind(self, writable: Kit, out_of: NdjsonKit) -> None:
        writable.copier(out_of.source(OLD), writable.destination())
        (writable.copier.folder / "bad.ndjson").write_text(f'{record(OLD[0])}\n{{"id": 2, \n')
        before = writable.left()
        with pytest.raises(FatalError, match=r"bad.ndjson:2"):
            writable.copier(source_of(path="bad.ndjson"), writable.destination())
        assert (writable.rows(), writable.left()) == (OLD, before)


def modes_of(kit: Kit) -> frozenset[Mode]:
    """The modes that the destination says it has."""
    job = kit.copier.job(source_of(path="unread.csv"), kit.destination(), "")
    with closing(open_destination(job)) as destination:
        return destination.traits.modes


def need(kit: Kit, mode: Mode) -> None:
    """Skip a test of a mode that the destination does not have; that it is refused is a test, too."""
    if mode not in modes_of(kit):
        pytest.skip(f"{kit.connector} has no mode {mode}")
