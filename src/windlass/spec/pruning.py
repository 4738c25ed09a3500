"""What is left of a file when all that does not validate is taken out of it, and what was wrong with that.

So that one mistake does not hide the others: what a file still says can be looked at further, and the names of
what was taken out are still known. A key that is misspelt is taken for the one that may have been meant. A problem
that only comes from taking something out, or from such a guess, is never told.
"""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from windlass.errors import Problem
from windlass.spec.model import Model
from windlass.spec.validation import as_text_where_wanted, near_key, path_of, problem_of
from windlass.spec.yaml import Document, KeyPath

__all__ = ["Pruned", "pruned"]

M = TypeVar("M", bound=Model)

_NAMED_KEY = re.compile(r"`(\w+)")  # a refusal has the keys that it is about in backticks
_ROUNDS = 100


@dataclass(frozen=True)
class Pruned(Generic[M]):
    """A file as far as it makes sense."""

    model: M
    document: Document
    """Marks, and values, of what is left."""

    problems: tuple[Problem, ...] = ()
    gone: frozenset[KeyPath] = frozenset()
    """What was taken out, or has a stand-in."""

    whole: object = None
    """The value of the file as it was read."""


def pruned(
    model: type[M], document: Document, stand_ins: dict[KeyPath, object], types: Mapping[str, str]
) -> Pruned[M]:
    """Build the model of what makes sense. `stand_ins` has values for what cannot be missing; `*` is any key.
    `types` are those of the project's connections, which say what the ends of a copy take.
    """
    try:
        return Pruned(model.model_validate(document.value, context=types), document)
    except ValidationError as exc:
        if texts := as_text_where_wanted(document, exc):
            return pruned(model, texts, stand_ins, types)
        return _Pruning(model, document, stand_ins, types).until_valid(exc)


