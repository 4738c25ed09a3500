"""Tells people what became of a run: the last task of a DAG, which starts windlass as every other does.

It is a teardown: it runs whatever became of the others, and what becomes of it is nothing to the run. Here is found out what
there is to tell; how that is told, windlass knows.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from airflow.sdk import BaseOperator

from .bundle import Json
from .connections import hidden
from .lines import ERROR
from .run import utc

__all__ = ["telling", "told_by"]

_MAPPED = re.compile(r"(.+__(?:part|each))_(\d+)")
_OF_WHOLE = re.compile(r"(.+)__(?:split|entries|(?:part|each)(?:_\d+)?)")
_LOST = ("failed", "upstream_failed")
_LONGEST, _MOST = 1_500, 50  # characters of an error; tasks in one message
_CHANGED = ("columns_added", "columns_widened")
_EVENTS = ("on_failure", "on_recovery", "on_success")


def telling(operator: type[BaseOperator], arguments: Json) -> Any:
    """The task that tells, by a runtime's own operator."""
    return _teller_of(operator)(**arguments)


@functools.cache
def _teller_of(operator: type[BaseOperator]) -> Any:
    class TellOperator(operator):  # type: ignore[misc,valid-type]
        """Starts windlass where there is something to tell."""

        custom_operator_name = "tell"
        job: Json

        def execute(self, context: Any) -> Any:
            messages = list(Ended(self.job, context).messages())
            if not messages:
                self.log.info("nobody has to be told")
                return None
            self.job = {**self.job, "messages": messages}
            return super().execute(context)

    TellOperator.__name__ = operator.__name__.replace("Operator", "TellOperator")
    return TellOperator


def told_by(plan: Json) -> Json:
    """What the task has to know of its pipeline: who is told of what, and which tasks the state of the run follows from."""
    tasks = [task for task in plan["tasks"] if task["action"]["kind"] not in ("tell", "service")]
    needed = {name for task in tasks for name in task["needs"]}
    return {
        "who": {"": _who(plan), **{task["name"]: _who(task) for task in tasks if any(_who(task).values())}},
        "ends": [task["name"] for task in tasks if task["name"] not in needed],
        "may_change": [task["name"] for task in tasks if _may_change_columns(task["action"])],
    }


def _who(said: Json) -> Json:
    return {event: said[event] for event in _EVENTS}


def _may_change_columns(action: Json) -> bool:
    return action.get("on_new_column") == "add" or action.get("on_type_change") == "widen"


class Ended:
    """A run of which all other tasks are over."""

    def __init__(self, job: Json, context: Mapping[str, Any]) -> None:
        self._job, self._ti, self._run = job, context["ti"], context["dag_run"]
        self._states = self._states_of(self._run.run_id)
        before = self._ti.get_previous_dagrun() if self._run.logical_date is not None else None
        self._before = before if before is not None and str(before.state) == "failed" else None

    def messages(self) -> Iterator[tuple[str, Json]]:
        """Whom to tell, and what. Whoever the pipeline tells is not told once more of a task."""
        covered: set[tuple[str, str]] = set()
        for name, who in self._job["who"].items():
            for event, connections in self._events(name, who):
                for connection in connections:
                    if (connection, event) not in covered:
                        yield connection, self._message(event, name)
                    if not name:
                        covered.add((connection, event))

    def _events(self, name: str, who: Json) -> Iterator[tuple[str, list[str]]]:
        if self._has(name, self._states, "failed"):
            yield "failure", who["on_failure"]
        elif self._has(name, self._states, "success"):
            if self._has_failed_before(name):
                opened = [each for each in who["on_failure"] if each in self._job["action"]["open"]]
                yield "recovery", list(dict.fromkeys([*who["on_recovery"], *opened]))
            yield "success", who["on_success"]

    def _has(self, name: str, states: Mapping[str, str], state: str) -> bool:
        """Whether a task is in that state; without a name, whether the run will be."""
        if name and state == "failed":
            return bool(self._failed(name, states))
        if name:
            return states.get(name) == state
        lost = any(states.get(end) in _LOST for end in self._job["ends"])
        return lost if state == "failed" else not lost

    def _has_failed_before(self, name: str) -> bool:
        if self._before is None or not name:
            return self._before is not None
        return bool(self._failed(name, self._states_of(self._before.run_id)))

    def _failed(self, name: str, states: Mapping[str, str]) -> list[str]:
        """What has failed of a task: itself, or those that it stands for."""
        failed = sorted(each for each, state in states.items() if state == "failed")
        return [each for each in failed if each == name or _stands_for(name, each)]

    def _states_of(self, run_id: str) -> Mapping[str, str]:
        found = self._ti.get_task_states(dag_id=self._job["pipeline"], run_ids=[run_id]).get(run_id, {})
        return {name: str(getattr(state, "value", state)) for name, state in found.items()}

    # --- what is told ---

    def _message(self, event: str, name: str) -> Json:
        return {
            "event": event,
            "project": self._job["plan"][0]["project"],
            "pipeline": self._job["pipeline"],
            "task": name or None,
            "run_id": self._run.run_id,
            "logical_date": utc(self._run.logical_date or self._run.run_after),
            "told": list(self._told(event, name)),
            "link": str(getattr(self._ti, "log_url", "")).partition("/tasks/")[0],
            "since": self._before.run_id if event == "recovery" and self._before else "",
        }

    def _told(self, event: str, name: str) -> Iterator[Json]:
        if event == "failure":
            failed = (
                self._failed(name, self._states)
                if name
                else sorted(t for t, state in self._states.items() if state == "failed")
            )
            for task in failed[:_MOST]:
                yield {"task": task, "what": hidden(self._error_of(task))[:_LONGEST]}
        if event == "failure" and not name:  # what a copy has changed may be why another task failed
            for task in self._job["may_change"]:
                if self._states.get(task) == "success" and (
                    words := _columns(self._ti.xcom_pull(task_ids=task))
                ):
                    yield {"task": task, "what": words}

    def _error_of(self, name: str) -> str:
        """The error of a task; Airflow adds its number to the name of a mapped one."""
        mapped = _MAPPED.fullmatch(name)
        own = {"task_ids": mapped[1], "map_indexes": int(mapped[2])} if mapped else {"task_ids": name}
        error = self._ti.xcom_pull(**own, key=ERROR)
        return str(error) if error else "see its log"


def _stands_for(name: str, other: str) -> bool:
    part = _OF_WHOLE.fullmatch(other)
    return part is not None and part[1] == name


def _columns(result: Any) -> str:
    """What a copy did to columns, in the words that windlass has for it on a laptop."""
    done = result if isinstance(result, dict) else {}
    words = []
    if added := done.get("columns_added"):
        words.append(f"columns added: {', '.join(added)}")
    if widened := done.get("columns_widened"):
        words.append(
            f"columns widened: {', '.join(f'{name} ({change})' for name, change in widened.items())}"
        )
    return "; ".join(words)
