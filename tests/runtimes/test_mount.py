"""A step that, as a process, asks for the folder where a container has the workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Output

STEPS = """
pipeline: p
tasks:
  shell: {run: {command: [cat, /of-a-container/in.csv], mount: /of-a-container, resources: {memory: 1GB}, user: "1"}}
  python: {run: {command: [python3, -c, "open('/of-a-container/x/y')"], mount: /of-a-container/x}}
  made: {run: {command: [sh, -c, "echo there is no such file as /my/of-a-container; exit 3"], mount: /of-a-container}}
  other: {run: {command: [cat, /of-a-container-too], mount: /of-a-container}}
  found: {run: {command: [cat, /etc/none], mount: /etc}}
  image: {run: {image: "acme/a:1", runtime: process}}
"""


def test_a_step_is_told_where_the_workspace_is(
    windlass: Callable[..., Output], project: Callable[..., Path]
) -> None:
    root = project({"pipelines/p.yaml": STEPS})
    refused = windlass("-C", root, "run", "p")
    assert (refused.code, refused.stderr.count("the runtime `process` starts none")) == (1, 1)
    names = [part for name in ("shell", "python", "made", "other", "found") for part in ("--task", name)]
    done = windlass("-C", root, "run", "p", "--json", *names)
    errors = {task["task"]: task["error"] for task in done.json["tasks"] if task["status"] == "failed"}
    where = f"which only a container has: as a process it finds the workspace, {root}, in WINDLASS_WORKSPACE"
    assert errors == {
        "shell": f"it asked for /of-a-container, {where}",
        "python": f"it asked for /of-a-container/x, {where}",
        "made": "exit code 3\n    there is no such file as /my/of-a-container",
        "other": "exit code 1\n    cat: /of-a-container-too: No such file or directory",
        "found": "exit code 1\n    cat: /etc/none: No such file or directory",
    }
    ignored = [line for line in done.stderr.splitlines() if '"without_container"' in line]
    assert ['"ignored": "user, memory"' in line for line in ignored] == [True]
