"""What the pods of workflows may do in the cluster: note their results, which Argo's executor beside each task does."""

from __future__ import annotations

from collections.abc import Iterable

from windlass.targets.pods.names import dns_name
from windlass.targets.pods.settings import Json

__all__ = ["account_of", "rights"]

_RBAC, _GROUP = "rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io"


def account_of(project: str) -> str:
    """The account of the project's workflows."""
    return dns_name(f"{project}-workflows")


def rights(project: str, namespace: str, accounts: Iterable[str]) -> list[Json]:
    """That account, and a role for it and the other accounts that pods run as."""
    name = account_of(project)
    metadata = {"name": name, "namespace": namespace}
    rule = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    subjects = [
        {"kind": "ServiceAccount", "name": account, "namespace": namespace}
        for account in dict.fromkeys((name, *accounts))
    ]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": _RBAC, "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": _RBAC,
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": name},
            "subjects": subjects,
        },
    ]
