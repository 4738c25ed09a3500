"""Which run the templates of a pipeline belong to: the one that the workflow is, or one that a task in it triggers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from windlass.plan.model import Plan, Task
from windlass.targets.pods.names import dns_name
from windlass.targets.pods.settings import Json

__all__ = ["HANDED_ON", "Belonging", "prefix_of"]

_WORKFLOW = "{{workflow.name}}"
_RUN = {
    "WINDLASS_FIRED_AT": "{{workflow.parameters.fired-at}}",
    "WINDLASS_STARTED_AT": "{{workflow.creationTimestamp.RFC3339}}",
    "WINDLASS_PARAMS": "{{workflow.parameters.params}}",
}
HANDED_ON = {
    "windlass-logical-date": "WINDLASS_LOGICAL_DATE",
    "windlass-run-key": "WINDLASS_RUN_KEY",
    "windlass-params": "WINDLASS_PARAMS",
}
"""What a run that is triggered is told: the parameters of its templates, and in which variable a container has each."""


@dataclass(frozen=True)
class Belonging:
    """How the containers of a pipeline know their run, and what its templates are called."""

    run_id: str
    variables: Mapping[str, str]
    prefix: str = ""
    longest: float | None = None
    """What the task that triggers it has for a timeout, in seconds: Argo knows none of a DAG, so each pod of it has that."""

    @classmethod
    def to_workflow(cls, plan: Plan) -> Belonging:
        """To the run that the workflow is."""
        run = {"WINDLASS_RUN_ID": _WORKFLOW, **_RUN}
        if plan.schedule == "@once" and plan.start is not None:
            run["WINDLASS_LOGICAL_DATE"] = plan.start.isoformat()
        return cls(_WORKFLOW, run)

    def within(self, task: Task) -> Belonging:
        """To the run that a task of this one triggers. Its id says by whom."""
        run_id = f"{self.run_id}.{task.name}"
        told = {variable: f"{{{{inputs.parameters.{name}}}}}" for name, variable in HANDED_ON.items()}
        prefix = f"{self.prefix}{prefix_of(task.name)}"
        return Belonging(run_id, {"WINDLASS_RUN_ID": run_id, **told}, prefix, self.timeout(task))

    def timeout(self, task: Task) -> float | None:
        """How long a try of a task may take."""
        return min(filter(None, (task.timeout, self.longest)), default=None)

    @property
    def is_triggered(self) -> bool:
        return bool(self.prefix)

    @property
    def handed_on(self) -> list[Json]:
        """What each step of a run that is triggered hands on to its template."""
        if not self.is_triggered:
            return []
        return [{"name": name, "value": f"{{{{inputs.parameters.{name}}}}}"} for name in HANDED_ON]

    def named(self, template: str) -> str:
        """What a template is called in the workflow."""
        return self.prefix + template


def prefix_of(task: str) -> str:
    """How the names begin of the templates that are there for the run that a task triggers."""
    return f"in-{dns_name(task)}--"
