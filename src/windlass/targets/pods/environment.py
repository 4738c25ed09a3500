"""The environment of a container: what a run gives it, and references to Secrets, never a value of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from windlass.connections import variable
from windlass.plan.model import Plan, Reference, RunCommand, Service, Task
from windlass.spec.project import Project

__all__ = [
    "connections",
    "connections_secret",
    "given_to",
    "given_to_run",
    "literal",
    "variables",
    "whole_connections",
]

_SECRET = "WINDLASS_SECRET_"


def variables(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Variables with these values, in which `$(NAME)` stands for another variable."""
    return [{"name": name, "value": value} for name, value in values.items()]


def literal(text: str) -> str:
    """Text that Kubernetes takes as it is: it fills in `$(NAME)`, and takes `$$` for a `$`."""
    return text.replace("$", "$$")


def connections_secret(project: Project) -> str:
    """The Secret with the connections of a project."""
    said = project.runtimes.kubernetes.connections_from
    return said or f"{project.project.lower().replace('_', '-')}-connections"


def given_to(task: Task, secret: str) -> list[dict[str, Any]]:
    """References for the container of a task: its connections, and under their own names what a command asks for."""
    found = {variable(name): (secret, variable(name)) for name in whole_connections(task)}
    for name, reference in _references(task).items():
        if reference.connection is not None:
            found[name] = (secret, variable(reference.connection))
        elif reference.secret is not None and reference.key is not None:
            found[name] = (reference.secret, reference.key)
    return _from_keys(found)


def given_to_run(plans: Iterable[Plan], secret: str) -> list[dict[str, Any]]:
    """References for a container that runs whole plans: it fills in by itself what commands ask for."""
    found: dict[str, tuple[str, str]] = {}
    for plan in plans:
        for name in plan.connections:
            found[variable(name)] = (secret, variable(name))
        for task in plan.tasks:
            for reference in _references(task).values():
                if reference.secret is not None and reference.key is not None:
                    named = variable(f"{reference.secret}_{reference.key}", _SECRET).replace(".", "_")
                    found[named] = (reference.secret, reference.key)
    return _from_keys(found)


def connections(names: Iterable[str], secret: str) -> list[dict[str, Any]]:
    """References to these connections."""
    return _from_keys({variable(name): (secret, variable(name)) for name in names})


def whole_connections(task: Task) -> tuple[str, ...]:
    """The connections that a task gets whole: a command those that it asks for, windlass all that it names."""
    action = task.action
    return action.connections if isinstance(action, RunCommand | Service) else task.connections


def _references(task: Task) -> Mapping[str, Reference]:
    return task.action.references if isinstance(task.action, RunCommand | Service) else {}


def _from_keys(found: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for name, (secret, key) in sorted(found.items())
    ]
