"""The pipelines of `plan.json`, which lies beside this file, as Airflow DAGs.

Written by `windlass export airflow`; the same for every project, so edit nothing here. It needs Airflow 3.1
or newer and nothing of windlass: the plan was compiled, checked and resolved before it came here. A task
starts the same command as everywhere else; a connection is taken from Airflow when the task runs.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from airflow.sdk import (
    DAG,
    Asset,
    BaseOperator,
    Connection,
    CronDataIntervalTimetable,
    Param,
    TaskGroup,
    get_parsing_context,
)
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException
from airflow.sdk.log import mask_secret

try:
    from airflow.sdk import RetryDecision, RetryPolicy
except ImportError:  # before Airflow 3.3
    RetryPolicy = None  # type: ignore[assignment,misc]

PLAN = Path(__file__).with_name("plan.json")
VERSION = 1

Json = dict[str, Any]

_LONGEST_DELAY = 3600.0
_LONGEST_RUN_ID = 250
_POKE_EVERY = 5
_SINGLE = re.compile(r"\{\{((?:(?!\}\}|\{\{).)*)\}\}", re.DOTALL)  # a text that is one expression
_PROGRESS_EVERY = 15.0
_GRACE = 20.0
_NUMBERS = ("rows_read", "rows_written", "rows_quarantined", "bytes")
_ANYTHING = ["null", "string", "number", "boolean"]
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_SHORTEST_SECRET = 4  # to mask shorter text would black out half of every log
_LONGEST_ALERT = 2_900  # characters, of the 3,000 that Slack takes in a block
ERROR = "error"  # the XCom in which a failed task leaves its error for the alert
_RETRYABLE = 3  # the exit code of windlass for what may work later


class PlanError(Exception):
    """`plan.json` cannot be used; the message says what to do."""


# --- the plan ---------------------------------------------------------------------------------------


def read_plan(file: Path) -> Json:
    """The bundle of plans. Raises PlanError, which Airflow shows as an import error of this file."""
    again = f"write it again with `windlass export airflow`, and deploy both files together ({file})"
    try:
        bundle = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise PlanError(f"there is no plan.json beside windlass_dags.py: {again}") from None
    except (OSError, ValueError) as exc:
        raise PlanError(f"plan.json cannot be read, {exc}: {again}") from None
    if not isinstance(bundle, dict) or not isinstance(bundle.get("pipelines"), dict):
        raise PlanError(f"plan.json is not what `windlass export airflow` writes: {again}")
    if bundle.get("version") != VERSION:
        found = bundle.get("version")
        raise PlanError(f"plan.json has version {found}, windlass_dags.py reads version {VERSION}: {again}")
    return bundle


def dags_of(file: Path) -> dict[str, DAG]:
    """The DAGs of a bundle; in a task's own process only the DAG of that task.

    A pipeline that Airflow refuses becomes a DAG that says why: an import error would take all the other
    pipelines of the file down with it.
    """
    bundle = read_plan(file)
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


# --- one pipeline -----------------------------------------------------------------------------------


def dag_of(plan: Json, bundle: Json, file: Path) -> DAG:
    """The DAG of one plan."""
    dag = DAG(
        dag_id=plan["pipeline"],
        description=plan["description"].partition("\n")[0] or None,
        doc_md=_markdown(plan["description"]),
        schedule=_schedule(plan),
        start_date=datetime.fromisoformat(plan["start"]) if plan["start"] else None,
        catchup=plan.get("catchup", False),
        max_active_runs=1 if plan["concurrency"] == "forbid" else None,
        tags=plan.get("tags", ()),
        on_failure_callback=functools.partial(tell, plan) if plan["on_failure"] else None,
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


def _markdown(text: str) -> str | None:
    """Airflow takes a text that ends in `.md` for the name of a file."""
    return f"{text}\n" if text else None


@functools.cache
def asset(name: str) -> Asset:
    return Asset(name=name)


class Builder:
    """Makes the tasks of one DAG."""

    def __init__(self, plan: Json, bundle: Json, file: Path, dag: DAG) -> None:
        self._plan, self._bundle, self._file, self._dag = plan, bundle, file, dag
        self._operators: dict[str, Any] = {}
        self._stops: dict[str, Any] = {}
        self._groups: dict[str, TaskGroup] = {}

    def build(self) -> None:
        for task in self._plan["tasks"]:
            self._add(task)
        for task in self._plan["tasks"]:
            operator = self._operators[task["name"]]
            if task["needs"]:
                operator.set_upstream([self._operators[name] for name in task["needs"]])
            for name in task["uses"]:
                operator.set_upstream(self._operators[name])
                operator.set_downstream(self._stops[name])

    def _add(self, task: Json) -> None:
        name, kind = task["name"], task["action"]["kind"]
        common = self._common(task)
        job = self._job(task)
        if kind == "trigger":
            self._operators[name] = _trigger_operator()(job=job, **common)
        elif kind == "service":
            start = self._operator({**job, "options": ["--start"]}, common)
            stop = self._operator({**job, "options": ["--stop"]}, {**common, "task_id": f"{name}__stop"})
            start.is_setup = True
            self._operators[name], self._stops[name] = start, stop.as_teardown(setups=start)
        else:
            self._operators[name] = self._operator(job, common)

    def _operator(self, job: Json, common: Json) -> Any:
        operator = WindlassOperator(**common)
        operator.job = (
            job  # no argument: Airflow takes as long for one more class with arguments as for a task
        )
        return operator

    def _common(self, task: Json) -> Json:
        """What every operator takes from its task."""
        retry = task["retry"]
        common: Json = {
            "task_id": task["name"],
            "dag": self._dag,
            "retries": retry["retries"],
            "doc_md": _markdown(task["description"]),
            "trigger_rule": task.get("trigger_rule", "all_success"),
        }
        for key in ("inlets", "outlets"):
            if task.get(key):
                common[key] = [asset(name) for name in task[key]]
        if retry["retries"]:
            common |= _waits(retry)
        if task["timeout"]:
            common["execution_timeout"] = timedelta(seconds=task["timeout"])
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
            "connections": _connections_of(action),
            "params": self._plan["params"],
            "runtime": self._bundle["runtime"],
            "file": str(self._file),
        }
        if action["kind"] in ("run", "service", "trigger"):
            job |= {"action": action, "paths": self._paths()}
        if action["kind"] == "trigger":
            triggered = self._bundle["pipelines"].get(action["pipeline"], {})
            job["expects"] = triggered.get("params", {})
        return job

    def _paths(self) -> dict[str, str]:
        """What `tasks.NAME.path` means: the file that each task of the pipeline writes."""
        actions = {task["name"]: task["action"] for task in self._plan["tasks"]}
        paths = {name: a.get("to") or (a.get("destination") or {}).get("path") for name, a in actions.items()}
        return {name: path for name, path in paths.items() if path}


def _connections_of(action: Json) -> list[str]:
    """The connections that an action names."""
    ends = [action.get(end) or {} for end in ("source", "destination", "quarantine")]
    names = [action.get("connection"), *(end.get("connection") for end in ends)]
    return list(dict.fromkeys([*filter(None, names), *action.get("connections", ())]))


def _waits(retry: Json) -> Json:
    """The waits between attempts: exact where Airflow lets a task say them, else Airflow's own, which vary."""
    waits: Json = {
        "retry_delay": timedelta(seconds=min(retry["delay"], _LONGEST_DELAY)),
        "max_retry_delay": timedelta(seconds=_LONGEST_DELAY),
    }
    if RetryPolicy is not None:
        waits |= {"retry_exponential_backoff": retry["backoff"], "retry_policy": Waits(retry)}
    else:
        waits["retry_exponential_backoff"] = retry["backoff"] > 1
    return waits


