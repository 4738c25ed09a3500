"""Each reason of a bad row is documented, and the example of the page produces it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.connectors.database import Database
from windlass.connectors.rows import Reason
from windlass.plan.compiler import compile_project
from windlass.plan.model import Copy
from windlass.spec.files import load_project
from windlass.testing import Copier, destination_of, source_of

WITHOUT_EXAMPLE = (Reason.LINE_TOO_LONG, Reason.CELL_ERROR)  # files that no page can show
PAGE = (ROOT / "docs" / "reference" / "quarantine.md").read_text("utf-8")
SECTIONS = {
    found[1]: found[2]
    for found in re.finditer(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
JANUARY = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC))


def test_every_reason_is_documented_and_no_other() -> None:
    assert sorted(SECTIONS) == sorted(reason.value for reason in Reason)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in WITHOUT_EXAMPLE])
def test_the_example_of_the_page_has_one_bad_row_for_that_reason(
    copier: Copier, postgres: Database, project: Callable[..., Path], reason: Reason
) -> None:
    copier.addresses["pg"] = postgres.address
    copier.folder = project({"windlass.yaml": "project: test\nconnections:\n  pg: {type: postgres}\n"})
    action = example(SECTIONS[reason], copier.folder, postgres)
    copier(
        action.source,
        action.destination,
        select=action.select,
        validate=action.validate,
        on_bad_row="quarantine",
        interval=JANUARY,
    )
    found = [row["reason"] for row in copier.quarantined]
    assert found == [reason] * (2 if reason is Reason.DUPLICATE_KEY else 1)


def example(section: str, folder: Path, postgres: Database) -> Copy:
    """Make the files and tables of an example. Returns its copy."""
    for kind, rest, content in BLOCK.findall(section):
        if title := re.search(r'title="([^"]+)"', rest):
            encoding = re.search(r'encoding="([^"]+)"', rest)
            (folder / title[1]).write_text(content, encoding=encoding[1] if encoding else "utf-8")
        elif kind == "sql":
            postgres.run(content)
        else:
            copy = "".join(f"      {line}\n" for line in content.splitlines())
            pipeline = f"pipeline: p\ntasks:\n  t:\n    copy:\n{copy}"
            (folder / "pipelines").mkdir(exist_ok=True)
            (folder / "pipelines" / "p.yaml").write_text(pipeline, encoding="utf-8")
    action = compile_project(load_project(folder))["p"].task("t").action
    assert isinstance(action, Copy)
    return action


def test_a_line_that_is_too_long_is_quarantined(copier: Copier, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_USUAL_LINE", "LONGEST_LINE"):
        monkeypatch.setattr(f"windlass.connectors.files.reading.csv.{name}", 1000)
    (copier.folder / "in.csv").write_text("a,b\n1," + "x" * 2000 + "\n2,y\n")
    copier(source_of(path="in.csv"), destination_of(path="out.parquet"), on_bad_row="quarantine")
    [row] = copier.quarantined
    assert (row["reason"], row["line"], row["raw"]) == ("line_too_long", 2, "1," + "x" * 2000)
