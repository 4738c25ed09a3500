"""Who may reach the pods of a pipeline, where the cluster has a network that goes by policies."""

from __future__ import annotations

from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.settings import Json

__all__ = ["network_policy"]


def network_policy(pipeline: ExportedPipeline, *, among_themselves: bool) -> Json:
    """A policy by which nobody does, but for the pods of the pipeline where those have services in pods of their own."""
    name = "app.kubernetes.io/name"
    pods = {"matchLabels": {name: pipeline.pods.labels.get(name, pipeline.name)}}  # as the pods have it
    allowed = [{"from": [{"podSelector": pods}]}] if among_themselves else []
    spec: Json = {"podSelector": pods, "policyTypes": ["Ingress"], "ingress": allowed}
    return pipeline.named({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": spec})
