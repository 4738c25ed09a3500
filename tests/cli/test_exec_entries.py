"""`windlass exec --entries=FILE`: what Argo reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Output

PIPELINE = """
pipeline: cities
tasks:
  list: {run: {command: [list]}}
  load:
    for_each: {of: list, path: cities.csv, name: "{{ each.city }}"}
    run: {command: [echo, "{{ each.city }}"]}
"""


def test_a_file_has_the_entries_as_objects_each_of_which_is_handed_on_as_it_stands(
    windlass: Callable[..., Output], project: Callable[..., Path]
) -> None:
    cities = '"Saint ""X"" \\\\ {{ ds }}"'
    root = project({"pipelines/cities.yaml": PIPELINE, "cities.csv": f"city,n\n{cities},$1\nRome,2\n"})
    listed = windlass("-C", root, "exec", "cities", "load", f"--entries={root / 'list.json'}")
    assert listed.code == 0, listed.stderr
    text = (root / "list.json").read_text()
    assert "{{" not in text
    first, second = json.loads(text)
    assert first["value"] == {"city": 'Saint "X" \\\\ {{ ds }}', "n": "$$1"}  # Kubernetes takes one of it
    done = windlass("-C", root, "exec", "cities", "load", env={"WINDLASS_ENTRY": json.dumps(second)})
    assert done.code == 0, done.stderr
    assert "Rome" in done.stdout
