"""The environment of a container: what a run gives it, and references to Secrets, never a value of one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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


def given_to(plan: Plan, task: Task, secret: str) -> list[dict[str, Any]]:
    """References for the container of a task: its connections, and under their own names what a command asks for.

    A command is given the address that stands in `windlass.yaml`: nothing in its container would look for it there.
    """
    found = {variable(name): (secret, variable(name)) for name in whole_connections(task)}
    for name, reference in _references(task).items():
        if reference.connection is not None:
            found[name] = (secret, variable(reference.connection))
        elif reference.secret is not None and reference.key is not None:
            found[name] = (reference.secret, reference.key)
    known = _declared(plan)
    if not isinstance(task.action, RunCommand | Service):
        return _from_keys(found, known)
    said = {name: literal(known[key]) for name, (_, key) in found.items() if key in known}
    return [*variables(said), *_from_keys({name: found[name] for name in found.keys() - said.keys()})]


def given_to_run(plans: Iterable[Plan], secret: str) -> list[dict[str, Any]]:
    """References for a container that runs whole plans: it fills in by itself what commands ask for."""
    found: dict[str, tuple[str, str]] = {}
    known: dict[str, str] = {}
    for plan in plans:
        known |= _declared(plan)
        for name in plan.connections:
            found[variable(name)] = (secret, variable(name))
        for task in plan.tasks:
            for reference in _references(task).values():
                if reference.secret is not None and reference.key is not None:
                    named = variable(f"{reference.secret}_{reference.key}", _SECRET).replace(".", "_")
                    found[named] = (reference.secret, reference.key)
    return _from_keys(found, known)


def connections(names: Iterable[str], secret: str) -> list[dict[str, Any]]:
    """References to these connections."""
    return _from_keys({variable(name): (secret, variable(name)) for name in names})


def whole_connections(task: Task) -> tuple[str, ...]:
    """The connections that a task gets whole: a command those that it asks for, windlass all that it names."""
    action = task.action
    return action.connections if isinstance(action, RunCommand | Service) else task.connections


def _references(task: Task) -> Mapping[str, Reference]:
    return task.action.references if isinstance(task.action, RunCommand | Service) else {}


def _declared(plan: Plan) -> dict[str, str]:
    """The addresses, by variable, of connections that need no key of the Secret: `windlass.yaml` has them."""
    return {variable(name): c.address for name, c in plan.connections.items() if c.address is not None}


def _from_keys(found: Mapping[str, tuple[str, str]], optional: Collection[str] = ()) -> list[dict[str, Any]]:
    """References to keys of Secrets. What looks elsewhere for one that is not there begins all the same."""
    return [
        {"name": name, "valueFrom": {"secretKeyRef": reference}}
        for name, (secret, key) in sorted(found.items())
        for reference in [{"name": secret, "key": key} | ({"optional": True} if key in optional else {})]
    ]
