"""What has failed in a workflow, as Argo hands it to the exit handler."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from windlass.alerts import Told
from windlass.plan.model import Plan, Trigger
from windlass.targets.argo.belonging import prefix_of
from windlass.targets.pods.names import dns_name

__all__ = ["told_of"]


def told_of(plan: Plan, text: str) -> Iterator[Told]:
    """The tasks that failed, each with its error. `text` is Argo's `workflow.failures`, which it may have put into a text.

    What failed in a run that a task has triggered is told of that task.
    """
    found = json.loads(text)
    if isinstance(found, str):
        found = json.loads(found)
    triggers = [task.name for task in plan.tasks if isinstance(task.action, Trigger)]
    told: dict[str, dict[str, str]] = {}
    for node in _in_order(found):
        name, template = _name(node), str(node.get("templateName") or "")
        trigger = next((one for one in triggers if template.startswith(prefix_of(one))), None)
        told.setdefault(trigger or name, {})[name] = str(node.get("message") or "")
    names = {dns_name(task.name): task.name for task in plan.tasks}
    for task, errors in told.items():
        own = errors.pop(dns_name(task), "")
        inner = "; ".join(f"{name}: {error}" for name, error in errors.items())
        yield Told(names.get(task, task), inner or own)


def _in_order(nodes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The nodes that say something, in the order of time; that of a pod has the last word on its task.

    Argo hands on every node, in no order: pods, tasks as a whole with their tries, and DAGs, which have nothing to say.
    """
    said = [node for node in nodes if node.get("message")] or list(nodes)
    return sorted(said, key=lambda node: (_is_try(node), str(node.get("finishedAt") or ""), _name(node)))


def _name(node: Mapping[str, Any]) -> str:
    return str(node["displayName"]).partition("(")[0]


def _is_try(node: Mapping[str, Any]) -> bool:
    return "(" in str(node["displayName"])
