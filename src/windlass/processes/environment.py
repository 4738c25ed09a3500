"""What a process gets of our own environment: what any program needs, and none of our secrets."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

__all__ = ["inherited", "own_command", "with_own_programs"]

_NAMES = {
    *("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "SYSTEMROOT", "TERM", "TMPDIR", "TZ", "USER"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
}
_PREFIXES = ("PIP_", "UV_")
_SUFFIXES = ("_CA_CERTS", "_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "_CERT")


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of our environment that a step gets: none of our secrets, but what makes a network work."""
    return {
        name: value
        for name, value in environ.items()
        if name in _NAMES or name.startswith(_PREFIXES) or name.endswith(_SUFFIXES)
    }


def with_own_programs(environment: dict[str, str]) -> dict[str, str]:
    """The environment, with the folder of `windlass` at the end of its PATH."""
    path = environment.get("PATH") or os.defpath
    return {**environment, "PATH": f"{path}{os.pathsep}{_own_programs()}"}


def _own_programs() -> Path:
    """The folder where the `windlass` command of this installation is."""
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    folders = [Path(sysconfig.get_path("scripts", scheme)) for scheme in schemes]
    return next((folder for folder in folders if (folder / "windlass").exists()), folders[0])


def own_command(project: Path) -> tuple[str, ...]:
    """What starts windlass of this installation on a project."""
    return (sys.executable, "-m", "windlass", "-C", str(project))