if RetryPolicy is not None:

    class Waits(RetryPolicy):
        """Waits as long as windlass would before the next attempt."""

        def __init__(self, retry: Json) -> None:
            self._retry = retry

        def evaluate(
            self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
        ) -> RetryDecision:
            # clearing a task raises max_tries, and its attempts count from the beginning again
            attempt = max(1, try_number - max(0, max_tries - self._retry["retries"]))
            seconds = self._retry["delay"] * self._retry["backoff"] ** (attempt - 1)
            return RetryDecision.retry(delay=timedelta(seconds=min(seconds, _LONGEST_DELAY)))


# --- what a task finds ------------------------------------------------------------------------------


def run_environment(job: Json, context: Mapping[str, Any]) -> dict[str, str]:
    """What every step finds in its environment, in every language and under every scheduler."""
    run = context["dag_run"]
    logical = _utc(run.logical_date or run.run_after)
    found = {
        "WINDLASS_RUN_ID": run.run_id,
        "WINDLASS_RUN_KEY": logical if is_scheduled(run) else run.run_id,
        "WINDLASS_LOGICAL_DATE": logical,
        "WINDLASS_ATTEMPT": str(context["ti"].try_number),
        "WINDLASS_SERVICES": json.dumps(_services(job, context)),
        "WINDLASS_PARAMS": json.dumps({name: context["params"].get(name) for name in job["params"]}),
    }
    if not _is_handed_on(run):  # of those Airflow has another interval than windlass, which works it out
        found["WINDLASS_DATA_INTERVAL_START"] = (
            _utc(run.data_interval_start) if run.data_interval_start else logical
        )
        found["WINDLASS_DATA_INTERVAL_END"] = (
            _utc(run.data_interval_end) if run.data_interval_end else logical
        )
    return found


