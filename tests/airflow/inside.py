"""Looks at exported DAGs from inside an Airflow: a process of its own, since Airflow warns when imported.

`python -m tests.airflow.inside describe FOLDER` and `… execute FOLDER DAG TASK RUN`, JSON on stdout.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk.definitions.dag import DAG

try:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:  # Airflow 3.1
    from airflow.models.dagbag import DagBag  # type: ignore[no-redef]
    from airflow.serialization.serialized_objects import (  # type: ignore[attr-defined,assignment]
        SerializedDAG as DagSerialization,
    )


def main(action: str, folder: str, *arguments: str) -> None:
    """Do what is asked for, and print what came of it."""
    logging.disable(logging.INFO)
    bag = DagBag(folder, bundle_path=Path(folder))
    logging.disable(logging.NOTSET)
    if action == "describe":
        answer: object = {
            "dags": {name: describe(dag) for name, dag in bag.dags.items()},
            "errors": bag.import_errors,
            "windlass": sorted(name for name in sys.modules if name.partition(".")[0] == "windlass"),
        }
    else:
        dag, task, run = arguments
        answer = {
            "pod": pod,
            "on_kubernetes": on_kubernetes,
            "execute": execute,
            "kill": kill,
            "waits": waits,
            "docker": docker,
            "ends": ends,
        }[action](bag.dags[dag], task, json.loads(run))
    sys.stdout.write("\n" + json.dumps(answer, default=str))


def describe(dag: DAG) -> dict[str, Any]:
    """What a user sees of a DAG, and what the scheduler does. It must also pass through Airflow's own JSON."""
    kept = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    return {
        "doc": dag.doc_md,
        "tags": sorted(dag.tags),
        "timetable": type(dag.timetable).__name__,
        "summary": kept.timetable.summary,
        "zone": str(_zone(dag.timetable)),
        "start": str(dag.start_date),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "limit": dag.dagrun_timeout.total_seconds() if dag.dagrun_timeout else None,
        "params": {name: [param.value, param.schema["type"]] for name, param in _params(dag).items()},
        "groups": {name: group.label for name, group in dag.task_group_dict.items() if name},
        "tasks": {task.task_id: _task(task) for task in dag.tasks},
    }


def _zone(timetable: Any) -> Any:
    own = getattr(timetable, "_timezone", "")  # where Airflow 3.1 has it
    return getattr(timetable, "timezone", own)


def _params(dag: DAG) -> dict[str, Any]:
    return {name: dag.params.get_param(name) for name in dag.params}


def _task(task: Any) -> dict[str, Any]:
    return {
        "operator": type(task).__name__,
        "shown": task.operator_name,
        "owner": task.owner,
        "needs": sorted(task.upstream_task_ids),
        "group": task.task_group.group_id if task.task_group else None,
        "retries": task.retries,
        "delay": task.retry_delay.total_seconds(),
        "timeout": task.execution_timeout.total_seconds() if task.execution_timeout else None,
        "rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
        "pool": task.pool,
        "at_once": task.max_active_tis_per_dag,
        "mapped": task.is_mapped,
        "doc": task.doc_md,
        "inlets": [asset.name for asset in task.inlets],
        "outlets": [asset.name for asset in task.outlets],
        "is": "setup" if task.is_setup else "teardown" if task.is_teardown else "task",
        "waits": getattr(task, "wait_for_completion", None),
        "image": getattr(task, "image", None),
    }


