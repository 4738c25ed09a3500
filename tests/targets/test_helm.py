"""Helm itself takes the chart, and makes of it what the plain manifests say."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.targets.test_chart import ODD, export

pytestmark = pytest.mark.skipif(not shutil.which("helm"), reason="helm is not there")


def helm(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["helm", *map(str, arguments)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def objects(texts: Iterable[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """The objects, by their kinds and names, without what only one of both forms says."""
    found = {}
    for text in texts:
        for one in filter(None, yaml.safe_load_all(text)):
            if one["kind"] != "Kustomization":
                found[one["kind"], one["metadata"]["name"]] = _plain(one)
    return found


def _plain(one: dict[str, Any]) -> dict[str, Any]:
    """A chart says with empty values what the plain manifests leave out."""
    if one["kind"] == "CronJob":
        one["spec"].setdefault("suspend", False)
        pod = one["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    elif one["kind"] == "Job":
        pod = one["spec"]["template"]["spec"]
    else:
        return one
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        container.setdefault("resources", {})
    return one


def test_helm_makes_of_the_chart_what_the_manifests_say(project: Callable[..., Path], tmp_path: Path) -> None:
    root = project(ODD)
    for name, text in export(root, "helm").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    chart = tmp_path / "helm"
    assert "0 chart(s) failed" in helm("lint", "--strict", chart)
    made = helm("template", "shop", chart, "--namespace=etl")
    assert objects([made]) == objects(export(root, "yaml").values())
    other = helm("template", "shop", chart, "--namespace=b", "--set=pipelines.shop-odd.suspend=false")
    (cron_job,) = [one for (kind, _), one in objects([other]).items() if kind == "CronJob"]
    assert (cron_job["metadata"]["namespace"], cron_job["spec"]["suspend"]) == ("b", False)
