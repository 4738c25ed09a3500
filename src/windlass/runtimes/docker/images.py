"""The image of a unit: there, pulled, or built by the engine out of the folder of a step."""

from __future__ import annotations

import re
import threading
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from windlass import logs
from windlass.errors import Code, FatalError, RetryableError, WindlassError, reason_of
from windlass.images.bake import Build
from windlass.images.image import image_of, repository_of
from windlass.images.inputs import Reader
from windlass.images.lock import Lock
from windlass.plan.unit import Unit
from windlass.runtimes.docker.builders import build_images
from windlass.runtimes.docker.engine import Engine, telling
from windlass.spec import load_project_file
from windlass.spec.project import Project

__all__ = ["Images"]


class Images:
    """The images of one run, each looked for once."""

    def __init__(self, engine: Engine, project: Path) -> None:
        self._engine, self._project = engine, project
        self._found: dict[str, str] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._looking = threading.Lock()

    def of(self, unit: Unit) -> str:
        """The image of a unit, which the engine then has. Raises WindlassError."""
        key = repr((unit.build, unit.command[:1], unit.container))
        with self._looking:
            lock = self._locks.setdefault(unit.container.image or key, threading.Lock())
        with lock:
            if key not in self._found:
                image = unit.container.image
                self._found[key] = self._built(unit) if image is None else self._pulled(image, unit)
            return self._found[key]

    # --- pulled ---

    def _pulled(self, image: str, unit: Unit) -> str:
        pull, platform = unit.container.pull, unit.container.platform
        if pull == "always" or (pull == "missing" and not self._has(image, platform)):
            logs.info("image_pull", image=image, platform=platform)
            self._pull(image, platform)
        found = self._described(image)
        if found is None:
            hint = "pull it, or leave out `pull: never`"
            raise FatalError(f"the engine has no image {image}", hint=hint, code=Code.NO_IMAGE)
        # where a run has it for two platforms, its name is that of the one that was pulled last
        return image if platform is None else str(found["Id"])

    def _has(self, image: str, platform: str | None = None) -> bool:
        """Whether the engine has it, for the platform if one is said: the name may be that of another one's."""
        found = self._described(image)
        if found is None or platform is None:
            return found is not None
        return platform.split("/")[:2] == [found.get("Os"), found.get("Architecture")]

    def _described(self, image: str) -> dict[str, Any] | None:
        """What the engine says of an image; None where it has none."""
        from docker.errors import ImageNotFound

        with telling(f"look for the image {image}"):
            try:
                found: dict[str, Any] = self._engine.client.inspect_image(image)
            except ImageNotFound:
                return None
        return found

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
        image = image_of(unit, self._project, self._spec)
        assert image is not None  # else it would have one, or none would be asked for
        build = Build(
            image.name, repository_of(image, self._spec.project, self._spec.images), self._reader.of(image)
        )
        if self._has(build.reference):
            return build.reference
        pushed = self._lock.pushed_as(build.repository, build.inputs.digest)
        if pushed is not None and self._is_pulled(pushed, unit):
            return pushed
        logs.info("image_build", image=build.reference, folder=image.folder)
        build_images(self._engine, self._project, [build])
        return build.reference

    def _is_pulled(self, pushed: str, unit: Unit) -> bool:
        """Whether the engine has an image as it was pushed; what cannot be pulled can be built."""
        try:
            self._pulled(pushed, unit)
        except WindlassError as exc:
            logs.warning("image_not_pulled", image=pushed, error=str(exc))
            return False
        return True

    @cached_property
    def _lock(self) -> Lock:
        return Lock.of(self._project)

    @cached_property
    def _spec(self) -> Project:
        return load_project_file(self._project)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._project, self._spec.images, self._lock.bases)
