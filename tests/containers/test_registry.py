"""Images in a registry: pushed once, named by digest, and, by a BuildKit of its own, for two architectures and attested."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import PYTHON, Output, missing
from tests.runner.conftest import eventually
from windlass.ports import free_port, why_not_free
from windlass.runtimes.docker.builders import way_of_building
from windlass.runtimes.docker.engine import Engine

Windlass = Callable[..., Output]
Project = Callable[..., Path]
THERE = re.compile(r"sha256:[0-9a-f]{64}")


@pytest.fixture
def registry(engine: Engine, tmp_path: Path) -> Iterator[str]:
    """A registry of images on this machine's loopback, which has an image with Python: `python`."""
    program = shutil.which("docker-registry") or shutil.which("registry")
    if engine.is_podman:
        pytest.skip("Podman speaks https to a registry, unless its configuration says otherwise")
    if program is None:
        missing("a registry (docker-registry or registry on the PATH)")
    port = free_port()
    told = {"version": 0.1, "http": {"addr": f"127.0.0.1:{port}"}}
    told["storage"] = {"filesystem": {"rootdirectory": str(tmp_path / "images")}}
    (tmp_path / "registry.yml").write_text(json.dumps(told))
    server = subprocess.Popen([program, "serve", tmp_path / "registry.yml"], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: why_not_free(port) is not None)  # it listens
        image = f"127.0.0.1:{port}/python"
        engine.client.tag(PYTHON, image)
        engine.client.push(image)
        engine.client.remove_image(image)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def project_of(registry: str, more: str = "") -> dict[str, str]:
    return {
        "windlass.yaml": f"project: kept\nimages: {{registry: {registry}/acme{more}}}\nruntimes: {{default: docker}}\n",
        "pipelines/p.yaml": "pipeline: p\ntasks: {say: {run: {build: say, user: image}}}\n",
        "say/Dockerfile": f"FROM {registry}/python\nCOPY say.py /\nCMD ['python3', '/say.py']\n".replace(
            "'", '"'
        ),
        "say/say.py": f"import platform\nprint(platform.machine(), '{uuid4().hex}')\n",
    }


def test_an_image_is_pushed_once_and_taken_by_its_digest(
    windlass: Windlass, project: Project, buildkit: Engine, registry: str
) -> None:
    root = project(project_of(registry, ", sbom: false"))
    built, again = (windlass("-C", root, "build", "--push", "--json").json["images"][0] for _ in range(2))
    assert (built["status"], again["status"]) == ("pushed", "up_to_date")
    digest = THERE.search((root / "windlass.lock").read_text().partition("images:")[2])
    assert digest is not None
    windlass("-C", root, "export", "kubernetes", "--out", root / "k8s")
    exported = "".join(file.read_text() for file in (root / "k8s").rglob("*.yaml"))
    assert f"{registry}/acme/kept-say@{digest[0]}" in exported
    # another machine has a checkout and the registry, and builds nothing
    buildkit.client.remove_image(built["image"], force=True)
    shutil.rmtree(root / ".windlass")
    done = windlass("-C", root, "run", "p", "--json")
    assert done.json["status"] == "success", done.stderr
    assert '"event": "image_build"' not in done.stderr
    # a lock that was lost is found again in the registry
    (root / "windlass.lock").unlink()
    found = windlass("-C", root, "build", "--push", "--json").json["images"][0]
    assert found["status"] == "up_to_date"
    assert digest[0] in (root / "windlass.lock").read_text()


@pytest.mark.parametrize("pull", ["missing", "never"])
def test_an_image_for_another_platform_is_not_the_one_that_was_asked_for(
    windlass: Windlass, project: Project, buildkit: Engine, registry: str, pull: str
) -> None:
    """The engine has one of that name for a machine that is not this one, as after a pull for that."""
    here, other = {"x86_64": ("amd64", "arm64"), "aarch64": ("arm64", "amd64")}[platform.machine()]
    image = f"{registry}/python:latest"
    builds = [*(way_of_building(buildkit).command or ()), f"--platform=linux/{other}", f"--tag={image}", "-"]
    env = {**os.environ, "DOCKER_BUILDKIT": "1"}
    nothing = f"FROM scratch\nLABEL test={uuid4().hex}\n".encode()
    subprocess.run(builds, input=nothing, env=env, check=True, capture_output=True)
    step = f"{{image: '{image}', platform: linux/{here}, pull: {pull}, command: [uname, -m]}}"
    root = project({"pipelines/p.yaml": f"pipeline: p\ntasks: {{a: {{run: {step}}}}}\n"})
    done = windlass("-C", root, "run", "p", "--json")
    buildkit.client.remove_image(image, force=True)
    [task] = done.json["tasks"]
    if pull == "missing":
        assert task["status"] == "success", done.stderr
        assert f'"message": "{platform.machine()}"' in done.stderr
    else:
        assert f"wanted linux/{here}, actual: linux/{other}" in task["error"]


SCANNER = """
FROM {registry}/python
RUN printf 'import json, os, pathlib; \\
told = {{"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "what a scanner found"}}; \\
told = {{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document", "predicate": told}}; \\
pathlib.Path(os.environ["BUILDKIT_SCAN_DESTINATION"], "spdx.json").write_text(json.dumps(told))' > /scan.py
ENTRYPOINT ["python3", "/scan.py"]
"""


def test_images_for_two_architectures_are_attested(
    windlass: Windlass, project: Project, engine: Engine, registry: str
) -> None:
    """By hand: a builder of buildx whose BuildKit may speak http to the registry, and takes what is made for arm64."""
    if not way_of_building(engine).attests:
        pytest.skip(
            "docker buildx has no builder with a BuildKit of its own here (docker buildx create --use)"
        )
    docker = [shutil.which("docker") or "docker", "buildx"]
    scanner, here = f"{registry}/scanner", {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    scans = [*docker, "build", "--push", "--provenance=false", f"--tag={scanner}", "-"]
    subprocess.run(scans, input=SCANNER.format(registry=registry).encode(), check=True, capture_output=True)
    root = project(project_of(registry, f", platforms: [linux/amd64, linux/arm64], sbom: '{scanner}'"))
    (root / "say/Dockerfile").write_text("FROM scratch\nCOPY say.py /\nCMD ['/say.py']\n".replace("'", '"'))
    image = windlass("-C", root, "build", "--push", "--json").json["images"][0]
    inspect = [*docker, "imagetools", "inspect", image["image"], "--format"]
    for what, inside in (("SBOM", "SPDX"), ("Provenance", "SLSA")):
        told = subprocess.run([*inspect, f"{{{{json .{what}}}}}"], check=True, capture_output=True, text=True)
        assert {name for name, one in json.loads(told.stdout).items() if one.get(inside)} >= {
            f"linux/{here}",
            "linux/arm64",
        }
    assert windlass("-C", root, "build", "--push", "--json").json["images"][0]["status"] == "up_to_date"
