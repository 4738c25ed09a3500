"""The images of units, named in the plans of an export: by the digest that windlass.lock has, else by a tag."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from windlass.errors import Code, FatalError
from windlass.images.image import Image, Wanted, image_of, images_of, repository_of
from windlass.images.inputs import Reader, part_changes
from windlass.images.lock import Lock
from windlass.plan.model import Plan, Task
from windlass.spec import ProjectFiles

__all__ = ["UNTAGGED", "with_images"]

UNTAGGED = "latest"


def with_images(plans: Mapping[str, Plan], files: ProjectFiles, tag: str | None) -> dict[str, Plan]:
    """The plans, in which every unit that is built has the name of its image. Raises FatalError for one that has
    changed since it was pushed: the scheduler would start what is not in the files any more.
    """
    lock, spec = Lock.of(files.root), files.spec
    reader = Reader(files.root, spec.images, lock.bases)
    names: dict[Image, str] = {}
    for wanted in images_of(plans, files):
        repository = repository_of(wanted.image, spec.project, spec.images)
        known = tag is None and wanted.name in lock.images and wanted.image.is_known
        names[wanted.image] = _pushed(wanted, lock, reader) if known else f"{repository}:{tag or UNTAGGED}"

    def named(task: Task) -> Task:
        image = image_of(task.unit, files.root, spec) if task.unit is not None else None
        if task.unit is None or image is None:
            return task
        return replace(
            task, unit=replace(task.unit, container=replace(task.unit.container, image=names[image]))
        )

    return {name: replace(plan, tasks=tuple(map(named, plan.tasks))) for name, plan in plans.items()}


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