def is_scheduled(run: Any) -> bool:
    """Whether the run stands for its logical date, so that another run for that date is the same one."""
    return run.logical_date is not None and (
        str(getattr(run.run_type, "value", run.run_type)) in ("scheduled", "backfill") or _is_handed_on(run)
    )


def _is_handed_on(run: Any) -> bool:
    """Whether the run got its logical date from the scheduled run that triggered it."""
    return run.logical_date is not None and run.run_id.startswith(HANDED_ON)


def _moment(moment: datetime) -> datetime:
    """A plain `datetime`: Airflow's own kind is written differently."""
    return datetime.fromisoformat(moment.isoformat()).astimezone(UTC)


def _utc(moment: datetime) -> str:
    return _moment(moment).isoformat()


def _services(job: Json, context: Mapping[str, Any]) -> Json:
    """Where the services are that the task uses: what their start task handed over."""
    pulled = {name: context["ti"].xcom_pull(task_ids=name) or {} for name in job["uses"]}
    return {name: result.get("address", {}) for name, result in pulled.items()}


def connection_environment(names: Sequence[str]) -> dict[str, str]:
    """`WINDLASS_CONN_<NAME>` for each connection: of the worker's environment, else Airflow's own. Masks them.

    One that Airflow does not know is left out: windlass looks on in the project's `.env` and the like, and
    says where it looked.
    """
    found = {}
    for name in names:
        variable = _variable(name)
        address = os.environ.get(variable)
        if not address:
            try:
                address = address_of(Connection.get(name))
            except AirflowNotFoundException:
                continue
        hide(address)
        found[variable] = address
    return found


_secrets: set[str] = set()


def hide(address: str) -> None:
    """Keep an address and its password out of Airflow's log, and of what is written elsewhere."""
    password = urlsplit(address).password or ""
    for secret in (address, password, unquote(password)):
        if len(secret) >= _SHORTEST_SECRET:
            mask_secret(secret)
            _secrets.add(secret)