@dataclass
class _Pruning(Generic[M]):
    model: type[M]
    original: Document
    stand_ins: dict[KeyPath, object]
    types: Mapping[str, str]
    problems: dict[Problem, None] = field(default_factory=dict)
    gone: set[KeyPath] = field(default_factory=set)
    guessed: set[KeyPath] = field(default_factory=set)
    """The keys that were taken for what may have been meant."""

    thinned: set[KeyPath] = field(default_factory=set)
    """The mappings and lists from which something was taken out."""

    keys_gone: defaultdict[KeyPath, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Of each mapping the keys that were taken out, and those that may have been meant by them."""

    def until_valid(self, exc: ValidationError) -> Pruned[M]:
        value = self.original.value if isinstance(self.original.value, dict) else {}
        document = replace(self.original, value=copy.deepcopy(value))
        for _ in range(_ROUNDS):
            document = self._without_faults(document, exc)
            try:
                found = self.model.model_validate(document.value, context=self.types)
            except ValidationError as again:
                exc = again
            else:
                problems, gone = tuple(self.problems), frozenset(self.gone)
                return Pruned(found, document, problems, gone, self.original.value)
        raise exc

    def _without_faults(self, document: Document, exc: ValidationError) -> Document:
        """Tell what is wrong, and take it out."""
        errors: dict[KeyPath, ErrorDetails] = {}
        for error in exc.errors():  # of those of a union's members the first says what is expected
            whole = error["type"] not in ("missing", "extra_forbidden")
            errors.setdefault(_existing(document.value, path_of(error)) if whole else path_of(error), error)
        unknown = {path: error for path, error in errors.items() if error["type"] == "extra_forbidden"}
        meant = {path: near_key(self.model, error) for path, error in unknown.items()}
        for path, near in meant.items():
            self.keys_gone[path[:-1]] |= {str(path[-1]), near or str(path[-1])}
        will_be_there = {(*path[:-1], near) for path, near in meant.items()}
        cuts: dict[KeyPath, object] = {}
        for error in errors.values():
            path = _existing(document.value, path_of(error))
            if not self._follows(error, path):
                self.problems[problem_of(self.model, document, error)] = None
            if error["type"] == "missing" and path_of(error) in will_be_there:
                continue
            for cut in self._cuts(document.value, error, path):
                cuts[cut] = None if "[key]" in error["loc"] else self._stand_in(cut)
        for path, near in meant.items():
            if renamed := self._guess(document, path, near):
                document = renamed
                del cuts[path]
        return self._cut(document, cuts)

    def _follows(self, error: ErrorDetails, path: KeyPath) -> bool:
        """Whether the error only comes from what was taken out before, or was meant by it."""
        if path in self.guessed and error["type"] not in ("missing", "refused"):
            return True
        if error["type"] == "missing":
            *mapping, key = path_of(error)
            return str(key) in self.keys_gone[tuple(mapping)]
        if error["type"] == "refused":
            return not self.keys_gone[path].isdisjoint(_NAMED_KEY.findall(error["msg"]))
        return error["type"] == "too_short" and path in self.thinned

    def _cuts(self, value: object, error: ErrorDetails, path: KeyPath) -> list[KeyPath]:
        """What to take out, or to put a stand-in for, so that this error does not come again."""
        if error["type"] == "missing" and self._stand_in(path_of(error)) is not None:
            return [path_of(error)]
        if error["type"] == "refused":
            named = list(dict.fromkeys(_NAMED_KEY.findall(error["msg"])))
            present = [(*path, key) for key in named if key in _at(value, path)]
            wanted = [(*path, key) for key in named if self._stand_in((*path, key)) is not None]
            meant = [cut for cut in wanted if cut[-1] in self.keys_gone[path]]
            return present or meant[:1] or wanted[:1] or [path]
        return [path]

    def _cut(self, document: Document, cuts: dict[KeyPath, object]) -> Document:
        """The document without these parts, or with what stands in for them."""
        removed: dict[KeyPath, set[int]] = defaultdict(set)
        value: Any = document.value
        for path, stand_in in sorted(cuts.items(), key=lambda cut: len(cut[0]), reverse=True):
            self.gone.add(path)
            if not path:
                value = {}
                continue
            parent, key = path[:-1], path[-1]
            self.thinned.add(parent)
            if isinstance(key, int):
                removed[parent].add(key)
                continue
            self.keys_gone[parent].add(str(key))
            if stand_in is not None:
                _at(value, parent)[key] = copy.deepcopy(stand_in)
            else:
                del _at(value, parent)[key]
        return self._without_items(replace(document, value=value), removed)

    def _guess(self, document: Document, path: KeyPath, near: str | None) -> Document | None:
        """The document with the key that may have been meant, unless there is none, or it is there as well."""
        mapping = _at(document.value, path[:-1])
        if near is None or near in mapping:
            return None
        mapping[near] = mapping.pop(path[-1])
        meant = (*path[:-1], near)
        self.guessed.add(meant)
        below = {mark: at for mark, at in document.marks.items() if mark[: len(path)] == path}
        moved = {(*meant, *mark[len(path) :]): at for mark, at in below.items()}
        return replace(document, marks=document.marks | moved)

    def _without_items(self, document: Document, removed: dict[KeyPath, set[int]]) -> Document:
        """Without these items of lists: those that come after them move up, and so does what is known of them."""
        for path, indexes in sorted(removed.items(), key=lambda item: len(item[0]), reverse=True):
            if _existing(document.value, path) != path:
                continue
            items = _at(document.value, path)
            items[:] = [item for i, item in enumerate(items) if i not in indexes]
        if not removed:
            return document
        known = {_moved(path, removed): keys for path, keys in self.keys_gone.items()}
        self.keys_gone = defaultdict(set, {path: keys for path, keys in known.items() if path is not None})
        marks = {_moved(path, removed): mark for path, mark in document.marks.items()}
        return replace(document, marks={path: mark for path, mark in marks.items() if path is not None})

    def _stand_in(self, path: KeyPath) -> object:
        for pattern, value in self.stand_ins.items():
            if len(pattern) == len(path) and all(p in ("*", q) for p, q in zip(pattern, path, strict=True)):
                return value
        return None


def _existing(value: object, path: KeyPath) -> KeyPath:
    """As much of the path as there is in the value."""
    for depth, part in enumerate(path):
        known: Any = (
            value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        )
        if part not in known:
            return path[:depth]
        value = value[part]  # type: ignore[index]
    return path


def _at(value: Any, path: KeyPath) -> Any:
    for part in path:
        value = value[part]
    return value


def _moved(path: KeyPath, removed: dict[KeyPath, set[int]]) -> KeyPath | None:
    """Where a path is once these items of lists are removed; None for one that is inside of them."""
    moved: KeyPath = ()
    for depth, part in enumerate(path):
        if isinstance(part, int) and (indexes := removed.get(path[:depth])):
            if part in indexes:
                return None
            part -= sum(index < part for index in indexes)
        moved = (*moved, part)
    return moved
