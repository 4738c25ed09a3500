"""Windlass itself as a wheel, where no package index has the one that is here: out of the files of this installation, without
a build. The same files make the same bytes on every machine.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import windlass
from windlass.errors import Code, FatalError

__all__ = ["Wheel", "own_wheel"]

_WHEEL = "Wheel-Version: 1.0\nGenerator: windlass\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_FIRST_TIME = (1980, 1, 1, 0, 0, 0)  # that a zip file can say


@dataclass(frozen=True)
class Wheel:
    """A file that pip and uv install."""

    name: str
    content: bytes


@cache
def own_wheel() -> Wheel | None:
    """The wheel of this installation; None where it came from an index, which then has it (PEP 610)."""
    try:
        installed = distribution("windlass")
    except PackageNotFoundError as exc:
        hint = "install windlass with pip or uv, or write a Dockerfile beside windlass.yaml"
        raise FatalError(
            "nothing says how windlass is installed here", hint=hint, code=Code.NO_IMAGE
        ) from exc
    if installed.read_text("direct_url.json") is None:
        return None
    information = f"windlass-{installed.version}.dist-info"
    files = dict(_package(Path(windlass.__file__).parent))
    for name in ("METADATA", "entry_points.txt"):
        files[f"{information}/{name}"] = (installed.read_text(name) or "").encode()
    files[f"{information}/WHEEL"] = _WHEEL.encode()
    files[f"{information}/RECORD"] = _record(files, f"{information}/RECORD")
    return Wheel(f"windlass-{installed.version}-py3-none-any.whl", _zipped(files))


def _package(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield str(Path("windlass") / file.relative_to(folder)), file.read_bytes()


def _record(files: dict[str, bytes], own: str) -> bytes:
    lines = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    return "\n".join([*lines, f"{own},,", ""]).encode()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with ZipFile(made, "w", ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(ZipInfo(name, _FIRST_TIME), content)
    return made.getvalue()
