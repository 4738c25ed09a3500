"""What makes the operators of a runtime. Each has a module, imported when a plan needs it, with its provider."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Protocol

from .bundle import Json, PlanError

__all__ = ["Maker", "maker_of"]

_RUNTIMES = {
    "process": ("process", None),
    "docker": ("docker", "apache-airflow-providers-docker"),
    "kubernetes": ("kubernetes", "apache-airflow-providers-cncf-kubernetes"),
    "trigger": ("triggers", "apache-airflow-providers-standard"),
}


class Maker(Protocol):
    """Makes the operator of a task; of one of the two that a service has, `start` and `stop`; of a copy in parts that which
    lists them, `split`, and that which is mapped over them, `part`; and the like of a task of each entry, `entries`, `each`."""

    def __call__(self, role: str, job: Json, common: dict[str, Any]) -> Any: ...


@cache
def maker_of(runtime: str) -> Maker:
    """What makes the operators of a runtime. Raises PlanError when it or its provider is not there."""
    if runtime not in _RUNTIMES:
        raise PlanError(f"plan.json has runtime {runtime!r}, known are {', '.join(_RUNTIMES)}")
    module, provider = _RUNTIMES[runtime]
    try:
        make: Maker = import_module(f".{module}", __package__).make
    except ModuleNotFoundError as exc:
        if provider is None:
            raise
        raise PlanError(f"runtime {runtime} needs a package here: pip install {provider}") from exc
    return make
