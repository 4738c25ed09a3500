"""What the API server of a cluster would refuse of names, labels and quantities is told with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.errors import SpecError
from windlass.plan.compiler import compile_project
from windlass.spec import load_project

Project = Callable[..., Path]

KUBERNETES = "project: p\nruntimes:\n  kubernetes:\n    {}\n"
PIPELINE = {"pipelines/a.yaml": "pipeline: a\ntasks: {t: {run: {command: [date]}}}\n"}


@pytest.mark.parametrize(
    "said",
    [
        "namespace: Etl_X",
        "namespace: a.b",
        "labels: {team: data eng}",
        "labels: {team: -a}",
        f"labels: {{team: {64 * 'a'}}}",
        f"labels: {{{64 * 'a'}: b}}",
        "labels: {a b: c}",
        "labels: {/a: c}",
        "node_selector: {A.example_com/a: c}",
        "annotations: {a b: c}",
        "secrets: [My_Secret]",
        "config_maps: Mine",
        f"service_account: {254 * 'a'}",
        "volumes: [{claim: My_Claim, mount_path: /x}]",
        "resources: {requests: {cpu: 200 m}}",
        "resources: {limits: {memory: 1GB}}",
        'labels: {a: "b\\n"}',
    ],
)
def test_what_no_cluster_takes_is_refused(project: Project, said: str) -> None:
    with pytest.raises(SpecError) as raised:
        compile_project(load_project(project({"windlass.yaml": KUBERNETES.format(said), **PIPELINE})))
    (problem,) = raised.value.problems
    assert (problem.file, problem.line, str(problem.code)) == ("windlass.yaml", 4, "W0108")


@pytest.mark.parametrize(
    "said",
    [
        f"namespace: {63 * 'a'}",
        f"labels: {{{63 * 'a'}: {63 * 'b'}, example.com/x: '', a_B.c-1: D_e.f-2}}",
        "annotations: {example.com/x: any text at all}",
        "secrets: [a.b-c, '1']",
        "resources: {requests: {cpu: 200m, nvidia.com/gpu: '1'}, limits: {memory: 1.5Gi, ephemeral-storage: '1e9'}}",
    ],
)
def test_what_clusters_take_is_taken(project: Project, said: str) -> None:
    compile_project(load_project(project({"windlass.yaml": KUBERNETES.format(said), **PIPELINE})))