class Ti:
    """As much of a task instance as a task asks for."""

    def __init__(self, run: dict[str, Any]) -> None:
        self.try_number, self.pushed = run.get("attempt", 1), dict[str, Any]()
        self._pulled, self._run = run.get("xcoms", {}), run

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def xcom_pull(self, task_ids: str, key: str = "return_value", *, map_indexes: int | None = None) -> Any:
        task = task_ids if map_indexes is None else f"{task_ids}[{map_indexes}]"
        return self._pulled.get(task if key == "return_value" else f"{task}:{key}")

    def get_task_states(self, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        if "states" not in self._run:
            raise RuntimeError("Airflow cannot be asked")
        before = self._run.get("before", {})
        known = {self._run["run_id"]: self._run["states"], before.get("run_id"): before.get("states", {})}
        return {run_id: known[run_id] for run_id in run_ids}

    def get_previous_dagrun(self) -> SimpleNamespace | None:
        before = self._run.get("before")
        return SimpleNamespace(**before) if before else None

    @property
    def log_url(self) -> str:
        return f"http://airflow/dags/d/runs/{self._run['run_id']}/tasks/t?try_number=1"


def execute(dag: DAG, task: str, run: dict[str, Any]) -> dict[str, Any]:
    """Execute one task as its worker would. What it returns, pushes and raises; its log goes to stdout."""
    operator: Any = _operator(dag, task, run)
    ti = Ti(run)
    assets = {asset: SimpleNamespace(extra=None) for asset in operator.outlets}
    params = {name: param.value for name, param in _params(dag).items()} | run.get("params", {})
    dag_run = _dag_run(run)
    context = {"dag_run": dag_run, "ti": ti, "params": params, "outlet_events": assets}
    context["logical_date"] = dag_run.logical_date
    answer: dict[str, Any] = {"raised": None, "result": None}
    try:
        if operator._pre_execute_hook is not None:
            operator._pre_execute_hook({**context, "task": operator})
        answer["result"] = operator.execute(context)
    except Exception as exc:  # noqa: BLE001 - it is what is asked for
        answer["raised"] = [type(exc).__name__, str(exc)]
        answer["triggered"] = {k: str(v) for k, v in vars(exc).items() if k in ("dag_run_id", "logical_date")}
        with suppress(AttributeError):
            answer["conf"] = exc.conf  # type: ignore[attr-defined]
    extras = {asset.name: event.extra for asset, event in assets.items()}
    limit = operator.execution_timeout.total_seconds() if operator.execution_timeout else None
    return {**answer, "pushed": ti.pushed, "extras": extras, "timeout": limit}


def kill(dag: DAG, task: str, run: dict[str, Any]) -> dict[str, Any]:
    """Execute one task, and have it killed as Airflow does once it runs."""

    def end() -> None:
        pids = Path(run["pids"])
        while not (pids.exists() and pids.read_text().endswith("\n")):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    operator: Any = dag.get_task(task)
    signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    threading.Thread(target=end, daemon=True).start()
    return execute(dag, task, run)


def waits(dag: DAG, task: str, run: dict[str, Any]) -> dict[str, Any]:
    """How long Airflow would wait after each failed attempt."""
    policy: Any = dag.get_task(task).retry_policy
    decisions = (policy.evaluate(ValueError("x"), number, run["max_tries"]) for number in run["attempts"])
    return {"seconds": [decision.retry_delay.total_seconds() for decision in decisions]}


def ends(_dag: DAG, _task: str, run: dict[str, Any]) -> list[str | None]:
    """What Airflow is told of tasks that print these lines, and end so: nothing, or which exception."""
    from windlass.targets.airflow.loader.windlass_airflow.lines import Listener

    told: list[str | None] = []
    for kind, code, lines in run["ends"]:
        listener = Listener(logging.getLogger(__name__))
        try:
            for line in lines:
                listener.take(line)
            listener.check(kind, code)
            told.append(None)
        except Exception as exc:  # noqa: BLE001 - it is what is asked for
            told.append(f"{type(exc).__name__}: {exc}")
    return told


class Engine:
    """As much of a Docker engine's client as a task asks for; notes what it is asked."""

    def __init__(self, run: dict[str, Any]) -> None:
        self._run, self.asked = run, dict[str, Any]()

    def images(self, name: str) -> list[str]:
        return [name]

    def create_host_config(self, **options: Any) -> dict[str, Any]:
        return {name: value for name, value in options.items() if value}

    def create_container(self, **options: Any) -> dict[str, str]:
        self.asked["container"] = {name: value for name, value in options.items() if value}
        return {"Id": "1"}

    def containers(self, **options: Any) -> list[dict[str, str]]:
        if "status" in options["filters"]:
            return [{"Id": name} for name in ("ended in 2020", "ended now", "made now", "removed meanwhile")]
        self.asked["looked for"] = options["filters"]["label"]
        return [{"Id": "of an earlier try"}]

    def inspect_container(self, container: str) -> dict[str, Any]:
        from docker.errors import NotFound

        if container == "removed meanwhile":
            raise NotFound(container)
        now = f"{datetime.now(UTC).isoformat()[:19]}.123456789Z"
        made = now if container == "made now" else "2020-01-31T04:15:00.123456789Z"
        ended = {"ended in 2020": made, "made now": "0001-01-01T00:00:00Z"}.get(container, now)
        state = {"OOMKilled": self._run["code"] == 137, "FinishedAt": ended}
        return {"Created": made, "State": state}

    def attach(self, *_: Any, **__: Any) -> list[bytes]:
        return [line.encode() for line in self._run["lines"]]

    def start(self, container: str) -> None:
        self.asked["started"] = container

    def wait(self, container: str) -> dict[str, int]:
        return {"StatusCode": self._run["code"]}

    def remove_container(self, container: str, *, force: bool = False) -> None:
        self.asked.setdefault("removed", []).append([container, force])


def docker(dag: DAG, task: str, run: dict[str, Any]) -> dict[str, Any]:
    """Execute one task on a Docker engine that is none."""
    operator: Any = dag.get_task(task)
    engine = Engine(run)
    operator.hook = SimpleNamespace(api_client=engine, client_created=True)
    return {**execute(dag, task, run), **engine.asked}


def _operator(dag: DAG, task: str, run: dict[str, Any]) -> Any:
    """The operator of a task; of a mapped one, that for `part` or `entry` of the run."""
    operator: Any = dag.get_task(task)
    one = {name: run[name] for name in ("part", "entry") if name in run}
    return operator.unmap(one) if operator.is_mapped else operator


def pod(dag: DAG, task: str, run: dict[str, Any]) -> Any:
    """The manifest of the pod that a task would start."""
    from kubernetes.client import ApiClient

    operator: Any = _operator(dag, task, run)
    params = {name: param.value for name, param in _params(dag).items()}
    operator.prepare({"dag_run": _dag_run(run), "ti": Ti(run), "params": params})
    operator._get_ti_pod_labels = lambda _context: {}  # they come from a real task instance
    return ApiClient().sanitize_for_serialization(operator.build_pod_request_obj({}, dry_run=True))


def on_kubernetes(dag: DAG, task: str, run: dict[str, Any]) -> dict[str, Any]:
    """Execute one task in the cluster that `run` has the kubeconfig of."""
    operator: Any = dag.get_task(task)
    operator.config_file = run["kubeconfig"]
    operator._get_ti_pod_labels = lambda *_, **__: {
        "task": task,
        "try_number": "1",
    }  # they come from a real task instance
    return execute(dag, task, run)


def _dag_run(run: dict[str, Any]) -> SimpleNamespace:
    def moment(name: str) -> datetime | None:
        return datetime.fromisoformat(run[name]) if run.get(name) else None

    return SimpleNamespace(
        run_id=run["run_id"],
        run_type=run["run_type"],
        logical_date=moment("logical_date"),
        run_after=moment("run_after"),
        start_date=moment("began"),
        data_interval_start=moment("start"),
        data_interval_end=moment("end"),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
