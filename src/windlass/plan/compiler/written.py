"""What the tasks of a whole project write, for pipelines that run when something was written."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from windlass.plan.compiler.draft import Draft
from windlass.plan.compiler.ordering import tasks_in_order
from windlass.plan.compiler.surroundings import Surroundings
from windlass.plan.facts import with_facts
from windlass.spec.files import ProjectFiles
from windlass.spec.pipeline import Assets

__all__ = ["Written", "written_in"]


class Written(Struct, frozen=True):
    """The assets of a project."""

    assets: frozenset[str]
    doubtful: frozenset[str]
    """All that stands in files that are wrong: it may be what their tasks write."""

    def may_have(self, name: str) -> bool:
        """Whether an asset is written, as far as one can say."""
        return name in self.assets or not self.doubtful.isdisjoint({name, name.partition(".")[2]})


def written_in(files: ProjectFiles, around: Surroundings) -> Written | None:
    """What the tasks of a project write; None when nobody asks, or it cannot be known."""
    asked = any(isinstance(file.spec.schedule, Assets) for file in files.pipelines.values())
    if not asked or files.unread:
        return None
    assets, doubtful = set[str](), set[str]()
    for file in files.pipelines.values():
        draft = Draft.of(file, around, file.spec.params)
        tasks = with_facts(tasks_in_order(draft), draft.filling.named, draft.filling.params)
        assets.update(outlet for task in tasks for outlet in task.outlets)
        if file.problems or draft.notes.problems:
            doubtful.update(_texts(file.whole or file.document.value))
    return Written(frozenset(assets), frozenset(doubtful))


def _texts(value: object) -> Iterator[str]:
    """All texts in the tasks of a file."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            if key != "schedule":  # which asks for assets, and writes none
                yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
