"""What the runtime `docker` works out by itself, without an engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from windlass.runtimes.docker.doors import moved
from windlass.runtimes.docker.engine import _places
from windlass.runtimes.docker.host_paths import own_container, source_of


def test_an_engine_is_looked_for_where_its_own_command_would_and_at_the_usual_sockets(tmp_path: Path) -> None:
    def places(**environ: str) -> list[tuple[str, str]]:
        return [(p.what, p.url) for p in _places({"HOME": str(tmp_path), **environ})]

    for socket in (".colima/default/docker.sock", "run/podman/podman.sock"):
        (tmp_path / socket).parent.mkdir(parents=True)
        (tmp_path / socket).touch()
    found = places(XDG_RUNTIME_DIR=str(tmp_path / "run"))
    assert [url.removeprefix(f"unix://{tmp_path}") for _, url in found if str(tmp_path) in url] == [
        "/.colima/default/docker.sock",
        "/run/podman/podman.sock",
    ]
    assert places(CONTAINER_HOST="unix:///podman.sock") == [("CONTAINER_HOST", "unix:///podman.sock")]
    (said,) = places(DOCKER_HOST="ssh://me@far", CONTAINER_HOST="unix:///podman.sock")
    assert said == ("DOCKER_HOST", "ssh://me@far")


def test_the_host_of_an_address_is_moved_only_where_it_is_this_machine() -> None:
    def move(port: int) -> tuple[str, int]:
        return "door", port + 1

    assert {url: moved(url, move) for url in ADDRESSES} == ADDRESSES


ADDRESSES = {
    "postgresql://me:p%40ss@127.0.0.1:5432/db?sslmode=disable": "postgresql://me:p%40ss@door:5433/db?sslmode=disable",
    "http://localhost:80/a?b=c": "http://door:81/a?b=c",
    "http://[::1]:80": "http://door:81",
    "mongodb://127.0.0.1:1,db.test:2,localhost:3/x": "mongodb://door:2,db.test:2,door:4/x",
    "postgresql://db.test:5432/localhost": "postgresql://db.test:5432/localhost",
    "http://localhost/": "http://localhost/",
    "https://hooks.test/T?": "https://hooks.test/T?",
    "odd://127.0.0.1:port": "odd://127.0.0.1:port",
}


def test_the_place_of_a_folder_is_that_of_the_innermost_mount_around_it(tmp_path: Path) -> None:
    mounts = [
        {"Source": "/var/lib/docker/volumes/work/_data", "Destination": "/work"},
        {"Source": "/home/ada/shop", "Destination": "/work/shop"},
    ]
    assert source_of(mounts, Path("/work/shop/in")) == "/home/ada/shop/in"
    assert source_of(mounts, Path("/work/shopping")) == "/var/lib/docker/volumes/work/_data/shopping"
    assert source_of(mounts, Path("/tmp")) is None
    own = "5f" * 32
    info = tmp_path / "mountinfo"
    info.write_text(
        f"1 2 8:1 /var/lib/docker/containers/{own}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n"
    )
    assert own_container(info) == own
    info.write_text("1 2 8:1 / / rw - ext4 /dev/sda1 rw\n")
    assert own_container(info) is None
    assert own_container(tmp_path / "none") is None


def test_the_machine_of_an_engine_is_in_none_of_its_containers(tmp_path: Path) -> None:
    some, info = "5f" * 32, tmp_path / "mountinfo"
    info.write_text(
        "1 2 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"3 1 0:9 / /var/lib/docker/containers/{some}/mounts/shm rw - tmpfs shm rw\n"
        f"4 1 0:9 / /var/lib/containers/storage/overlay-containers/{some}/userdata/shm rw - tmpfs shm rw\n"
    )
    assert own_container(info) is None
    with info.open("a") as more:  # as Podman has it in a container
        more.write(
            f"5 1 0:8 /containers/storage/overlay-containers/{some}/userdata/hosts /etc/hosts rw - tmpfs run rw\n"
        )
    assert own_container(info) == some


def test_a_current_context_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    meta = tmp_path / "contexts/meta" / hashlib.sha256(b"colima").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    host = {"Host": "unix:///colima.sock", "SkipTLSVerify": False}
    meta.write_text(json.dumps({"Name": "colima", "Metadata": {}, "Endpoints": {"docker": host}}))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "colima"}))
    assert [(p.what, p.url) for p in _places({"HOME": "/nowhere"})] == [
        ("the context 'colima'", "unix:///colima.sock")
    ]
