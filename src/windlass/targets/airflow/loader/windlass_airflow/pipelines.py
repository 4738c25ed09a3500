"""The DAGs of a bundle: what is in a plan becomes what Airflow has for it.

Several thousand tasks are made here whenever Airflow looks at the file, so what costs time is left out.
"""

from __future__ import annotations

import functools
import logging
import traceback
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    BaseOperator,
    Param,
    TaskGroup,
    get_parsing_context,
)

from .bundle import Json, head_of, read_bundle
from .documentation import markdown, of_pipeline
from .each import listing
from .makers import maker_of
from .names import AirflowFailException, CronDataIntervalTimetable
from .parts import Whole, WholeOfEach
from .retries import waits
from .telling import told_by
from .within import Within, limit_of_dag

__all__ = ["dags_of"]

_ANYTHING = ["null", "string", "number", "boolean"]
_SHOWN_AS = {"start": "service", "stop": "service stop", "split": "copy split"}
"""What the grid, the graph and the lists call a task in place of its operator's class, where not by its kind."""

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def dags_of(file: Path) -> dict[str, DAG]:
    """The DAGs of a bundle; in a task's own process only the DAG of that task.

    A pipeline that Airflow refuses becomes a DAG that says why: an import error would take all the other
    pipelines of the file down with it.
    """
    bundle = read_bundle(file)
    maker_of(bundle["runtime"]["kind"])  # what all pipelines lack is an import error, and not one of each
    wanted = get_parsing_context().dag_id
    found = {}
    for name, plan in bundle["pipelines"].items():
        if wanted is None or wanted == name:
            try:
                found[name] = dag_of(plan, bundle, file)
            except Exception:  # noqa: BLE001 - whatever Airflow raises for it
                found[name] = _broken(name, traceback.format_exc(limit=-3))
    return found


def _broken(name: str, reason: str) -> DAG:
    logging.getLogger(__name__).error("pipeline %s cannot be a DAG: %s", name, reason)
    text = f"**This pipeline cannot be a DAG.**\n\n```text\n{reason}\n```\n"
    with DAG(dag_id=name, description="cannot be a DAG: see its documentation", doc_md=text) as dag:
        Broken(task_id="cannot_be_a_dag", reason=reason, retries=0)
    return dag


