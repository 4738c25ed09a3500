"""Tries whether containers see a folder of this machine: one writes into it, and the file is looked for here.

That takes no image of anybody's: the engine makes an empty one, and unpacks the file into a container that never starts.
"""

from __future__ import annotations

import io
import os
import secrets
import tarfile
from pathlib import Path

from windlass.errors import WindlassError
from windlass.runtimes.docker.engine import Engine, telling
from windlass.runtimes.docker.host_paths import host_path

__all__ = ["why_not_seen"]

_INSIDE = "/data"


def why_not_seen(engine: Engine, folder: Path) -> tuple[str, str] | None:
    """Why containers do not see the folder, and what to do; None where they do."""
    name = f".windlass-{secrets.token_hex(4)}"
    try:
        with telling("write from inside a container"):
            _write(engine, folder, name)
    except WindlassError as exc:
        return exc.message, exc.hint or _hint(engine, folder)
    written = folder / name
    if not written.exists():
        return f"what a container writes into {folder} is not there", _hint(engine, folder)
    owner = written.stat().st_uid
    written.unlink()
    if owner != os.getuid():
        return (
            f"what a container writes into {folder} belongs to the user {owner}",
            "say `user` under runtimes.docker",
        )
    return None


def _hint(engine: Engine, folder: Path) -> str:
    if not engine.is_here:
        return f"{engine.url} is another machine: choose an engine of this one, such as: docker context use default"
    return f"share {folder} with the engine's machine, in the settings of Docker Desktop or of Colima (colima start --mount)"


def _write(engine: Engine, folder: Path, name: str) -> None:
    from docker.types import Mount

    client, image = engine.client, f"windlass/empty:{secrets.token_hex(4)}"
    client.import_image_from_data(
        _archive(_INSIDE.strip("/")), repository=image.partition(":")[0], tag=image.partition(":")[2]
    )
    try:
        mount = Mount(_INSIDE, host_path(engine, folder), type="bind")
        host = client.create_host_config(mounts=[mount])
        container = client.create_container(image, ["none"], host_config=host)["Id"]
        try:
            client.put_archive(container, _INSIDE, _archive(name, engine))
        finally:
            client.remove_container(container, force=True, v=True)
    finally:
        client.remove_image(image, force=True)


def _archive(name: str, engine: Engine | None = None) -> bytes:
    """An archive with one empty file of whoever a container runs as; without an engine, with a folder."""
    made, entry = io.BytesIO(), tarfile.TarInfo(name)
    if engine is None:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    elif not engine.is_rootless:
        entry.uid, entry.gid = os.getuid(), os.getgid()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(entry)
    return made.getvalue()
