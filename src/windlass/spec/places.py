"""Where in a pipeline file something is named that a run did not find."""

from __future__ import annotations

import re

from windlass.spec.yaml import Document

__all__ = ["place_of"]


def place_of(document: Document, task: str, error: str) -> str | None:
    """The place, as `file:line:column`, of the first name in quotes of an error that stands in a task; else that of the
    task. None where the file has no such task.
    """
    mark = document.marks.get(("tasks", task))
    if mark is None:
        return None
    others = (m.key_line for path, m in document.marks.items() if path[:1] == ("tasks",) and len(path) == 2)
    end = min((line for line in others if line > mark.key_line), default=None)
    lines = document.text.split("\n")[mark.key_line - 1 : end and end - 1]
    for name in re.findall(r"""["']([^"'\n]+)["']""", error.partition("\n")[0]):
        whole = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
        for number, line in enumerate(lines):
            if found := whole.search(line, 0 if number else mark.column - 1):
                return f"{document.file}:{mark.key_line + number}:{found.start() + 1}"
    return f"{document.file}:{mark.key_line}:{mark.key_column}"
