"""Jobs of GitLab CI (https://docs.gitlab.com/ci/yaml/), to be included by the `.gitlab-ci.yml` of the repository."""

from __future__ import annotations

from typing import Any

from windlass.targets.ci.work import BRANCH_OF_EXPORTS, REPORT, Work

__all__ = ["FILE", "jobs"]

FILE = ".gitlab/windlass.yml"

_GITLAB_REGISTRY = "registry.gitlab.com"
_ON_CHANGE = {"if": "$CI_PIPELINE_SOURCE == 'merge_request_event'"}


def jobs(work: Work) -> dict[str, Any]:
    """The document: `windlass:check` for every change, `windlass:deploy` for the branch."""
    on_branch = {"if": f"$CI_COMMIT_BRANCH == '{work.branch}'"}
    found = {"windlass:check": _check(work, on_branch)}
    if work.registry is not None or work.exports:
        found["windlass:deploy"] = _deploy(work, on_branch)
    return found


def _check(work: Work, on_branch: dict[str, str]) -> dict[str, Any]:
    told = 'if [ -n "${CI_MERGE_REQUEST_DIFF_BASE_SHA:-}" ]; then windlass diff "$CI_MERGE_REQUEST_DIFF_BASE_SHA"; fi'
    job: dict[str, Any] = {
        "stage": "test",
        "image": "python:3.12",
        "rules": [_ON_CHANGE, on_branch],
        "variables": {"GIT_DEPTH": "0"},
        "script": [*_ready(work), *(command for _, command in work.checks()), told],
    }
    if work.has_tests:
        report = f"{work.directory}/{REPORT}".removeprefix("./")
        job["artifacts"] = {"when": "always", "reports": {"junit": report}}
    return job


def _deploy(work: Work, on_branch: dict[str, str]) -> dict[str, Any]:
    return {
        "stage": "deploy",
        "image": "python:3.12",
        "rules": [on_branch],
        "resource_group": f"windlass-{work.project}",
        **_docker(work),
        "script": [
            *_builder(work),
            *_ready(work),
            *(command for _, command in work.deployment()),
            *work.changed_files(),
            f"if ! git diff --cached --quiet; then {work.commit}; {_push(work)}; fi",
        ],
    }


def _ready(work: Work) -> list[str]:
    return [work.install, *([f"cd {work.directory}"] if work.directory != "." else [])]


def _docker(work: Work) -> dict[str, Any]:
    """An engine beside the job, whose BuildKit builds."""
    if work.registry is None:
        return {"variables": {"GIT_DEPTH": "0"}}
    tls = {"DOCKER_HOST": "tcp://docker:2376", "DOCKER_TLS_CERTDIR": "/certs", "DOCKER_TLS_VERIFY": "1"}
    return {
        "services": ["docker:28-dind"],
        "variables": {"GIT_DEPTH": "0", **tls, "DOCKER_CERT_PATH": "/certs/client"},
    }


def _builder(work: Work) -> list[str]:
    if work.registry is None:
        return []
    user, password = "$REGISTRY_USER", "$REGISTRY_PASSWORD"
    if work.registry == _GITLAB_REGISTRY:
        user, password = "$CI_REGISTRY_USER", "$CI_REGISTRY_PASSWORD"
    lines = [
        "apt-get -qq update && apt-get -qq install --yes --no-install-recommends docker-cli docker-buildx"
    ]
    if set(work.platforms) != {"linux/amd64"}:
        lines.append("docker run --privileged --rm tonistiigi/binfmt --install all")
    return [
        *lines,
        "docker context create windlass && docker buildx create --use windlass",
        f'printf %s "{password}" | docker login --username "{user}" --password-stdin {work.registry}',
    ]


def _push(work: Work) -> str:
    """Pushes to a branch, and has GitLab make a merge request of it. WINDLASS_PUSH_TOKEN may write to the repository; it
    is in no argument.
    """
    helper = "!f() { echo username=windlass; echo password=$WINDLASS_PUSH_TOKEN; }; f"
    options = f"-o merge_request.create -o merge_request.target={work.branch}"
    push = f"git -c credential.helper='{helper}' push --force --quiet {options}"
    return f'{push} "https://$CI_SERVER_HOST/$CI_PROJECT_PATH.git" HEAD:refs/heads/{BRANCH_OF_EXPORTS}'
