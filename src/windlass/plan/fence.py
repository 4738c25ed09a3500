"""How far the parameters of a run may lead a path: whoever may trigger a pipeline does not choose any file of the machine.

A path that names parameters stays in the workspace, or in the folder to which the pipeline itself leads: that of the path
with the default parameters, or the one that is written in front of the first template. Links are not looked at: what is in
the folder is its owner's business.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from windlass.errors import UsageError
from windlass.plan.model import Copy, Download, Param, Subject, Task
from windlass.templates import pattern
from windlass.workspace import scheme_of

__all__ = ["require_fenced"]


def require_fenced(task: Task, defaults: Mapping[str, Param], params: Mapping[str, Param]) -> None:
    """Raise UsageError for a path of the task that these parameters lead out of where the defaults let it be."""
    for text in _paths(task):
        if "{{" not in text or "params" not in text:
            continue
        usual, path = (posixpath.normpath(pattern(text, {"params": p})) for p in (defaults, params))
        ahead = posixpath.dirname(text.partition("{{")[0])
        folders = {posixpath.dirname(usual), posixpath.normpath(ahead) if ahead else ""}
        if path == usual or _is_inside(path) or any(_is_below(path, folder) for folder in folders if folder):
            continue
        raise UsageError(
            f"the parameters lead to {path!r}, which is neither in the workspace nor where {text!r} leads by default",
            hint="give another parameter; or write the folder into the path itself, such as /srv/in/{{ params.file }}",
        )


def _paths(task: Task) -> Iterator[str]:
    """The paths on this machine, or of the web, that a task reads or writes, as templates."""
    action = task.action
    if isinstance(action, Copy):
        for end in (action.source, action.destination):
            if end.connection is None and isinstance(path := end.options.get("path"), str):
                yield path
        to = action.quarantine
        if to is not None and to.path is not None and to.connection is None:
            yield to.path
    elif isinstance(action, Download):
        if action.into is None:
            yield action.to
    elif isinstance(action, Subject) and action.path is not None:
        yield action.path
    yield from task.paths.values()


def _is_inside(path: str) -> bool:
    """Whether the path, without `..` in its middle, is in the workspace."""
    return not posixpath.isabs(path) and scheme_of(path) is None and path.partition("/")[0] != ".."


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")
