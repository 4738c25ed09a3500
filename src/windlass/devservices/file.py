"""The dev service of a database that is a file: nothing runs, there only is a file."""

from __future__ import annotations

from windlass import logs, registry
from windlass.connections import STAND_IN, Address
from windlass.devservices.initialised import is_initialised, mark_initialised, run_init_files
from windlass.devservices.service import DevService
from windlass.state_folder import close_to_others

__all__ = ["start_file"]


def start_file(service: DevService, *, ending: str) -> Address:
    """The address of the file; made and initialised if it is new or its init files have changed."""
    kind = service.type
    file = service.folder / f"{service.name}{ending}"
    close_to_others(service.folder)
    address = Address(kind, database=str(file), scheme=kind, origin=STAND_IN)
    if not is_initialised(service):
        for old in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}.wal")):
            old.unlink(missing_ok=True)
        if service.options.init:
            database = registry.load(str(registry.require(kind).sql))(address)
            try:
                run_init_files(service, database)
            finally:
                database.close()
        mark_initialised(service)
        logs.info("dev_service_started", connection=service.name, type=kind, file=str(file))
    return address