class Broken(BaseOperator):
    """Fails with the reason why its pipeline cannot be a DAG."""

    def __init__(self, *, reason: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reason = reason

    def execute(self, context: Any) -> None:
        raise AirflowFailException(self.reason)


def dag_of(plan: Json, bundle: Json, file: Path) -> DAG:
    """The DAG of one plan."""
    schedule = _schedule(plan)
    dag = DAG(
        dag_id=plan["pipeline"],
        description=plan["description"].partition("\n")[0] or None,
        doc_md=of_pipeline(plan, bundle.get("sources", {}).get(plan["pipeline"])),
        schedule=schedule,
        start_date=datetime.fromisoformat(plan["start"]) if plan["start"] else None,
        # without a schedule nothing starts by itself; paused, it would leave a run that is triggered waiting
        is_paused_upon_creation=False if schedule is None else None,
        catchup=plan.get("catchup", False),
        dagrun_timeout=limit_of_dag(plan.get("timeout")),
        max_active_runs=1 if plan["concurrency"] != "allow" else None,
        tags=plan.get("tags", ()),
    )
    Builder(plan, bundle, file, dag).build()
    # last, or each task would get a deep copy of them; a task finds those of its DAG anyway
    for name, default in plan["params"].items():
        dag.params[name] = _param(default)
    return dag


def _schedule(plan: Json) -> Any:
    if plan.get("assets"):
        return [asset(name) for name in plan["assets"]]
    if plan["schedule"] in ("none", "@once"):
        return None if plan["schedule"] == "none" else "@once"
    return CronDataIntervalTimetable(plan["schedule"], timezone=plan["timezone"])


def _param(default: Any) -> Param:
    """A parameter of the type of its default; null is a value of each, and as a default takes anything."""
    if default is None:
        return Param(None, type=_ANYTHING)
    return Param(default, type=[_TYPES[type(default)], "null"])


@functools.cache
def asset(name: str) -> Asset:
    return Asset(name=name)


class Builder:
    """Makes the tasks of one DAG."""

    def __init__(self, plan: Json, bundle: Json, file: Path, dag: DAG) -> None:
        self._plan, self._bundle, self._file, self._dag = plan, bundle, file, dag
        self._operators: dict[str, Any] = {}
        self._stops: dict[str, Any] = {}
        self._first: dict[str, Any] = {}
        self._groups: dict[str, TaskGroup] = {}
        self._head = head_of(plan)
        self._make = maker_of(bundle["runtime"]["kind"])

    def build(self) -> None:
        for task in self._plan["tasks"]:
            self._add(task)
        for task in self._plan["tasks"]:
            operator = self._operators[task["name"]]
            first = self._first.get(task["name"], operator)
            if task["needs"]:
                first.set_upstream([self._operators[name] for name in task["needs"]])
            if task["action"]["kind"] == "tell":
                self._come_last(operator)
            for name in task["uses"]:
                first.set_upstream(self._operators[name])
                operator.set_downstream(self._stops[name])

    def _come_last(self, operator: Any) -> None:
        """Have a task run after all others, whatever became of them. Services end with those that use them."""
        services = [name for name, start in self._operators.items() if start.is_setup]
        others = [each for name, each in self._operators.items() if name not in services]
        operator.set_upstream([each for each in others if each is not operator])

    def _add(self, task: Json) -> None:
        name, kind = task["name"], task["action"]["kind"]
        common = self._common(task)
        job = self._job(task)
        if kind == "service":
            stopped = {**common, "task_id": f"{name}__stop", "pre_execute": None}
            start, stop = self._operator("start", job, common), self._operator("stop", job, stopped)
            start.is_setup = True
            self._operators[name], self._stops[name] = start, stop.as_teardown(setups=start)
        elif kind == "tell":
            self._operators[name] = self._operator("tell", job, common).as_teardown()
        elif task.get("each"):
            self._operators[name], self._first[name] = self._of_each(job, common)
        elif (task["action"].get("partition") or {}).get("mapped"):
            self._operators[name], self._first[name] = self._in_parts(job, common)
        else:
            if kind == "copy" and self._plan["concurrency"] != "allow":
                # a backfill has several runs at once all the same, and a load that waits for another keeps a worker
                common["max_active_tis_per_dag"] = 1
            self._operators[name] = self._operator("task", job, common)

    def _in_parts(self, job: Json, common: Json) -> tuple[Any, Any]:
        """The task that stands for a copy in parts, and the one that begins it."""
        name = common["task_id"]
        own = {key: value for key, value in common.items() if key not in ("inlets", "outlets")}
        split = self._operator("split", job, {**own, "task_id": f"{name}__split"})
        own |= {"task_id": f"{name}__part", "trigger_rule": "all_success", "parts": split.output}
        part = self._make("part", job, own)
        whole: Any = Whole(**{**common, "trigger_rule": "all_success"})
        whole.job = job
        whole.custom_operator_name = job["kind"]
        whole.set_upstream(part)
        return whole, split

    def _of_each(self, job: Json, common: Json) -> tuple[Any, Any]:
        """The task that stands for those of all entries, and the one that lists these."""
        name = common["task_id"]
        own = {key: value for key, value in common.items() if key not in ("inlets", "outlets")}
        entries = self._operator("entries", listing(job), {**own, "task_id": f"{name}__entries"})
        own |= {"task_id": f"{name}__each", "trigger_rule": "all_success", "entries": entries.output}
        each = self._make("each", job, own)
        # of no entries Airflow skips the mapped task, and there is nothing that they have not done
        whole: Any = WholeOfEach(**{**common, "trigger_rule": "none_failed"})
        whole.job = job
        whole.custom_operator_name = job["kind"]
        whole.set_upstream([entries, each])
        return whole, entries

    def _operator(self, role: str, job: Json, common: Json) -> Any:
        make = maker_of("trigger") if job["kind"] == "trigger" else self._make
        operator: Any = make(role, job, common)
        # no arguments: Airflow takes as long for one more class with arguments as for a task
        operator.job = job
        operator.custom_operator_name = _SHOWN_AS.get(role, job["kind"])
        return operator

    def _common(self, task: Json) -> Json:
        """What every operator takes from its task."""
        retry = task["retry"]
        common: Json = {
            "task_id": task["name"],
            "dag": self._dag,
            "retries": retry["retries"],
            "doc_md": markdown(task["description"]),
            "trigger_rule": task.get("trigger_rule", "all_success"),
        }
        if self._plan.get("owner"):
            common["owner"] = self._plan["owner"]
        for key in ("inlets", "outlets"):
            if task.get(key):
                common[key] = [asset(name) for name in task[key]]
        if retry["retries"]:
            common |= waits(retry)
        if task["timeout"]:
            common["execution_timeout"] = timedelta(seconds=task["timeout"])
        if self._plan.get("timeout") and task["action"]["kind"] != "tell":
            common["pre_execute"] = Within(self._plan["timeout"])
        if task.get("pool"):
            common["pool"] = task["pool"]
        if task.get("group"):
            common["task_group"] = self._group(task["group"])
        return common

    def _group(self, path: str) -> TaskGroup:
        """The group of a dotted path. Its tasks keep the names that they have in the pipeline."""
        if path not in self._groups:
            outer, _, name = path.rpartition(".")
            self._groups[path] = TaskGroup(
                group_id=path.replace(".", "__"),
                group_display_name=name,
                prefix_group_id=False,
                parent_group=self._group(outer) if outer else self._dag.task_group,
                dag=self._dag,
            )
        return self._groups[path]

    def _job(self, task: Json) -> Json:
        """What an operator has to know of its task when it runs."""
        action = task["action"]
        job = {
            "pipeline": self._plan["pipeline"],
            "task": task["name"],
            "kind": action["kind"],
            "uses": task["uses"],
            "connections": {name: self._plan["connections"][name]["form"] for name in task["connections"]},
            "params": self._plan["params"],
            "paths": task["paths"],
            "unit": task["unit"],
            "plan": (self._head, task),
            "runtime": self._bundle["runtime"],
            "file": str(self._file),
        }
        if action["kind"] == "tell":
            job |= {"action": action, **told_by(self._plan)}
        if action["kind"] == "trigger":
            triggered = self._bundle["pipelines"].get(action["pipeline"], {})
            job |= {"action": action, "expects": triggered.get("params", {})}
        return job
