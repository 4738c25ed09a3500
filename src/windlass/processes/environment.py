"""What a process gets of our own environment: what any program needs, and none of our secrets."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

__all__ = ["for_containers", "inherited", "installing", "own_command", "with_own_programs"]

_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"}
_NAMES = {
    *("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "SYSTEMROOT", "TERM", "TMPDIR", "TZ", "USER"),
    *(*_PROXIES, "NO_PROXY", "no_proxy"),
}
_SUFFIXES = ("_CA_CERTS", "_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
_INSTALLERS = ("PIP_", "UV_", "NPM_CONFIG_", "npm_config_")
_SECRETS = ("TOKEN", "PASSWORD", "USERNAME", "SECRET", "AUTH", "KEY")
_CREDENTIALS = {
    "NETRC",
    "NODE_AUTH_TOKEN",
    "NPM_TOKEN",
    "SSH_AUTH_SOCK",
}  # how an installer gets at private packages
_PUBLISHING = ("UV_PUBLISH_", "TWINE_")
_CONTAINERS = ("DOCKER_", "BUILDX_", "KUBECONFIG", "XDG_RUNTIME_DIR")


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of our environment that what we start gets: what makes a network work, and where an installer
    finds packages. Neither our secrets nor a connection: a command that needs one is given it by name.
    """
    return _with_loopback({name: value for name, value in environ.items() if _is_harmless(name)})


def installing(environ: Mapping[str, str]) -> dict[str, str]:
    """What an installer gets: the same, and how it gets at private packages."""
    return _with_loopback(
        {name: value for name, value in environ.items() if _is_harmless(name) or _is_of_installers(name)}
    )


def for_containers(environ: Mapping[str, str]) -> dict[str, str]:
    """What a client of Docker or Kubernetes gets: the same, and where those are."""
    where = {name: value for name, value in environ.items() if name.startswith(_CONTAINERS)}
    return {**inherited(environ), **{name: v for name, v in where.items() if not name.endswith(_SECRETS)}}


def _with_loopback(environment: dict[str, str]) -> dict[str, str]:
    """The environment, with this machine among what no proxy is asked for: it could reach none of our services."""
    if not _PROXIES & environment.keys():
        return environment
    without = environment.get("no_proxy") or environment.get("NO_PROXY")
    local = ",".join(filter(None, (without, "localhost", "127.0.0.1")))
    return {**environment, "no_proxy": local, "NO_PROXY": local}


def _is_harmless(name: str) -> bool:
    if name.startswith(_INSTALLERS):
        return not name.upper().endswith(_SECRETS)
    return name in _NAMES or name.endswith(_SUFFIXES)


def _is_of_installers(name: str) -> bool:
    return name in _CREDENTIALS or (name.startswith(_INSTALLERS) and not name.startswith(_PUBLISHING))


def with_own_programs(environment: dict[str, str]) -> dict[str, str]:
    """The environment, with the folder of `windlass` at the end of its PATH."""
    path = environment.get("PATH") or os.defpath
    return {**environment, "PATH": f"{path}{os.pathsep}{_own_programs()}"}


@cache
def _own_programs() -> Path:
    """The folder where the `windlass` command of this installation is."""
    if sys.prefix != sys.base_prefix and (beside := Path(sys.executable).with_name("windlass")).exists():
        return beside.parent  # in an environment of its own
    import sysconfig  # which takes longer than the rest

    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    folders = [Path(sysconfig.get_path("scripts", scheme)) for scheme in schemes]
    return next((folder for folder in folders if (folder / "windlass").exists()), folders[0])


def own_command(project: Path) -> tuple[str, ...]:
    """What starts windlass of this installation on a project."""
    return (sys.executable, "-m", "windlass", "-C", str(project))