def hidden(text: str) -> str:
    """The text without the secrets that this task or callback knows."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _variable(name: str) -> str:
    return f"WINDLASS_CONN_{name.upper().replace('-', '_')}"


def address_of(connection: Any) -> str:
    """A connection of Airflow as windlass and its steps read one: a URI."""
    kind = (connection.conn_type or "").lower().replace("_", "-")
    host, path = connection.host or "", connection.schema or ""
    if kind in ("sqlite", "duckdb"):
        return f"{kind}:///{host or path}"
    if kind not in ("http", "https", "slack", "slackwebhook"):
        return str(connection.get_uri())
    scheme, _, rest = host.rpartition("://")
    if path in ("http", "https"):  # Airflow's http connection has its scheme there
        scheme, path = scheme or path, ""
    if kind.startswith("slack") and connection.password:
        path = connection.password  # Slack's own provider has the secret end of the address there
        host = rest or "hooks.slack.com/services"
        return f"{scheme or 'https'}://{host.rstrip('/')}/{path.lstrip('/')}"
    login = quote(connection.login, safe="") if connection.login else ""
    if connection.password:
        login += f":{quote(connection.password, safe='')}"
    where = (f"{login}@" if login else "") + rest + (f":{connection.port}" if connection.port else "")
    return f"{scheme or ('http' if kind == 'http' else 'https')}://{where}" + (f"/{path}" if path else "")


def filled(value: Any, job: Json, context: Mapping[str, Any], environment: Any) -> Any:
    """The value with every template in it filled in, with windlass's names; a single expression keeps its type."""
    known = _names(job, context)
    jinja = environment.overlay(keep_trailing_newline=True, finalize=lambda v: "" if v is None else v)

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        if not isinstance(value, str) or not any(mark in value for mark in ("{{", "{%", "{#")):
            return value
        if single := _SINGLE.fullmatch(value):
            return jinja.compile_expression(single[1], undefined_to_none=False)(**known)
        return jinja.from_string(value).render(known)

    known["tasks"] = {name: {"path": fill(path)} for name, path in job["paths"].items()}
    return fill(value)


def _names(job: Json, context: Mapping[str, Any]) -> Json:
    run = context["dag_run"]
    logical = _moment(run.logical_date or run.run_after)
    return {
        "ds": logical.strftime("%Y-%m-%d"),
        "ts": logical.isoformat(),
        "logical_date": logical,
        "data_interval_start": _moment(run.data_interval_start or logical),
        "data_interval_end": _moment(run.data_interval_end or logical),
        "run_id": run.run_id,
        "params": context["params"],
        "services": _services(job, context),
    }


# --- what a task says -------------------------------------------------------------------------------


