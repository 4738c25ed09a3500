"""What a rehearsal fills in and decides as Kubernetes and Argo do."""

from __future__ import annotations

import pytest

from windlass.errors import FatalError
from windlass.rehearsing.container import _bytes
from windlass.rehearsing.depends import holds, names_in
from windlass.rehearsing.text import expanded, substituted
from windlass.targets.argo.depends import _RULES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(B)", "$(B)"),
        ("$A $() $(A", "$A $() $(A"),
        ("$$", "$"),
    ],
)
def test_a_variable_of_kubernetes(text: str, expected: str) -> None:
    assert expanded(text, {"A": "1"}) == expected


def test_tags_of_argo_are_filled_in_wherever_they_stand() -> None:
    found = substituted({"a": ["{{ x }}-{{y.z}}", 1, None], "b": {"c": "no"}}, {"x": "1", "y.z": "{{x}}"})
    assert found == {"a": ["1-{{x}}", 1, None], "b": {"c": "no"}}
    with pytest.raises(FatalError, match=r"what \{\{q\}\} is"):
        substituted("{{q}}", {})


@pytest.mark.parametrize(
    ("expression", "became", "expected"),
    [
        ("", {}, True),
        ("a", {"a": "Succeeded"}, True),
        ("a", {"a": "Daemoned"}, True),
        ("a", {"a": "Omitted"}, False),
        ("a && b.Failed", {"a": "Succeeded", "b": "Failed"}, True),
        ("a || b && c", {"a": "Succeeded", "b": "Failed", "c": "Failed"}, True),
        ("(a || b) && c", {"a": "Succeeded", "b": "Failed", "c": "Failed"}, False),
        ("!a && !(b || c)", {"a": "Failed", "b": "Failed", "c": "Failed"}, True),
        ("a-1.Succeeded||a-1.Skipped", {"a-1": "Skipped"}, True),
    ],
)
def test_whether_a_task_of_argo_may_start(expression: str, became: dict[str, str], expected: bool) -> None:
    assert holds(expression, became) is expected
    assert names_in(expression) == set(became)


@pytest.mark.parametrize("expression", ["a &&", "a b", "(a", "a & b", "z"])
def test_what_is_no_depends_is_told(expression: str) -> None:
    with pytest.raises(FatalError, match="depends"):
        holds(expression, {"a": "Succeeded", "b": "Succeeded"})


def test_every_trigger_rule_of_an_export_is_understood() -> None:
    for pattern, between in _RULES.values():
        expression = between.join(pattern.format(name) for name in ("a", "b"))
        assert names_in(expression) == {"a", "b"}
        results = {
            holds(expression, {"a": a, "b": b})
            for a in ("Succeeded", "Failed", "Omitted")
            for b in ("Succeeded", "Failed", "Omitted")
        }
        assert True in results


@pytest.mark.parametrize(("quantity", "expected"), [("512Mi", 512 << 20), ("1.5G", 1_500_000_000), ("7", 7)])
def test_a_quantity_of_memory(quantity: str, expected: int) -> None:
    assert _bytes(quantity) == expected


def test_an_unknown_quantity_is_told() -> None:
    with pytest.raises(FatalError, match="quantity"):
        _bytes("lots")
