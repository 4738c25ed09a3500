"""Tries whether containers see a folder of this machine: one writes into it, and the file is looked for here.

That takes no image of anybody's: the engine makes an empty one, and unpacks the file into a container that never starts.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from windlass.errors import WindlassError
from windlass.runtimes.docker.engine import SEE_DOCTOR, Engine, telling
from windlass.runtimes.docker.host_paths import host_path

__all__ = ["has_files_of", "why_not_seen"]

_INSIDE = "/data"


def why_not_seen(engine: Engine, folder: Path) -> tuple[str, str] | None:
    """Why containers do not see the folder, and what to do; None where they do."""
    name = f".windlass-{secrets.token_hex(4)}"
    try:
        with telling("write from inside a container"):
            _write(engine, folder, name)
    except WindlassError as exc:
        return exc.message, _hint(engine, folder) if exc.hint in (None, SEE_DOCTOR) else str(exc.hint)
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


def has_files_of(engine: Engine, folder: Path, image: str, labels: Mapping[str, str]) -> bool:
    """Whether a container of that image has what lies in the folder here: it may be another one of that path, and what tasks
    write be lost. The container never starts, and nothing is written there. Raises WindlassError.
    """
    from docker.errors import NotFound

    with (
        telling(f"look into {folder} from a container"),
        NamedTemporaryFile(prefix=".windlass-", dir=folder) as mark,
        _made(engine, folder, image, labels) as container,
    ):
        try:
            sent, _ = engine.client.get_archive(container, f"{_INSIDE}/{Path(mark.name).name}")
        except NotFound:
            return False
        for _ in sent:
            pass
    return True


def _write(engine: Engine, folder: Path, name: str) -> None:
    client = engine.client
    said = client.import_image_from_data(
        _archive(_INSIDE.strip("/")), repository="windlass/empty", tag=secrets.token_hex(4)
    )
    image = json.loads(said.splitlines()[-1])["status"]  # by its id: Podman takes no notice of the tag
    try:
        with _made(engine, folder, image) as container:
            client.put_archive(container, _INSIDE, _archive(name, engine))
    finally:
        client.remove_image(image, force=True)


@contextmanager
def _made(engine: Engine, folder: Path, image: str, labels: Mapping[str, str] = {}) -> Iterator[str]:
    """A container that has the folder, and is not started."""
    from docker.types import Mount

    mount = Mount(_INSIDE, host_path(engine, folder), type="bind")
    host = engine.client.create_host_config(mounts=[mount])
    made = engine.client.create_container(image, ["none"], host_config=host, labels=dict(labels))
    container = str(made["Id"])
    try:
        yield container
    finally:
        engine.client.remove_container(container, force=True, v=True)


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
