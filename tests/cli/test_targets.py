"""`targets` of windlass.yaml: the options of exports, and what `validate` checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Output

Windlass = Callable[..., Output]
Project = Callable[..., Path]

PIPELINE = """
pipeline: orders
schedule: "@daily"
start: 2026-01-01
catchup: {catchup}
tasks:
  load: {{run: {{command: [echo]}}}}
"""


def shop(project: Project, targets: str, *, catchup: bool = False) -> Path:
    pipeline = PIPELINE.format(catchup=str(catchup).lower())
    return project(
        {"windlass.yaml": f"project: shop\ntargets:\n{targets}", "pipelines/orders.yaml": pipeline}
    )


def test_what_a_named_target_cannot_express_is_said_by_validate(windlass: Windlass, project: Project) -> None:
    root = shop(project, "  airflow: {}\n  kubernetes: {}\n  cron: {scheduler: systemd}\n", catchup=True)
    found = windlass("-C", root, "validate", "--json")
    assert found.code == 2
    problems = found.json["problems"]
    assert [(p["file"], p["line"], p["code"]) for p in problems] == [
        ("pipelines/orders.yaml", 5, "W0710")
    ] * 2
    assert problems[0]["message"].startswith("Kubernetes ")
    assert problems[1]["message"].startswith("systemd ")
    nobody_named = shop(project, "  airflow: {}\n", catchup=True)
    assert windlass("-C", nobody_named, "validate").code == 0


def test_an_export_goes_by_the_options_of_windlass_yaml_and_those_of_the_command_line_come_first(
    windlass: Windlass, project: Project
) -> None:
    root = shop(project, "  cron: {scheduler: systemd, user: etl}\n")
    assert windlass("-C", root, "export", "cron").code == 0
    assert "User=etl" in (root / "systemd/windlass-shop-orders.service").read_text()
    assert windlass("-C", root, "export", "cron", "--scheduler", "cron", "--user", "ada").code == 0
    assert " ada " in (root / "cron/crontab").read_text()
    assert windlass("-C", root, "export", "cron", "--check").code == 0


def test_what_is_wrong_with_the_targets_is_said_with_its_place(windlass: Windlass, project: Project) -> None:
    said = "  argoo: {}\n  airflow: {runtim: docker}\n  ci: {provider: githup, branch: 5}\n"
    root = shop(project, said)
    for command in (("validate",), ("export", "kubernetes")):
        found = windlass("-C", root, *command)
        assert found.code == 2
        for message in (
            "windlass.yaml:3:3: error[W0702]: there is no target 'argoo'",
            "did you mean 'argo'?",
            "windlass.yaml:4:13: error[W0103]: an export to airflow has no option 'runtim'",
            "windlass.yaml:5:18: error[W0106]: provider: expected one of github, gitlab, cloudbuild",
            "windlass.yaml:5:34: error[W0105]: branch: expected str, got int",
        ):
            assert message in found.stderr
    assert windlass("-C", root, "export", "kubernetes", "--help").code == 0
