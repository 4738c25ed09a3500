"""The images of units, named in the plans of an export: by the digest that windlass.lock has, else by a tag.

A project without a registry has its images in an engine alone; there `windlass build` gives each the tag of its inputs.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from windlass.errors import Code, FatalError
from windlass.images import record
from windlass.images.image import Wanted, image_of, images_of, repository_of
from windlass.images.inputs import Reader, changes, part_changes
from windlass.images.lock import Lock
from windlass.plan.model import Plan, Task
from windlass.spec import ProjectFiles

__all__ = ["UNTAGGED", "with_images"]

UNTAGGED = "latest"


def with_images(plans: Mapping[str, Plan], files: ProjectFiles, tag: str | None) -> dict[str, Plan]:
    """The plans, in which every unit that is built has the name of its image. Raises FatalError for one that has
    changed since it was pushed, or built: the scheduler would start what is not in the files any more.
    """
    naming = _Naming(files, tag)
    names = {wanted.image: naming.of(wanted) for wanted in images_of(plans, files)}

    def named(task: Task) -> Task:
        image = image_of(task.unit, files.root, files.spec) if task.unit is not None else None
        if task.unit is None or image is None:
            return task
        return replace(
            task, unit=replace(task.unit, container=replace(task.unit.container, image=names[image]))
        )

    return {name: replace(plan, tasks=tuple(map(named, plan.tasks))) for name, plan in plans.items()}


class _Naming:
    """Names the images of a project."""

    def __init__(self, files: ProjectFiles, tag: str | None) -> None:
        self._spec, self._tag = files.spec, tag
        self._lock, self._built = Lock.of(files.root), record.read(files.root)
        self._reader = Reader(files.root, files.spec.images, self._lock.bases)

    def of(self, wanted: Wanted) -> str:
        is_known = self._tag is None and wanted.image.is_known
        if is_known and wanted.name in self._lock.images:
            return _pushed(wanted, self._lock, self._reader)
        repository = repository_of(wanted.image, self._spec.project, self._spec.images)
        if is_known and wanted.name in self._built and not self._has_registry:
            return f"{repository}:{_tag_built(wanted, self._built[wanted.name], self._reader)}"
        return f"{repository}:{self._tag or UNTAGGED}"

    @property
    def _has_registry(self) -> bool:
        return self._spec.images is not None and self._spec.images.registry is not None


def _tag_built(wanted: Wanted, built: Mapping[str, str], reader: Reader) -> str:
    inputs = reader.of(wanted.image)
    why = next(changes(built, {**inputs.files, **inputs.settings}, inputs.settings), None)
    if why is None:
        return inputs.tag
    raise FatalError(
        f"the image {wanted.name} is not the one that was built: {why}",
        hint="build it with: windlass build",
        code=Code.IMAGE_NOT_PUSHED,
    )


def _pushed(wanted: Wanted, lock: Lock, reader: Reader) -> str:
    pushed = lock.images[wanted.name]
    platforms = pushed.parts.get("platforms")  # it may have been pushed for some of them only
    inputs = reader.of(wanted.image, platforms.split(", ") if platforms else ())
    if pushed.input == inputs.digest:
        return pushed.reference
    why = next(iter(part_changes(pushed.parts, inputs)), "it is built in another way")
    raise FatalError(
        f"the image {wanted.name} is not the one that was pushed: {why}",
        hint="push it with: windlass build --push",
        code=Code.IMAGE_NOT_PUSHED,
    )
