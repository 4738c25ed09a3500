"""What is there of the containers of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from windlass.runtimes.docker.builders import way_of_building
from windlass.runtimes.docker.engine import Engine


@pytest.fixture
def containers(engine: Engine, tmp_path: Path) -> Iterator[Callable[[], list[str]]]:
    """The containers of projects of this test that there are; in the end there are none."""

    def of_the_test() -> list[str]:
        found = engine.client.containers(all=True, filters={"label": "windlass.project"})
        return [c["Id"] for c in found if c["Labels"]["windlass.project"].startswith(str(tmp_path))]

    yield of_the_test
    left = of_the_test()
    for container in left:
        engine.client.remove_container(container, force=True)
    assert left == []


@pytest.fixture
def buildkit(engine: Engine) -> Engine:
    """An engine whose images are built by BuildKit, which generated Dockerfiles and stages of their own need."""
    if way_of_building(engine).command is None and not engine.is_podman:
        missing("BuildKit (the docker command with its plugin buildx, or one from before Docker 23)")
    return engine
