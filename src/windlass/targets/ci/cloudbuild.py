"""A build of Google Cloud Build (https://cloud.google.com/build/docs/build-config-file-schema), for a trigger on the branch."""

from __future__ import annotations

from typing import Any

from windlass.targets.ci.work import Work

__all__ = ["FILE", "build"]

FILE = "cloudbuild.windlass.yaml"

_BUILDER = "gcr.io/cloud-builders/docker"


def build(work: Work) -> dict[str, Any]:
    """The document. Its service account may push to Artifact Registry; nothing is committed: exports stay in the workspace,
    for a step that the user adds.
    """
    script = [work.install, *(command for _, command in work.checks())]
    script += [command for _, command in work.deployment()]
    emulator = {
        "id": "emulator",
        "name": _BUILDER,
        "args": ["run", "--privileged", "--rm", "tonistiigi/binfmt", "--install", "all"],
    }
    login = [f"gcloud auth configure-docker --quiet {work.registry}"] if work.registry else []
    steps = [emulator] if work.registry is not None and set(work.platforms) != {"linux/amd64"} else []
    steps.append(
        {
            "id": "windlass",
            "name": "gcr.io/google.com/cloudsdktool/google-cloud-cli:stable",
            "dir": work.directory,
            "entrypoint": "bash",
            "args": ["-ceu", "\n".join([*_python(), *login, *script]).replace("$", "$$") + "\n"],
        }
    )
    return {"steps": steps, "timeout": "7200s", "options": {"logging": "CLOUD_LOGGING_ONLY"}}


def _python() -> list[str]:
    """A Python of its own: that of the image belongs to the system."""
    return [
        "apt-get -qq update && apt-get -qq install --yes --no-install-recommends python3-venv",
        "python3 -m venv /opt/windlass && export PATH=/opt/windlass/bin:$PATH",
    ]
