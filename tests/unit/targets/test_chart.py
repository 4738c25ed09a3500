"""The Helm chart of the manifests: with the values that it has, it makes what the plain manifests say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import kubernetes_validate
import yaml

from windlass.spec import load_project
from windlass.targets.exporting import compiled
from windlass.targets.kubernetes.target import TARGET

EXAMPLES = Path(__file__).parents[3] / "examples"
ODD = {
    "windlass.yaml": """
project: shop
connections: {db: {type: postgres}}
images: {project: true}
runtimes: {kubernetes: {namespace: etl, resources: {limits: {memory: 1Gi}}}}
""",
    "pipelines/odd.yaml": """
pipeline: odd
description: "{{ and }} \\"{{{{\\" \ue0000\ue001"
schedule: "0 5 * * *"
timezone: Europe/Paris
kubernetes: {suspend: true}
tasks:
  step:
    kubernetes: {entrypoint: [], resources: {requests: {cpu: 100m}}}
    run: {image: python:3.12-slim, command: [python, -c, "print('{{ ds }} {{ \\"{{\\" }}')"]}
  other:
    needs: step
    kubernetes: {entrypoint: []}
    run: {image: docker.io/acme/python:1, command: [python]}
  load: {needs: other, sql: {connection: db, statement: "SELECT '{{ ds }}'"}}
""",
    "pipelines/once.yaml": """
pipeline: once
schedule: "@once"
start: 2026-01-01
tasks: {load: {sql: {connection: db, statement: SELECT 1}}}
""",
}


def export(root: Path, form: Literal["yaml", "helm"]) -> dict[str, str]:
    return TARGET.render(compiled(load_project(root)), TARGET.options(form=form, network_policy=True))


def by_helm(text: str, values: dict[str, Any], namespace: str) -> str:
    """What Helm makes of a template, as far as the chart uses its language."""

    def made(found: re.Match[str]) -> str:
        expression, _, function = found[1].partition(" | ")
        if expression == '"{{"':
            return "{{"
        if expression == ".Release.Namespace":
            return json.dumps(namespace)
        value: Any = {"Values": values}
        path = re.fullmatch(r'index \.Values\.(\w+)((?: "[^"]+")+)', expression)
        assert path is not None, expression
        value = values[path[1]]
        for key in re.findall(r'"([^"]+)"', path[2]):
            value = value[key]
        assert function in ("quote", "toJson")
        return json.dumps(value)

    return re.sub(r"\{\{ (.*?) \}\}", made, text)


def objects(texts: dict[str, str], folder: str) -> dict[str, list[Any]]:
    files = {path: text for path, text in texts.items() if path.startswith(folder)}
    return {Path(path).name: list(yaml.safe_load_all(text)) for path, text in files.items()}


def same_as_plain(root: Path, namespace: str) -> dict[str, Any]:
    """Check that the chart makes the plain manifests. Returns its values."""
    chart, plain = export(root, "helm"), export(root, "yaml")
    values = yaml.safe_load(chart["helm/values.yaml"])
    made = objects(
        {path: by_helm(text, values, namespace) for path, text in chart.items()}, "helm/templates/"
    )
    wanted = objects(plain, "kubernetes/")
    del wanted["kustomization.yaml"]
    for found in wanted.values():
        for one in found:
            one["metadata"]["namespace"] = namespace
            if one["kind"] == "CronJob":
                one["spec"].setdefault("suspend", False)
            if one["kind"] in ("CronJob", "Job"):
                spec = one["spec"].get("jobTemplate", one)["spec"]["template"]["spec"]
                for container in (*spec.get("initContainers", ()), *spec["containers"]):
                    container.setdefault("resources", {})
    assert made == wanted
    for found in made.values():
        for one in found:
            kubernetes_validate.validate(one, "1.34", strict=True)
    about = yaml.safe_load(chart["helm/Chart.yaml"])
    assert (about["apiVersion"], about["version"]) == ("v2", "0.1.0")
    assert chart == export(root, "helm")
    return dict(values)


def test_the_examples_as_charts_are_the_examples() -> None:
    for example in ("pg2pg", "ensembl", "taxi"):
        same_as_plain(EXAMPLES / example, "data")


def test_what_differs_between_clusters_is_a_value_and_templates_of_ours_stay_what_they_are(
    project: Callable[..., Path],
) -> None:
    values = same_as_plain(project(ODD), "data")
    assert values["images"] == {
        "python": "python:3.12-slim",
        "docker.io/acme/python:1": "docker.io/acme/python:1",
        "shop": "shop:latest",
    }
    limits = {"limits": {"memory": "1Gi"}}
    assert values["pipelines"]["shop-odd"] == {
        "schedule": "0 5 * * *",
        "timeZone": "Europe/Paris",
        "suspend": True,
        "resources": {
            "windlass-scripts": limits,
            "step": limits | {"requests": {"cpu": "100m"}},
            "other": limits,
            "load": limits,
        },
    }
    assert values["pipelines"]["shop-once"] == {"resources": {"run": limits}}


def test_a_policy_lets_nobody_reach_the_pods(project: Callable[..., Path]) -> None:
    found = objects(export(project(ODD), "yaml"), "kubernetes/")["shop-odd.yaml"]
    policy, cron_job = found[-1], found[-2]
    assert policy["kind"] == "NetworkPolicy"
    assert policy["metadata"]["namespace"] == "etl"
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert policy["spec"]["ingress"] == []
    labels = cron_job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
