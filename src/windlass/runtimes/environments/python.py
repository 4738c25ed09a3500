"""Virtual environments for Python steps: one for all that ask for the same, by the same Python.

A virtual environment cannot be moved, so each is made under a name that is its own, and a link with the name of what
was asked for leads to it: the link is replaced in one step. A step gets the very folder behind the link.
"""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from pathlib import Path

from windlass import logs
from windlass.errors import Code, FatalError
from windlass.locks import locked
from windlass.runtimes.environments.installing import Making, beside, tell_of_lock
from windlass.runtimes.environments.key import Key
from windlass.runtimes.environments.step import StepEnvironment

__all__ = ["asks_for_something", "environment"]


def asks_for_something(folder: Path) -> bool:
    """Whether a file in the folder asks for Python packages. One with settings of tools only does not."""
    return (folder / "requirements.txt").exists() or _is_package(folder)


def environment(folder: Path | None, environments: Path, version: str | None = None) -> StepEnvironment:
    """The environment of a folder, or one with nothing in it. `version` is that of Python, such as `.12` behind its 3;
    without one it is that which windlass runs on.
    """
    key = Key(_interpreter(version))
    if folder is not None:
        _add(key, folder)
    link = environments / f"python-{key}"
    environments.mkdir(parents=True, exist_ok=True)
    with locked(environments / f"{link.name}.lock"):
        if not (link / "bin" / "python").exists():  # also where the Python that it was made from is gone
            _make(link, folder, key, version)
        place = link.resolve()
    variables = {"VIRTUAL_ENV": str(place), "PYTHONUNBUFFERED": "1"}
    return StepEnvironment((place / "bin",), frozenset({"python", "python3"}), variables)


def _add(key: Key, folder: Path) -> None:
    if (folder / "requirements.txt").exists():  # it is the more exact of the two
        key.add_requirements(folder / "requirements.txt", folder)
    elif _is_package(folder):
        key.add(folder.resolve())  # it is installed where it is
        key.add_project(folder)


def _is_package(folder: Path) -> bool:
    file = folder / "pyproject.toml"
    if not file.exists():
        return False
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as exc:
        raise FatalError(f"{file} cannot be read: {exc}", code=Code.NO_ENVIRONMENT) from exc
    return bool({"project", "build-system"} & said.keys())


def _interpreter(version: str | None) -> str:
    """The Python that is meant: its path and version, or what was asked for."""
    return f"3{version}" if version else f"{_base()} {sys.version}"


def _base() -> str:
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _make(link: Path, folder: Path | None, key: Key, version: str | None) -> None:
    step = folder.name if folder is not None else "the step"
    logs.info("environment", step=step, kind="python", into=str(link))
    with beside(link.parent, f"{link.name}.made", step) as making:
        _create(making, version)
        if folder is not None:
            _install(making, folder, key)
        new = link.with_name(f"{making.place.name}.link")
        new.symlink_to(making.place.name)
        if link.is_dir() and not link.is_symlink():  # of an earlier version of windlass
            shutil.rmtree(link)
        new.replace(link)


def _create(making: Making, version: str | None) -> None:
    place = str(making.place)
    if uv := _uv():
        making.call([uv, "venv", "--quiet", "--python", f"3{version}" if version else _base(), place])
        return
    python = shutil.which(f"python3{version}") if version else _base()
    if python is None:
        why, hint = f" there is no python3{version} on this machine", "install it, or uv, which finds it"
        raise making.failed(why, hint=hint)
    making.call([python, "-m", "venv", place])


def _install(making: Making, folder: Path, key: Key) -> None:
    tell_of_lock(folder, "python")
    if (folder / "requirements.txt").exists():
        _pip(making, ("-r", str(folder / "requirements.txt")), folder, key)
    elif _is_package(folder) and (folder / "uv.lock").exists():
        _sync(making, folder, key)
    elif _is_package(folder):
        _pip(making, ("-e", str(folder)), folder, key)


def _pip(making: Making, what: tuple[str, str], folder: Path, key: Key) -> None:
    python = str(making.place / "bin" / "python")
    if uv := _uv():
        making.call([uv, "pip", "install", "--quiet", "--python", python, *_fresh(key), *what], folder)
    else:
        making.call([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what], folder)


def _sync(making: Making, folder: Path, key: Key) -> None:
    uv = _uv()
    if uv is None:
        raise making.failed(" its uv.lock needs uv", hint="install it with: pip install 'windlass[steps]'")
    command = [uv, "sync", "--quiet", "--frozen", "--no-default-groups", *_fresh(key)]
    making.call(command, folder, {"UV_PROJECT_ENVIRONMENT": str(making.place)})


def _fresh(key: Key) -> list[str]:
    """What has uv look into the folders of packages, of which its cache knows only the manifests."""
    return ["--no-cache"] if key.has_folders else []


def _uv() -> str | None:
    beside_us = Path(sys.executable).with_name("uv")
    return str(beside_us) if os.access(beside_us, os.X_OK) else shutil.which("uv")
