"""A workflow of GitHub Actions (https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax)."""

from __future__ import annotations

from typing import Any

from windlass.targets.ci.work import BRANCH_OF_EXPORTS, REPORT, Work

__all__ = ["FILE", "workflow"]

FILE = ".github/workflows/windlass.yml"

_GITHUB_REGISTRY = "ghcr.io"


def workflow(work: Work) -> dict[str, Any]:
    """The document: `check` for every change, `deploy` for the branch."""
    jobs = {"check": _check(work)}
    if work.registry is not None or work.exports:
        jobs["deploy"] = _deploy(work)
    return {
        "name": f"windlass {work.project}",
        "on": {"pull_request": {}, "push": {"branches": [work.branch]}, "workflow_dispatch": {}},
        "permissions": {"contents": "read"},
        "concurrency": {
            "group": f"windlass-{work.project}-${{{{ github.ref }}}}",
            "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
        },
        "defaults": {"run": {"working-directory": work.directory}},
        "jobs": jobs,
    }


def _check(work: Work) -> dict[str, Any]:
    steps = [*_ready(work, keeps_login=False), *({"name": t, "run": c} for t, c in work.checks())]
    if work.has_tests:
        report = f"{work.directory}/{REPORT}".removeprefix("./")
        uploaded = {"name": "windlass-tests", "path": report, "if-no-files-found": "ignore"}
        steps.append({"if": "${{ always() }}", "uses": "actions/upload-artifact@v4", "with": uploaded})
    told = {
        "name": "Say what the change does",
        "if": "github.event_name == 'pull_request'",
        "run": 'windlass diff "origin/$GITHUB_BASE_REF" >> "$GITHUB_STEP_SUMMARY"',
    }
    return {"runs-on": "ubuntu-latest", "timeout-minutes": 60, "steps": [*steps, told]}


def _deploy(work: Work) -> dict[str, Any]:
    return {
        "needs": "check",
        "if": f"github.ref == 'refs/heads/{work.branch}' && github.event_name != 'pull_request'",
        "runs-on": "ubuntu-latest",
        "timeout-minutes": 120,
        "permissions": {"contents": "write", "packages": "write", "pull-requests": "write"},
        "steps": [
            *_ready(work, keeps_login=True),
            *_builder(work),
            *({"name": title, "run": command} for title, command in work.deployment()),
            _pull_request(work),
        ],
    }


def _ready(work: Work, *, keeps_login: bool) -> list[dict[str, Any]]:
    return [
        {"uses": "actions/checkout@v4", "with": {"fetch-depth": 0, "persist-credentials": keeps_login}},
        {"uses": "actions/setup-python@v5", "with": {"python-version": "3.12"}},
        {"name": "Install windlass", "run": work.install},
    ]


def _builder(work: Work) -> list[dict[str, Any]]:
    """BuildKit, with an emulator where images are for other machines, and who may push."""
    if work.registry is None:
        return []
    login = {
        "registry": work.registry,
        "username": "${{ secrets.REGISTRY_USER }}",
        "password": "${{ secrets.REGISTRY_PASSWORD }}",
    }
    if work.registry == _GITHUB_REGISTRY:
        login |= {"username": "${{ github.actor }}", "password": "${{ github.token }}"}
    emulator = [{"uses": "docker/setup-qemu-action@v3"}] if set(work.platforms) != {"linux/amd64"} else []
    return [
        *emulator,
        {"uses": "docker/setup-buildx-action@v3"},
        {"uses": "docker/login-action@v3", "with": login},
    ]


def _pull_request(work: Work) -> dict[str, Any]:
    """What was written becomes a pull request; an open one gets it, too."""
    is_open = f"gh pr view {BRANCH_OF_EXPORTS} --json state --jq .state | grep -q OPEN"
    create = f"gh pr create --fill --base {work.branch} --head {BRANCH_OF_EXPORTS}"
    lines = [
        *work.changed_files(),
        "if git diff --cached --quiet; then exit 0; fi",
        work.commit,
        f"git push --force --quiet origin HEAD:refs/heads/{BRANCH_OF_EXPORTS}",
        f"{is_open} || {create}",
    ]
    return {
        "name": "Hand on what was written",
        "env": {"GH_TOKEN": "${{ github.token }}"},
        "run": "\n".join(lines) + "\n",
    }
