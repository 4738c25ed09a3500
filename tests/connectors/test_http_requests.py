"""The log of requests: what a task asked of web servers is told with its result, whether it succeeds or not."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Output
from tests.connectors.apis import Api, Asked, answer
from windlass.report.requests import requests_of
from windlass.request_log import keeping_requests, note_request

PIPELINE = """
pipeline: p
tasks:
  pages:
    copy: {from: {connection: api, path: /items, paginate: {type: page_number}, retry: {attempts: 2}}, to: {path: pages.csv}}
  refused:
    copy: {from: {connection: api, path: /no}, to: {path: no.csv}}
  away:
    copy: {from: {connection: away, path: /no, retry: {attempts: 1}}, to: {path: no.csv}}
  file:
    download: {connection: api, path: /file, to: file.txt}
  none:
    copy: {from: {path: "*.in", format: csv}, to: {path: none.csv}}
"""
PAGES = 50
BUSY = answer("", "Retry-After: 0", status="503 Service Unavailable")


def server() -> Callable[[Asked], bytes]:
    busy = threading.Semaphore(1)

    def answering(asked: Asked) -> bytes:
        if "/no" in asked.path:
            return answer("no\n", status="403 Forbidden")
        if "/file" in asked.path:
            return answer("abc")
        page = int(asked.query["page"])
        if page == 3 and busy.acquire(blocking=False):
            return BUSY
        return answer(f'[{{"id": {page}}}]' if page < PAGES else "[]")

    return answering


def test_each_request_is_told_with_the_result_in_the_report_and_in_the_history(
    make_api: Callable[..., Api], project: Callable[..., Path], windlass: Callable[..., Output]
) -> None:
    api = make_api(answering=server())
    root = project(
        {
            "windlass.yaml": "project: p\nconnections: {api: {type: http, rate_limit: {calls: 1000}}, away: {type: http}}\n",
            "pipelines/p.yaml": PIPELINE,
            "a.in": "id\n1\n",
        }
    )
    env = {
        "WINDLASS_CONN_API": f"http://127.0.0.1:{api.port}?appid=canary-of-api",
        "WINDLASS_CONN_AWAY": "http://127.0.0.1:1",
    }
    done = windlass("-C", root, "run", "p", "--json", env=env)
    told: dict[str, Any] = {task["task"]: task["requests"] for task in done.json["tasks"]}

    pages = told["pages"]
    assert (pages["count"], pages["statuses"]) == (PAGES + 1, {"200": PAGES, "503": 1})
    assert pages["bytes"] == sum(len(f'[{{"id": {n}}}]') for n in range(1, PAGES)) + 2
    kept = [re.search(r"page=\d+", request["url"])[0] for request in pages["kept"]]  # type: ignore[index]
    assert kept == [f"page={n}" for n in (1, 2, 3, *range(3, 20), *range(31, 51))]
    first = pages["kept"][0]
    assert first | {"ms": 0} == {
        "method": "GET",
        "url": f"http://127.0.0.1:{api.port}/items?page=1",
        "status": 200,
        "bytes": len('[{"id": 1}]'),
        "ms": 0,
        "waited": 0.0,
    }
    assert [(r["status"], r["bytes"]) for r in told["refused"]["kept"]] == [(403, 3)]
    assert [(r["status"], r["bytes"]) for r in told["away"]["kept"]] == [(None, 0)]
    assert [(r["url"], r["bytes"]) for r in told["file"]["kept"]] == [
        (f"http://127.0.0.1:{api.port}/file", 3)
    ]
    assert told["none"] is None

    turns = (root / ".windlass" / "runs" / done.json["run_id"] / "shared" / "api.turns").read_bytes()
    asked = PAGES + 1 + 1 + 1  # of three tasks, together
    assert (int.from_bytes(turns[:8], "little"), len(turns)) == (asked, 8 + 8 + 8 + 8 * asked)

    runs = windlass("-C", root, "runs", "--limit", "1", "--json")
    (run,) = runs.json
    assert {task["task"]: task["requests"] for task in run["tasks"]} == told
    page = Path(windlass("-C", root, "report", done.json["run_id"]).stdout.strip()).read_text()
    assert f"<b>{PAGES}</b> 200" in page
    assert "11 others" in page
    assert "<b>1</b> no answer" in page
    assert "canary-of-api" not in done.stdout + done.stderr + runs.stdout + page


def test_waits_are_told_with_the_request_that_had_to_wait() -> None:
    with keeping_requests() as log:
        for number in range(3):
            note_request("GET", "http://a/" + "x" * 1000, status=200, size=5, seconds=0.25, waited=number)
    note_request("GET", "http://a", status=200, size=5, seconds=0.25, waited=0)  # when nobody keeps a log
    told: Any = log.as_detail()["requests"]
    assert (told["count"], told["bytes"], told["seconds"], told["waited"]) == (3, 15, 0.75, 3)
    assert [request["waited"] for request in told["kept"]] == [0, 1, 2]
    assert {len(request["url"]) for request in told["kept"]} == {500}


def test_what_a_step_calls_requests_is_left_out_of_the_report() -> None:
    for odd in ({"count": 3}, {"count": "x", "kept": []}, {"count": 1, "kept": [7]}, {"kept": {"a": 1}}):
        assert requests_of(odd) is None
