"""Workflows of Argo, as the tests submit them."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.kubernetes.cluster import Cluster

__all__ = ["VOLUME", "Argo"]

_BETWEEN_LOOKS, _LOOKS = 15, 40  # seconds, and how often

VOLUME = """
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {name}}}
spec:
  capacity: {{storage: 1Gi}}
  accessModes: [ReadWriteMany]
  persistentVolumeReclaimPolicy: Retain
  claimRef: {{namespace: {name}, name: shared}}
  hostPath: {{path: {folder}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: shared}}
spec: {{accessModes: [ReadWriteMany], storageClassName: "", volumeName: {name}, resources: {{requests: {{storage: 1Gi}}}}}}
"""
"""What `kubernetes: {workspace: shared}` names."""


@dataclass(frozen=True)
class Argo:
    """The Argo Workflows of a cluster. Sources are `cronwf/NAME` or `workflowtemplate/NAME`."""

    cluster: Cluster

    def __call__(self, source: str, *options: str) -> dict[str, Any]:
        """Submit a workflow, and wait for its end: what became of it."""
        done = self._argo("submit", f"--from={source}", "--wait", "--output=json", *options)
        name = json.JSONDecoder().raw_decode(done.stdout)[0]["metadata"]["name"]
        workflow = self.workflow(name)
        assert (done.returncode == 0) == (workflow["status"]["phase"] == "Succeeded"), done.stderr
        return workflow

    def submit(self, source: str, *options: str) -> str:
        """Submit a workflow. What it is called."""
        done = self._argo("submit", f"--from={source}", "--output=name", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def workflow(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.json("get", "workflow", name)
        return found

    def ended(self, name: str) -> dict[str, Any]:
        """Wait until a workflow has ended: what became of it."""
        completed = "jsonpath={.metadata.labels.workflows\\.argoproj\\.io/completed}=true"
        for _ in range(_LOOKS):
            with suppress(AssertionError):
                self.cluster("wait", f"--for={completed}", f"workflow/{name}", f"--timeout={_BETWEEN_LOOKS}s")
                return self.workflow(name)
            self.wake(name)
        raise AssertionError(f"{name} does not end")

    def wake(self, name: str) -> None:
        """Change a workflow. Where the container of Argo's own beside a task was killed, too, Argo 3.7 goes on when the workflow
        changes, or after 20 minutes.
        """
        with suppress(AssertionError):  # the cluster may be away
            looked = f"windlass-test/looked={time.monotonic()}"
            self.cluster("annotate", "--overwrite", f"workflow/{name}", looked)

    def _argo(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        where = [f"--kubeconfig={self.cluster.kubeconfig}", f"--namespace={self.cluster.namespace}"]
        command = ["argo", *where, *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=400)
