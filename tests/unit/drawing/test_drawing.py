"""Pictures of a plan: every task and every edge is in them, and nothing that a name could smuggle in."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from windlass import drawing
from windlass.plan.model import Plan, RunCommand, Service, Task
from windlass.status import Status

HERE = Path(__file__).parent
SVG = "{http://www.w3.org/2000/svg}"


def plan_of(*edges: str, services: tuple[str, ...] = (), description: str = "") -> Plan:
    """A plan of edges such as `a > b`, in the order in which their targets stand; `a ~ b`: b uses service a."""
    needs: dict[str, list[str]] = {}
    uses: dict[str, list[str]] = {}
    for edge in edges:
        source, arrow, target = edge.partition(" > ") if " > " in edge else edge.partition(" ~ ")
        needs.setdefault(source, [])
        needs.setdefault(target or source, [])
        if arrow == " > ":
            needs[target].append(source)
        elif arrow:
            uses.setdefault(target, []).append(source)
    run = RunCommand()
    service = Service()
    return Plan(
        project="p",
        pipeline="p",
        description=description,
        tasks=tuple(
            Task(
                name=name,
                needs=tuple(needs[name]),
                uses=tuple(uses.get(name, ())),
                action=service if name in services else run,
            )
            for name in needs
        ),
    )


PLANS = {
    "one": plan_of("only", description="One task,\nand a description"),
    "chain": plan_of("a > b", "b > c"),
    "diamond": plan_of("start > left", "start > right", "left > end", "right > end"),
    "fan": plan_of(*(f"start > t{n}" for n in range(4)), *(f"t{n} > end" for n in range(4))),
    "service": plan_of("api ~ extract", "extract > load", services=("api",)),
    "long_edge": plan_of("a > b", "b > c", "a > c"),
    "apart": plan_of("a > b", "c > d"),
    "layers": plan_of(
        *(f"s{m}" for m in range(12)), *(f"s{m} > t{n}" for n, m in itertools.product(range(12), range(12)))
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_text_and_mermaid_are_as_they_were_looked_at(name: str, golden: Callable[[str, Path], None]) -> None:
    plan = PLANS[name]
    golden(f"{drawing.text(plan)}\n\n{drawing.mermaid(plan)}\n", HERE / "golden" / f"{name}.txt")


def boxes(root: ET.Element) -> dict[str, tuple[float, float, float, float]]:
    """Left, top, right and bottom of each task."""
    found = {}
    for group in root.iter(f"{SVG}g"):
        if (name := group.get("data-task")) is not None:
            rect = group.find(f"{SVG}rect")
            assert rect is not None
            x, y, w, h = (float(rect.get(key, "")) for key in ("x", "y", "width", "height"))
            found[name] = (x, y, x + w, y + h)
    return found


@pytest.mark.parametrize("name", PLANS)
def test_the_picture_has_every_task_and_edge_and_nothing_overlaps(name: str) -> None:
    plan = PLANS[name]
    root = ET.fromstring(drawing.svg(plan))
    placed = boxes(root)
    assert sorted(placed) == sorted(task.name for task in plan.tasks)
    edges = {(group.get("data-from"), group.get("data-to")) for group in root.iter(f"{SVG}g")} - {
        (None, None)
    }
    assert edges == {(source, task.name) for task in plan.tasks for source in (*task.needs, *task.uses)}
    for (_, a), (_, b) in itertools.combinations(placed.items(), 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    for source, target in edges:
        assert placed[str(source)][2] < placed[str(target)][0]


def test_a_hostile_name_is_only_text() -> None:
    name = "<script>alert('\"&')</script>\x00\n; end"
    plan = plan_of(f"{name} > b")
    document = drawing.svg(plan, {"b": Status.FAILED})
    ET.fromstring(document)
    assert "<script" not in document
    mermaid = drawing.mermaid(plan)
    assert "<script" not in mermaid
    assert re.findall(r"^  t1\[.*\]$", mermaid, re.MULTILINE)
    assert len(drawing.text(plan).splitlines()) == 5 + name.count("\n")


def test_states_and_links_are_in_the_picture() -> None:
    document = drawing.svg(
        PLANS["chain"], {"a": Status.SUCCESS, "b": Status.FAILED}, lambda name: f"#task-{name}"
    )
    root = ET.fromstring(document)
    links = {a.get("href"): "".join(a.itertext()) for a in root.iter(f"{SVG}a")}
    assert set(links) == {"#task-a", "#task-b", "#task-c"}
    assert "✓ success" in links["#task-a"]
    assert "✕ failed" in links["#task-b"]
    assert "○ pending" in links["#task-c"]


def test_a_plan_without_tasks_is_drawn_too() -> None:
    empty = Plan(project="p", pipeline="p")
    ET.fromstring(drawing.svg(empty))
    assert drawing.mermaid(empty) == "flowchart LR"
    assert drawing.text(empty).strip() == "p"
