"""The objects that a path stands for: one, those below a prefix, or those of a pattern.

It is as with files: names that begin with a dot or an underscore are no data below a prefix, and `*` stays between two
slashes. What a load has left without a commit is not there: names that only windlass gives count as the manifest says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from glob import has_magic
from itertools import islice

from windlass.connectors.stores.where import Where
from windlass.errors import Code, FatalError, did_you_mean
from windlass.storage.objects import HasFolders, Object, Store
from windlass.storage.objects.ledger import LedgerObject
from windlass.storage.objects.past import files_of
from windlass.storage.objects.prefix import MANIFEST

__all__ = ["chosen", "matches", "matching"]

_OURS = re.compile(r"part-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d{5}(-\d{4,})?\..*")
_NAMED_IN_HINT = 200


def chosen(where: Where) -> Iterator[Object]:
    """The objects, in the order of their keys. Raises FatalError for none."""
    store, key = where.store, where.key
    if key and not key.endswith("/"):
        if (found := store.look(key)) is not None:
            yield found
            return
        if has_magic(key):
            yield from _required(_matching(store, key), f"no object matches {where.name!r}")
            return
        below = list(islice(store.list(f"{key}/"), 1))
        if not below:
            raise _missing(where)
        key = f"{key}/"
    yield from _required(_below(store, key), f"{where.name!r} has no objects")


def matching(where: Where) -> Iterator[Object]:
    """The objects of a key or a pattern, which may be none."""
    if not has_magic(where.key):
        found = where.store.look(where.key)
        return iter(() if found is None else (found,))
    return _matching(where.store, where.key)


def matches(key: str, pattern: str) -> bool:
    """Whether a pattern means that key."""
    return re.fullmatch(_expression(pattern), key, re.DOTALL) is not None


def _required(found: Iterator[Object], otherwise: str) -> Iterator[Object]:
    first = next(found, None)
    if first is None:
        raise FatalError(otherwise, code=Code.NO_FILE)
    yield first
    yield from found


def _matching(store: Store, pattern: str) -> Iterator[Object]:
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    wanted = re.compile(_expression(pattern), re.DOTALL)
    folder = fixed[: fixed.rfind("/") + 1]  # where its manifest is, too
    listed = _listed(store, folder if _may_have_manifest(pattern) else fixed, partial(_may_lead_to, pattern))
    return (found for found in _committed(store, listed) if wanted.fullmatch(found.key))


def _may_have_manifest(pattern: str) -> bool:
    """Whether what it matches may be objects that are in a manifest."""
    return pattern.rpartition("/")[2][:1] in ("*", "?", "[", "p")


def _below(store: Store, prefix: str) -> Iterator[Object]:
    def is_data(key: str) -> bool:
        return all(part[:1] not in (".", "_") for part in key.removeprefix(prefix).split("/"))

    for found in _committed(store, _listed(store, prefix, is_data)):
        if not found.key.endswith("/") and is_data(found.key):
            yield found


def _listed(store: Store, prefix: str, enters: Callable[[str], bool]) -> Iterator[Object]:
    """What begins so; where there are real folders, of those that may hold what is wanted."""
    return store.walk(prefix, enters) if isinstance(store, HasFolders) else store.list(prefix)


def _may_lead_to(pattern: str, folder: str) -> bool:
    """Whether something below a folder may be what a pattern means."""
    parts = pattern.split("/")[:-1]
    names = folder.rstrip("/").split("/")
    for name, part in zip(names, parts, strict=False):
        if part == "**":
            return True
        if re.fullmatch(_of_part(part), name, re.DOTALL) is None:
            return False
    return len(names) <= len(parts) or pattern.endswith("**")


def _committed(store: Store, listed: Iterator[Object]) -> Iterator[Object]:
    """Those that are not leftovers."""
    known: dict[str, frozenset[str] | None] = {}
    for found in listed:
        if not _OURS.fullmatch(found.key.rpartition("/")[2]) or _is_committed(store, found.key, known):
            yield found


def _is_committed(store: Store, key: str, known: dict[str, frozenset[str] | None]) -> bool:
    """Whether the manifest above an object has it; one without a manifest was brought there by somebody."""
    folder = key
    while folder:
        folder = folder.rstrip("/").rpartition("/")[0]
        folder += "/" if folder else ""
        if folder not in known:
            manifest = f"{folder}{MANIFEST}"
            is_there = store.look(manifest) is not None
            ledger = LedgerObject(store, manifest).read()
            known[folder] = frozenset(files_of(store, folder, ledger)) if is_there else None
        files = known[folder]
        if files is not None:
            return key.removeprefix(folder) in files
    return True


def _expression(pattern: str) -> str:
    """A pattern of paths as a regular expression, with the meaning that it has for files."""
    parts = pattern.split("/")
    made = []
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "**":
            made.append(r"(?:[^/.][^/]*/)*" + (r"[^/.][^/]*" if is_last else ""))
        else:
            made.append(_of_part(part) + ("" if is_last else "/"))
    return "".join(made)


def _of_part(part: str) -> str:
    """The expression of what is between two slashes."""
    made = "" if part.startswith(".") or not has_magic(part[:1]) else r"(?!\.)"
    rest = part
    while rest:
        character, rest = rest[0], rest[1:]
        if character == "[" and (end := rest.find("]", 1)) > 0:
            inner, rest = rest[:end], rest[end + 1 :]
            negated = inner.startswith("!")
            made += f"(?!/)[{'^' if negated else ''}{_escaped(inner[1:] if negated else inner)}]"
        else:
            made += {"*": "[^/]*", "?": "[^/]"}.get(character, re.escape(character))
    return made


def _escaped(characters: str) -> str:
    return re.sub(r"([\\^\[\]&~|])", r"\\\1", characters)


def _missing(where: Where) -> FatalError:
    folder, _, name = where.key.rpartition("/")
    listed = _listed(where.store, f"{folder}/" if folder else "", lambda folder: False)
    beside = islice(listed, _NAMED_IN_HINT)
    hint = did_you_mean(name, [found.key.rpartition("/")[2] for found in beside])
    return FatalError(f"there is no object {where.name!r}", hint=hint, code=Code.NO_FILE)
