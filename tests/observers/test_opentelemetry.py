"""Traces and metrics, as a collector gets them over OTLP."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import Output
from tests.observers.conftest import Collector

Windlass = Callable[..., Output]

PIPELINE = """
pipeline: p
tasks:
  load:
    copy: {from: {path: in.csv, columns: {id: bigint}}, to: {path: out.ndjson}, on_bad_row: quarantine}
  step:
    needs: [load]
    retries: 1
    retry_delay: 1ms
    run: {command: [sh, -c, 'echo "I am $TRACEPARENT"; test -e tried || { touch tried; exit 3; }']}
  fails:
    needs: [step]
    copy: {from: {path: nothing.csv}, to: {path: none.ndjson}}
  never:
    needs: [fails]
    run: {command: ["true"]}
"""
PATIENT = {"WINDLASS_OBSERVER_WAIT": "120", "OTEL_EXPORTER_OTLP_TIMEOUT": "120"}
ETL = {"OTEL_SERVICE_NAME": "etl", "TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


@pytest.fixture
def root(project: Callable[..., Path]) -> Path:
    return project(
        {"windlass.yaml": "project: shop\n", "pipelines/p.yaml": PIPELINE, "in.csv": "id\n1\n2\nx\n"}
    )


def values(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


def spans(collector: Collector) -> dict[str, Any]:
    """By name; those of attempts with that of their task."""
    found = {}
    for body in collector.bodies("/v1/traces"):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    told = values(span.attributes)
                    task = f" of {told['windlass.task']}" if span.name.startswith("attempt") else ""
                    found[span.name + task] = span
    return found


def points(collector: Collector) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Each: the metric, its attributes, its value, which is how often where it is a histogram."""
    for body in collector.bodies("/v1/metrics"):
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            assert values(resource.resource.attributes)["service.name"] == "etl"
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.sum.data_points:
                        yield metric.name, values(point.attributes), point.as_int
                    for point in metric.histogram.data_points:
                        yield metric.name, values(point.attributes), point.count


def test_a_run_is_a_trace_that_goes_on_from_its_caller_and_into_its_steps(
    root: Path, windlass: Windlass, collector: Collector
) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **PATIENT, **ETL}
    done = windlass("-C", root, "run", "p", "--json", env=env)
    assert done.code == 1, done.stderr
    found = spans(collector)
    attempts = ["attempt 1 of fails", "attempt 1 of load", "attempt 1 of step", "attempt 2 of step"]
    assert sorted(found) == [*attempts, "run p", "task fails", "task load", "task step"]

    inside = {name: "task " + name.partition(" of ")[2] for name in attempts}
    inside |= dict.fromkeys(("task fails", "task load", "task step"), "run p")
    for name, outer in inside.items():
        assert found[name].parent_span_id == found[outer].span_id, name
    assert found["run p"].parent_span_id.hex() == "b7ad6b7169203331"
    assert {span.trace_id.hex() for span in found.values()} == {"0af7651916cd43dd8448eb211c80319c"}

    told = values(found["task load"].attributes)
    told |= values(found["attempt 1 of step"].attributes)
    wanted = {
        "windlass.project": "shop",
        "windlass.pipeline": "p",
        "windlass.run.id": done.json["run_id"],
        "windlass.task.status": "success",
        "windlass.rows.read": 3,
        "windlass.rows.written": 2,
        "windlass.rows.quarantined": 1,
        "process.exit.code": 3,
    }
    assert {name: told[name] for name in wanted} == wanted
    assert values(found["task fails"].attributes)["error.type"] == "W0405"
    codes = {name: span.status.code for name, span in found.items()}
    assert [name for name, code in sorted(codes.items()) if code == 2] == [
        *("attempt 1 of fails", "attempt 1 of step", "run p", "task fails")
    ]
    for name, outer in inside.items():
        assert found[outer].start_time_unix_nano <= found[name].start_time_unix_nano
        assert found[name].end_time_unix_nano <= found[outer].end_time_unix_nano

    # the steps were told, and so were the logs
    lines = windlass("-C", root, "logs", done.json["run_id"], "--json").json
    said = [line for line in lines if str(line.get("message")).startswith("I am ")]
    assert [line["message"].split("-")[2] for line in said] == [
        found[f"attempt {n} of step"].span_id.hex() for n in (1, 2)
    ]
    for line in lines:
        attempt = found[f"attempt {line['attempt']} of {line['task']}"]
        assert (line["trace_id"], line["span_id"]) == (attempt.trace_id.hex(), attempt.span_id.hex())

    moved = {
        (name, told.get("windlass.task"), told.get("windlass.rows.outcome")): value
        for name, told, value in points(collector)
    }
    assert moved["windlass.rows", "load", "read"] == 3
    assert moved["windlass.rows", "load", "written"] == 2
    assert moved["windlass.rows", "load", "quarantined"] == 1
    assert moved["windlass.bytes", "load", None] > 0
    assert moved["windlass.task.duration", "step", None] == 1
    assert moved["windlass.run.duration", None, None] == 1


def test_a_task_of_a_scheduler_is_a_span_of_its_own(
    root: Path, windlass: Windlass, collector: Collector
) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **PATIENT, **ETL}
    done = windlass("-C", root, "exec", "p", "load", env={**env, "WINDLASS_RUN_ID": "manual__1"})
    assert done.code == 0, done.stderr
    (span,) = spans(collector).values()
    told = values(span.attributes)
    assert (span.name, span.parent_span_id.hex()) == ("task load", "b7ad6b7169203331")
    assert (told["windlass.run.id"], told["windlass.rows.written"]) == ("manual__1", 2)
    assert ("windlass.rows", 2) in {(name, value) for name, _, value in points(collector)}
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["event"], result["span_id"]) == ("result", span.span_id.hex()), done.stdout

    (root / "tried").touch()
    done = windlass("-C", root, "exec", "p", "step", env=env)
    step = spans(collector)["task step"]
    assert f"I am 00-{step.trace_id.hex()}-{step.span_id.hex()}-01" in done.stdout
    done = windlass("-C", root, "exec", "p", "fails", env=env)
    assert done.code != 0
    assert spans(collector)["task fails"].status.code == 2


AWAY = ["nobody listens", "nobody answers", "it fails", "switched off", "a protocol that there is not"]


@pytest.mark.parametrize("away", AWAY)
def test_a_collector_that_is_away_fails_no_run(
    away: str, root: Path, windlass: Windlass, collector: Collector
) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "WINDLASS_OBSERVER_WAIT": "0.1"}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if away.startswith("nobody"):
            env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{taken.getsockname()[1]}"
        if away == "nobody answers":
            taken.listen()
        elif away == "it fails":
            collector.status = 400
        elif away == "switched off":
            env["OTEL_SDK_DISABLED"] = "true"
        elif away == "a protocol that there is not":
            env["OTEL_EXPORTER_OTLP_PROTOCOL"] = "smoke"
        done = windlass("-C", root, "run", "p", "--task", "load", env=env)
    assert done.code == 0
    told = [json.loads(line) for line in done.stderr.splitlines()]  # nobody else prints anything
    complaints = {line["event"] for line in told if line["level"] == "warning"}
    assert complaints <= {"not_sent", "observer_too_slow", "observer_failed"}
    assert bool(complaints) is (away != "switched off")
    if away in ("switched off", "a protocol that there is not"):
        assert collector.requests == []
