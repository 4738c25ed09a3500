"""The part of Airflow's REST API (version 2) that the stack needs, with the standard library."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import datetime
from typing import Any

from windlass.errors import RetryableError
from windlass.ports import open_directly

__all__ = ["AirflowApi"]

_TIMEOUT = 10.0
_NEVER = "0001-01-01T00:00:00Z"


class AirflowApi:
    """The API of one server, as its administrator."""

    def __init__(self, url: str, password: str) -> None:
        self._url, self._password = url, password
        self._token: str | None = None

    def beats(self, job: str, since: datetime) -> bool:
        """Whether the server answers, and that job (`scheduler`, `dag_processor`) has given a sign of life."""
        try:
            health: dict[str, Any] = self._call("GET", "/api/v2/monitor/health", anonymous=True)
        except RetryableError:
            return False
        if health.get("metadatabase", {}).get("status") != "healthy":
            return False
        if job == "metadatabase":
            return True
        found = health.get(job) or {}
        beat = found.get(f"latest_{job}_heartbeat") or _NEVER
        return found.get("status") == "healthy" and datetime.fromisoformat(beat) >= since

    def put_connections(self, connections: list[dict[str, object]]) -> None:
        """Create them, in the place of those of the same names."""
        self._put("/api/v2/connections", connections)

    def put_pools(self, pools: dict[str, int]) -> None:
        """Create them, or change how many slots they have."""
        self._put("/api/v2/pools", [{"name": name, "slots": slots} for name, slots in pools.items()])

    def dags(self) -> set[str]:
        """The ids of the DAGs that Airflow has parsed."""
        found: set[str] = set()
        while True:
            path = f"/api/v2/dags?limit=100&offset={len(found)}"
            page = self._call("GET", path)["dags"]
            if not page:
                return found
            found |= {dag["dag_id"] for dag in page}

    def import_errors(self) -> list[str]:
        """What Airflow says of files that it could not load."""
        answer = self._call("GET", "/api/v2/importErrors")
        return [error["stack_trace"] for error in answer["import_errors"]]

    def _put(self, path: str, entities: list[dict[str, object]]) -> None:
        if not entities:
            return
        action = {"action": "create", "action_on_existence": "overwrite", "entities": entities}
        answer = self._call("PATCH", path, {"actions": [action]})
        errors = (answer.get("create") or {}).get("errors") or []
        if errors:
            raise RetryableError(f"Airflow did not take {path.rpartition('/')[2]}: {errors[0]['error']}")

    def _call(self, method: str, path: str, body: object = None, *, anonymous: bool = False) -> Any:
        headers = {"Content-Type": "application/json"}
        if not anonymous:
            headers["Authorization"] = f"Bearer {self._logged_in()}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}{path}", data=data, headers=headers, method=method)
        try:
            with open_directly(request, timeout=_TIMEOUT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as exc:
            if exc.code == 401:
                self._token = None
            raise RetryableError(f"Airflow answers {method} {path} with {exc.code}") from exc
        except (OSError, ValueError) as exc:
            raise RetryableError(f"Airflow does not answer at {self._url}") from exc

    def _logged_in(self) -> str:
        if self._token is None:
            who = {"username": "admin", "password": self._password}
            self._token = str(self._call("POST", "/auth/token", who, anonymous=True)["access_token"])
        return self._token