class Listener:
    """Reads the lines that a task prints: shows them in Airflow's log, keeps its result and its failure."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._progress = time.monotonic()
        self.result: Json = {}
        self.failure: Json = {}

    def take(self, line: str) -> None:
        record = _record(line)
        event = record.get("event")
        if event == "result":
            self.result = record
            self._log.info("%s", _numbers(record))
        elif event == "failed":
            self.failure = record
            self._log.error("%s", record.get("error"))
        elif event != "progress":
            level = logging.getLevelNamesMapping().get(str(record.get("level", "info")).upper(), logging.INFO)
            self._log.log(level, "%s", _readable(record))
        elif time.monotonic() - self._progress >= _PROGRESS_EVERY:
            self._progress = time.monotonic()
            self._log.info("%s", _readable(record))

    def summary(self) -> Json:
        """The result as XCom has it."""
        kept = {name: self.result[name] for name in (*_NUMBERS, "path") if self.result.get(name) is not None}
        detail = self.result.get("detail") or {}
        if "address" in detail:
            kept["address"] = detail["address"]
        return kept

    def error(self, code: int) -> str:
        """What went wrong, without a secret in it."""
        return hidden(str(self.failure.get("error") or _exit_code(code)))

    def check(self, kind: str, code: int) -> None:
        """Raise for a task that ended with that exit code, unless it is 0; not to be retried where that cannot help."""
        if code == 0:
            return
        error = self.error(code)
        may_work_later = code == _RETRYABLE or code < 0 or code > 128 or kind in ("run", "service")
        if self.failure.get("retryable", may_work_later):
            raise AirflowException(error)
        raise AirflowFailException(error)


def _record(line: str) -> Json:
    """A line as a log record: the JSON object in it, else its text."""
    if line.startswith("{"):
        with suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict) and "event" in record:
                return record
    return {"event": line}


_CONTEXT = ("time", "level", "event", "run", "pipeline", "task", "attempt")


def _readable(record: Json) -> str:
    fields = (f"{name}={value}" for name, value in record.items() if name not in _CONTEXT)
    return " ".join([str(record["event"]), *fields])


def _numbers(result: Json) -> str:
    words = {
        "rows_read": "rows read",
        "rows_written": "written",
        "rows_quarantined": "set aside",
        "bytes": "bytes",
    }
    said = [f"{result[name]:,} {words[name]}" for name in _NUMBERS if isinstance(result.get(name), int)]
    return "done: " + (", ".join(said) or "success") + (f" ({result['path']})" if result.get("path") else "")


def _exit_code(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def note_assets(context: Mapping[str, Any], outlets: Sequence[Asset], summary: Json) -> None:
    """Put rows and bytes on the events of the assets that the task has written."""
    for outlet in outlets:
        context["outlet_events"][outlet].extra = {k: v for k, v in summary.items() if k in _NUMBERS}


# --- tasks as processes -----------------------------------------------------------------------------


class WindlassOperator(BaseOperator):
    """Starts `windlass exec` for one task, in a process group of its own, and follows it to its end."""

    ui_color = "#e8f0f7"

    job: Json
    _process: subprocess.Popen[bytes] | None = None

    def execute(self, context: Any) -> Json:
        command = self._command()
        environment = {**_inherited(), **run_environment(self.job, context), **self._own_environment()}
        environment |= connection_environment(self.job["connections"])
        self.log.info("starting %s", subprocess.list2cmdline(command))
        listener = Listener(self.log)
        code = self._follow(command, environment, listener)
        if code != 0:
            context["ti"].xcom_push(key=ERROR, value=listener.error(code))
        listener.check(self.job["kind"], code)
        summary = listener.summary()
        note_assets(context, self.outlets, summary)
        return summary

    def on_kill(self) -> None:
        """End the whole group: politely, so that it leaves nothing behind, then not."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _command(self) -> list[str]:
        job, runtime = self.job, self.job["runtime"]
        command = [*runtime["command"], "-C", str(self._project()), "exec", job["pipeline"], job["task"]]
        return [*command, "--plan", job["file"], *job.get("options", ())]

    def _project(self) -> Path:
        return Path(os.path.normpath(Path(self.job["file"]).parent / self.job["runtime"]["project"]))

    def _own_environment(self) -> dict[str, str]:
        return {"WINDLASS_WORKSPACE": self.job["runtime"].get("workspace") or str(self._project())}

    def _follow(self, command: list[str], environment: dict[str, str], listener: Listener) -> int:
        self._process = _start(command, environment)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            listener.take(line.decode(errors="replace").rstrip())
        return self._process.wait()


def _start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent(),  # noqa: PLW1509 - it only calls prctl
        )
    except FileNotFoundError:
        raise AirflowFailException(
            f"{command[0]!r} is not on this worker: install windlass there, or export for docker or kubernetes"
        ) from None


