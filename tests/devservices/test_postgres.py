"""The Postgres that stands in for a connection: where its data are, and how long."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from windlass.devservices import DevServices
from windlass.plan.model import Connection


def places() -> dict[str, Path]:
    """The folders below /var/tmp with the data of services, by the folder that each stands for."""
    notes = Path("/var/tmp").glob("windlass-dev-*/of")
    return {note.read_text(): note.parent for note in notes}


def started(folder: Path) -> str:
    """Start a service and stop it. Returns its own folder."""
    services = DevServices(folder, folder)
    services.start("db", Connection(type="postgres"))
    services.close()
    return str(next(folder.glob("**/db")))


@pytest.mark.skipif(os.geteuid() != 0, reason="only a server that root starts has its data elsewhere")
def test_data_elsewhere_go_when_their_project_has_gone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    gone, kept = started(tmp_path / "gone"), started(tmp_path / "kept")
    assert {gone, kept} <= places().keys()
    shutil.rmtree(tmp_path / "gone")
    started(tmp_path / "new")
    assert gone not in places()
    assert kept in places()
