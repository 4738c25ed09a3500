"""Tells people that a run failed, with the words that windlass has for it on a laptop."""

from __future__ import annotations

import json
import logging
import re
import urllib.request
from collections.abc import Mapping
from typing import Any

from .bundle import Json
from .connections import connection_environment, hidden, variable
from .lines import ERROR
from .run import utc

__all__ = ["Alarm"]

_log = logging.getLogger(__name__)
_MAPPED = re.compile(r"(.+__part)_(\d+)")
_KIND = "slack"
_LONGEST_ALERT = 2_900  # characters, of the 3,000 that Slack takes in a block


class Alarm:
    """Tells the connections of `on_failure` that a run failed: once a run, in Airflow's DAG processor."""

    def __init__(self, plan: Json) -> None:
        self._project, self._pipeline = plan["project"], plan["pipeline"]
        self._may_change = [task["name"] for task in plan["tasks"] if _may_change_columns(task["action"])]
        known = plan["connections"]
        self._others = [name for name in plan["on_failure"] if known[name]["type"] != _KIND]
        self._forms = {name: known[name]["form"] for name in plan["on_failure"] if name not in self._others}

    def __call__(self, context: Mapping[str, Any]) -> None:
        for name in self._others:
            _log.error("no alert to %s: only Slack is told by Airflow", name)
        for name, form in self._forms.items():
            try:
                address = connection_environment({name: form}).get(variable(name))
                if address is None:
                    _log.warning("no alert: Airflow has no connection %r", name)
                    continue
                _post(address, hidden(self._text(context))[:_LONGEST_ALERT])
                _log.info("alert sent to %s", name)
            except Exception as exc:  # noqa: BLE001 - it must not keep the other alerts from being sent
                _log.error("no alert to %s: %s", name, hidden(str(exc)))

    def _text(self, context: Mapping[str, Any]) -> str:
        """What the alert says, as windlass has it on a laptop."""
        run, run_id = context.get("dag_run"), context.get("run_id")
        logical = utc(run.logical_date or run.run_after) if run else "unknown"
        told = [*self._failed(context), *self._changed(context)]
        tasks = "\n".join(f"• *{name}*: {what}" for name, what in told)
        title = f":red_circle: *{self._pipeline}* failed ({self._project})"
        return f"{title}\nrun `{run_id}`, logical date {logical}\n{tasks}"

    def _failed(self, context: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The tasks that failed, each with its error where it could still say it."""
        ti, run_id = context.get("ti"), str(context.get("run_id"))
        if ti is None:
            return []
        try:
            states = self._states(ti, run_id)
            failed = sorted(name for name, state in states.items() if state == "failed")
            return [(name, _error_of(ti, name)) for name in failed]
        except Exception as exc:  # noqa: BLE001 - an alert that says less is better than none
            _log.warning("cannot ask Airflow which tasks failed: %s", hidden(str(exc)))
            return [(ti.task_id, "see its log")]

    def _changed(self, context: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The tasks that added or widened columns of their destination, which may be why another one failed."""
        ti, run_id = context.get("ti"), str(context.get("run_id"))
        if ti is None or not self._may_change:
            return []
        try:
            states = self._states(ti, run_id)
            done = [name for name in self._may_change if states.get(name) == "success"]
            told = [(name, _columns(ti.xcom_pull(task_ids=name))) for name in done]
        except Exception as exc:  # noqa: BLE001 - as above
            _log.warning("cannot ask Airflow what copies have changed: %s", hidden(str(exc)))
            return []
        return [(name, words) for name, words in told if words]

    def _states(self, ti: Any, run_id: str) -> Mapping[str, str]:
        found: Mapping[str, str] = ti.get_task_states(dag_id=self._pipeline, run_ids=[run_id]).get(run_id, {})
        return found


def _may_change_columns(action: Json) -> bool:
    return action.get("on_new_column") == "add" or action.get("on_type_change") == "widen"


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


def _error_of(ti: Any, name: str) -> str:
    """The error of a task; Airflow adds its number to the name of a mapped one."""
    mapped = _MAPPED.fullmatch(name)
    own = {"task_ids": mapped[1], "map_indexes": int(mapped[2])} if mapped else {"task_ids": name}
    error = ti.xcom_pull(**own, key=ERROR)
    return str(error) if error else "see its log"


def _post(address: str, text: str) -> None:
    body = {"text": text, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, data=json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=15):
        return