def _end_with_parent() -> Callable[[], None] | None:
    """Has the kernel ask a child to end when this process is killed: its retry must not find it at work."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _inherited() -> dict[str, str]:
    """The worker's environment without what is Airflow's: its keys, and connections that the task does not name."""
    return {
        k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "_AIRFLOW_", "WINDLASS_CONN_"))
    }


class Broken(BaseOperator):
    """Fails with the reason why its pipeline cannot be a DAG."""

    def __init__(self, *, reason: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reason = reason

    def execute(self, context: Any) -> None:
        raise AirflowFailException(self.reason)


# --- pipelines that start pipelines -----------------------------------------------------------------

HANDED_ON = "windlass_handed_on__"


@functools.cache
def _trigger_operator() -> type[BaseOperator]:
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

    class WindlassTriggerOperator(TriggerDagRunOperator):
        """Starts the run of another pipeline: always the same run, however often it is tried or cleared."""

        template_fields = ()

        def __init__(self, *, job: Json, **kwargs: Any) -> None:
            super().__init__(
                trigger_dag_id=job["action"]["pipeline"],
                wait_for_completion=job["action"].get("wait", True),
                reset_dag_run=True,
                poke_interval=_POKE_EVERY,
                **kwargs,
            )
            self.job = job

        def execute(self, context: Any) -> None:
            run = context["dag_run"]
            self.trigger_run_id = _triggered_run_id(self.job, run)
            self.logical_date = run.logical_date if is_scheduled(run) else None
            given = filled(self.job["action"]["params"], self.job, context, self.get_template_env())
            wanted = self.job["expects"]
            self.conf = {name: _like(wanted.get(name), value) for name, value in given.items()}
            super().execute(context)

    return WindlassTriggerOperator


def _triggered_run_id(job: Json, run: Any) -> str:
    """The id of the run that a task starts: it says by whom, and has the length that Airflow allows."""
    prefix = HANDED_ON if is_scheduled(run) else "windlass_triggered__"
    name = f"{prefix}{job['pipeline']}.{job['task']}__"
    digest = hashlib.sha256(run.run_id.encode()).hexdigest()[:16]
    return name + (run.run_id if len(name) + len(run.run_id) <= _LONGEST_RUN_ID else digest)


def _like(default: Any, value: Any) -> Any:
    """The value of a parameter as its default's type; text for another type means what YAML would make of it."""
    if isinstance(value, str) and not isinstance(default, str):
        with suppress(ValueError):
            value = json.loads(value.lower())
    return float(value) if isinstance(default, float) and type(value) is int else value


# --- alerts -----------------------------------------------------------------------------------------


def tell(plan: Json, context: Mapping[str, Any]) -> None:
    """Tell the connections of `on_failure` that a run failed: once a run, in Airflow's DAG processor."""
    text = _message(plan, context)
    log = logging.getLogger(__name__)
    for name in plan["on_failure"]:
        try:
            address = connection_environment([name]).get(_variable(name))
            if address is None:
                log.warning("no alert: Airflow has no connection %r", name)
                continue
            _post(address, text)
            log.info("alert sent to %s", name)
        except Exception as exc:  # noqa: BLE001 - it must not keep the other alerts from being sent
            log.error("no alert to %s: %s", name, hidden(str(exc)))


def _message(plan: Json, context: Mapping[str, Any]) -> str:
    """The text of the alert, as windlass has it on a laptop."""
    run, run_id = context.get("dag_run"), context.get("run_id")
    logical = _utc(run.logical_date or run.run_after) if run else "unknown"
    tasks = "\n".join(f"• *{name}*: {error}" for name, error in _failed_tasks(plan, context))
    title = f":red_circle: *{plan['pipeline']}* failed ({plan['project']})"
    return hidden(f"{title}\nrun `{run_id}`, logical date {logical}\n{tasks}")[:_LONGEST_ALERT]


def _failed_tasks(plan: Json, context: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The tasks that failed, each with its error where it could still say it."""
    ti, run_id = context.get("ti"), str(context.get("run_id"))
    if ti is None:
        return []
    states = ti.get_task_states(dag_id=plan["pipeline"], run_ids=[run_id]).get(run_id, {})
    failed = sorted(name for name, state in states.items() if state == "failed")
    return [(name, _error_of(ti, name)) for name in failed]


def _error_of(ti: Any, name: str) -> str:
    task = name.partition("[")[0]
    error = ti.xcom_pull(task_ids=task, key=ERROR)
    return str(error) if error else "see its log"


def _post(address: str, text: str) -> None:
    body = {"text": text, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, data=json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=15):
        return


globals().update(dags_of(PLAN))
