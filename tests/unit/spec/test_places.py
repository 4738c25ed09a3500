"""Where a pipeline file names what a run did not find."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass.spec.places import place_of
from windlass.spec.yaml import read

TEXT = """\
pipeline: p
tasks:
  orders: {sql: {connection: w, statement: "DELETE FROM ordrs"}}
  both:
    needs: [orders]
    copy:
      from:
        connection: w
        query: |
          SELECT id, "odd name"
          FROM orders JOIN  ordrs USING (id)
      to: {path: out/ordrs-old.csv}
  last: {copy: {from: {path: in/a.csv}, to: {path: b.csv}}}
"""


@pytest.mark.parametrize(
    ("task", "error", "place"),
    [
        ("orders", 'line 1: relation "ordrs" does not exist', "3:57"),
        ("both", "warehouse.ordrs: there is no table 'ordrs'\n  hint: did you mean 'orders'?", "11:29"),
        ("both", "`select` names 'odd name', which the source does not have", "10:23"),
        ("both", "there is no table 'other'", "4:3"),
        ("last", "there is no file 'in/a.csv'", "13:30"),
        ("gone", "there is no file 'in/a.csv'", None),
    ],
)
def test_the_place_of_a_name_is_that_in_the_task(
    tmp_path: Path, task: str, error: str, place: str | None
) -> None:
    (tmp_path / "p.yaml").write_text(TEXT)
    assert place_of(read(tmp_path / "p.yaml", "p.yaml"), task, error) == (place and f"p.yaml:{place}")
