"""The dev service of a store of objects: a folder below the state folder. Nothing runs."""

from __future__ import annotations

import shutil

from windlass import logs
from windlass.connections import STAND_IN, Address
from windlass.connectors.stores.folder import FOLDER, FolderStore
from windlass.devservices import DevService
from windlass.errors import Code, FatalError
from windlass.state_folder import close_to_others

__all__ = ["start"]


def start(service: DevService) -> Address:
    """The address of the folder; made, with the objects that it begins with, if it is new. Raises FatalError."""
    folder, marker = service.folder / "store", service.folder / "initialised"
    close_to_others(service.folder)
    address = Address(
        service.type, service.name, options={FOLDER: str(folder)}, scheme=service.type, origin=STAND_IN
    )
    if not marker.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _begin(service, FolderStore(service.name, folder))
        marker.touch()
        logs.info("dev_service_started", connection=service.name, type=service.type, folder=str(folder))
    return address


def _begin(service: DevService, store: FolderStore) -> None:
    """Have the objects there that it begins with."""
    said = service.options.objects if service.options is not None else None
    if said is None:
        return
    source = service.project / said
    if not source.is_dir():
        message = f"connection {service.name!r}: there is no folder {said!r} of objects"
        raise FatalError(message, code=Code.DEV_SERVICE)
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        store.put_file(file.relative_to(source).as_posix(), file, "")
