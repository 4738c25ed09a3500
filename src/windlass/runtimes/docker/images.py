"""The image of a unit: there, pulled, or built by the engine out of the folder of a step."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from windlass import logs
from windlass.errors import Code, FatalError, RetryableError, reason_of
from windlass.plan.unit import Unit
from windlass.processes import last_words
from windlass.processes.environment import for_containers, installing
from windlass.runtimes.docker.engine import Engine, telling

__all__ = ["Images", "digest_of", "files_of"]

_KEPT = 200  # lines of what a build says


class Images:
    """The images of one run, each looked for once."""

    def __init__(self, engine: Engine, project: Path) -> None:
        self._engine, self._project = engine, project
        self._found: dict[str, str] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def of(self, unit: Unit) -> str:
        """The image of a unit, which the engine then has. Raises WindlassError."""
        key = repr((unit.build, unit.container))
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._found:
                image = unit.container.image
                self._found[key] = self._built(unit) if image is None else self._pulled(image, unit)
            return self._found[key]

    # --- pulled ---

    def _pulled(self, image: str, unit: Unit) -> str:
        pull, platform = unit.container.pull, unit.container.platform
        if pull == "always" or (pull == "missing" and not self._has(image)):
            logs.info("image_pull", image=image)
            self._pull(image, platform)
        if not self._has(image):
            hint = "pull it, or leave out `pull: never`"
            raise FatalError(f"the engine has no image {image}", hint=hint, code=Code.NO_IMAGE)
        return image

    def _has(self, image: str) -> bool:
        from docker.errors import ImageNotFound

        with telling(f"look for the image {image}"):
            try:
                self._engine.client.inspect_image(image)
            except ImageNotFound:
                return False
        return True

    def _pull(self, image: str, platform: str | None) -> None:
        from docker.errors import APIError, DockerException
        from requests.exceptions import RequestException

        tag = None if ":" in PurePosixPath(image).name or "@" in image else "latest"
        try:
            said = self._engine.client.pull(image, tag=tag, platform=platform, stream=True, decode=True)
            why = next((item["error"] for item in said if "error" in item), None)
        except APIError as exc:
            why = str(exc.explanation or exc).strip().splitlines()[0]
        except (DockerException, RequestException, OSError) as exc:
            raise RetryableError(f"cannot pull {image}: {reason_of(exc)}", code=Code.NO_IMAGE) from exc
        if why is not None:
            kind = (
                FatalError
                if re.search("not found|denied|unauthorized|manifest|invalid", why)
                else RetryableError
            )
            raise kind(f"cannot pull {image}: {why}", code=Code.NO_IMAGE)

    # --- built ---

    def _built(self, unit: Unit) -> str:
        container = unit.container
        context = self._project / (container.context or unit.build or "")
        if not (context / container.dockerfile).is_file():
            hint = "write one, or let it run as a process: `runtime: process`"
            raise FatalError(f"there is no {context / container.dockerfile}", hint=hint, code=Code.NO_IMAGE)
        step = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(unit.build or "").name.lower()).strip("-") or "step"
        image = f"windlass/{step}:in-{digest_of(context, unit)[:12]}"
        if not self._has(image):
            logs.info("image_build", image=image, folder=unit.build)
            self._build(image, context, unit)
        return image

    def _build(self, image: str, context: Path, unit: Unit) -> None:
        if (builder := _buildkit()) is not None and not self._engine.is_podman:
            said, ok = self._by_buildkit(builder, image, context, unit)
        else:
            said, ok = self._by_engine(image, context, unit)
        if not ok:
            raise FatalError(f"cannot build {unit.build}:{last_words(said, 1)}", code=Code.NO_IMAGE)

    def _by_buildkit(
        self, builder: tuple[str, ...], image: str, context: Path, unit: Unit
    ) -> tuple[str, bool]:
        container = unit.container
        command = [
            *builder,
            "--progress=plain",
            "--tag",
            image,
            "--file",
            str(context / container.dockerfile),
        ]
        command += ["--target", container.target] if container.target else []
        command += ["--platform", container.platform] if container.platform else []
        for name, value in container.args.items():
            command += ["--build-arg", f"{name}={value}"]
        environment = {
            **installing(os.environ),
            **for_containers(os.environ),
            "DOCKER_HOST": self._engine.url,
            "DOCKER_BUILDKIT": "1",
        }
        done = subprocess.run(
            [*command, str(context)], env=environment, capture_output=True, text=True, check=False
        )
        return done.stderr, done.returncode == 0

    def _by_engine(self, image: str, context: Path, unit: Unit) -> tuple[str, bool]:
        container, lines, is_built = unit.container, list[str](), True
        with telling(f"build {unit.build}"):
            said = self._engine.client.build(
                path=str(context),
                tag=image,
                dockerfile=container.dockerfile,
                target=container.target,
                buildargs=container.args,
                platform=container.platform,
                rm=True,
                forcerm=True,
                decode=True,
                use_config_proxy=True,
            )
            for item in said:
                is_built = is_built and "error" not in item
                lines = [*lines[-_KEPT:], str(item.get("stream") or item.get("error") or "").rstrip("\n")]
        return "\n".join(filter(None, lines)), is_built


@cache
def _buildkit() -> tuple[str, ...] | None:
    """The command that builds by BuildKit, where there is one: the plugin, or one of the years when it needed none."""
    program = shutil.which("docker")
    if program is None:
        return None
    ours = for_containers(os.environ)
    asked = [program, "buildx", "version"]
    if subprocess.run(asked, env=ours, capture_output=True, check=False).returncode == 0:
        return program, "buildx", "build", "--load"
    asked = [program, "version", "--format", "{{.Client.Version}}"]
    version = subprocess.run(asked, env=ours, capture_output=True, text=True, check=False).stdout
    major = version.partition(".")[0]
    return (program, "build") if major.isdigit() and 19 <= int(major) < 23 else None


def digest_of(context: Path, unit: Unit) -> str:
    """What an image is made of, as one number: the files of its folder and how they become an image."""
    container = unit.container
    how = [container.dockerfile, container.target, sorted(container.args.items()), container.platform]
    digest = hashlib.sha256(json.dumps(how).encode())
    for path in (*files_of(context, container.dockerfile), container.dockerfile):
        _add(digest, context, path)
    return digest.hexdigest()


def files_of(context: Path, dockerfile: str) -> Iterable[str]:
    """The files of a folder that an image may be made of: those that its `.dockerignore` leaves in it."""
    from docker.utils.build import exclude_paths

    return sorted(exclude_paths(str(context), list(_ignored(context, dockerfile)), dockerfile))


def _ignored(context: Path, dockerfile: str) -> Iterator[str]:
    own = context / f"{dockerfile}.dockerignore"  # BuildKit takes it before the one of the folder
    file = own if own.is_file() else context / ".dockerignore"
    if file.is_file():
        lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
        yield from (line for line in lines if line and not line.startswith("#"))


def _add(digest: hashlib._Hash, context: Path, path: str) -> None:
    file = context / path
    if file.is_symlink():
        kind, content = "link", os.fsencode(file.readlink())
    elif file.is_file():
        kind = "program" if os.access(file, os.X_OK) else "file"
        with file.open("rb") as data:
            content = hashlib.file_digest(data, "sha256").digest()
    else:
        kind, content = "folder", b""
    digest.update(json.dumps([path, kind, len(content)]).encode() + content)
