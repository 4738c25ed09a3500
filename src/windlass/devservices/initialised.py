"""Init files: SQL that is run once, when a dev service is new or its init files have changed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

from windlass import logs
from windlass.devservices.service import DevService
from windlass.errors import Code, FatalError, did_you_mean
from windlass.files import write_file

__all__ = ["digest_of", "is_initialised", "mark_initialised", "run_init_files"]


class RunsScripts(Protocol):
    """What is asked of a database that is initialised."""

    def execute(self, script: str, *, transaction: bool = True) -> object:
        """Run one or more statements. Raises FatalError with the place in the script."""


def digest_of(service: DevService) -> str:
    """A hash of the init files, in their order. Raises FatalError for one that is missing."""
    digest = hashlib.sha256()
    for file in _files(service):
        digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()


def is_initialised(service: DevService) -> bool:
    """Whether the service was initialised by these very files."""
    marker = service.folder / "initialised"
    return marker.exists() and marker.read_text() == digest_of(service)


def mark_initialised(service: DevService) -> None:
    write_file(service.folder / "initialised", digest_of(service))


def run_init_files(service: DevService, database: RunsScripts) -> None:
    """Run every init file. Raises FatalError that names the file and its line."""
    for name, file in zip(service.options.init, _files(service), strict=True):
        try:
            database.execute(file.read_text(encoding="utf-8"), transaction=False)
        except FatalError as exc:
            raise FatalError(f"{name}: {exc.message}", hint=exc.hint, code=Code.DEV_SERVICE) from exc
        logs.info("dev_service_initialised", connection=service.name, file=name)


def _files(service: DevService) -> list[Path]:
    files = [service.project / name for name in service.options.init]
    for name, file in zip(service.options.init, files, strict=True):
        if not file.is_file():
            beside = (
                [str(p.relative_to(service.project)) for p in file.parent.glob("*")]
                if file.parent.is_dir()
                else []
            )
            hint = did_you_mean(name, beside)
            raise FatalError(
                f"connection {service.name!r}: there is no init file {name!r}",
                hint=hint,
                code=Code.DEV_SERVICE,
            )
    return files
