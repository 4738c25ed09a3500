"""Steps of windlass that come before a task: they leave in files what the workflow goes on with."""

from __future__ import annotations

from dataclasses import dataclass

from windlass.plan.instances import ENTRY
from windlass.plan.model import Copy, Task, Trigger
from windlass.targets.argo.belonging import HANDED_ON
from windlass.targets.pods.names import dns_name

__all__ = ["Before", "before"]


@dataclass(frozen=True)
class Before:
    """A step, and what of it the task gets."""

    name: str
    option: str
    """What `windlass exec` is told, with where to write."""

    does: str
    """What it does for the task, in words that end with its name."""

    folder: str
    """Where its files are."""

    outputs: dict[str, str]
    """The file of each."""

    variable: str | None = None
    """Where a list comes out, of which there is to be a pod for each item: in which variable that finds its own."""

    is_connected: bool = False
    """Whether it asks the ends of a copy, as the task itself."""

    @property
    def item(self) -> str | None:
        """The parameter of the task's template with its item."""
        return self.variable.lower().replace("_", "-") if self.variable is not None else None


def before(task: Task) -> Before | None:
    """The step before a task; None where it is just started."""
    if isinstance(task.action, Trigger):
        return Before(
            f"run-of-{dns_name(task.name, 56)}",
            "--hand-on=/windlass/handing-on",
            "says which run is triggered by",
            "/windlass/handing-on",
            {name: f"/windlass/handing-on/{name}" for name in HANDED_ON},
        )
    if task.each is not None:  # the parts of its copies are read side by side
        return _listing("entries", f"entries-of-{dns_name(task.name, 52)}", ENTRY)
    if isinstance(task.action, Copy) and task.action.partition is not None and task.action.partition.mapped:
        return _listing("parts", f"parts-of-{dns_name(task.name, 54)}", "WINDLASS_PART", is_connected=True)
    return None


def _listing(what: str, name: str, variable: str, *, is_connected: bool = False) -> Before:
    folder = f"/windlass/{what}"
    file = f"{folder}/list.json"
    return Before(
        name, f"--{what}={file}", f"lists the {what} of", folder, {what: file}, variable, is_connected
    )
