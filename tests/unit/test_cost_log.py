"""What jobs cost: added up for a task, and told in words."""

from __future__ import annotations

from typing import Any

import pytest

from windlass.cost_log import keeping_costs, note_job
from windlass.runner.history import TaskRun
from windlass.status import Status


def test_only_what_is_asked_for_is_kept() -> None:
    note_job(processed=1, billed=1)
    with keeping_costs() as outer:
        note_job(processed=2, billed=10)
        with keeping_costs() as inner:
            note_job(processed=3, billed=20)
        note_job(processed=4, billed=30)
    note_job(processed=5, billed=40)
    assert outer.as_detail() == {"cost": {"jobs": 2, "bytes_processed": 6, "bytes_billed": 40}}
    assert inner.as_detail() == {"cost": {"jobs": 1, "bytes_processed": 3, "bytes_billed": 20}}


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        ({"jobs": 1, "bytes_processed": 7, "bytes_billed": 10_485_760}, "1 job, 7 B read, 10.5 MB billed"),
        ({"jobs": 2, "bytes_processed": 0, "bytes_billed": 0}, "2 jobs, 0 B read, 0 B billed"),
        ({"jobs": "many", "bytes_processed": 0, "bytes_billed": 0}, ""),  # a step may say anything
        ({}, ""),
        ("much", ""),
        (None, ""),
    ],
)
def test_a_cost_is_told_in_words(cost: Any, told: str) -> None:
    task = TaskRun("run", "load", "copy", Status.SUCCESS)
    task.detail = {"cost": cost}
    assert task.cost_told == told
