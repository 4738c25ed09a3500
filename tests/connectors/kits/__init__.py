"""The kits of the connectors of this repository: whatever is in this folder."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from windlass.testing import Kit

__all__ = ["KITS"]


def _kits() -> dict[str, type[Kit]]:
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    kits = {kit for kit in found if issubclass(kit, Kit) and not kit.__name__.startswith("_")} - {Kit}
    return {kit.__name__.removesuffix("Kit").lower(): kit for kit in kits}


KITS = dict(sorted(_kits().items()))
"""By the name of the class, `CsvKit` as `csv`."""
