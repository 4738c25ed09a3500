"""Whether an answer tells that it is not all, by the names that many APIs have for that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ["tells_of_more"]

_TELLING = {
    *("next", "nextpage", "nexturl", "nexturi", "nexthref", "nextlink", "nextpageurl", "nextpagelink", "odatanextlink"),
    *("nextcursor", "nexttoken", "nextpagetoken", "nextcontinuationtoken", "nextoffset"),
    *("hasmore", "hasmoreitems", "hasnext", "hasnextpage"),
}  # fmt: skip
"""Keys in small letters, without what stands between words: `next_page`, `nextPage`, `@odata.nextLink`."""

_AROUND = {
    *("links", "meta", "metadata", "page", "pages", "pageinfo", "paging", "pagination", "cursor", "cursors"),
    *("info", "resultinfo", "responsemetadata", "pageable"),
}  # fmt: skip
"""Keys of objects that say something of the answer, and not of a record."""

_DEEPEST = 4


def tells_of_more(content: object) -> str | None:
    """The path of what says so, such as `meta.next_cursor`: neither null, false nor empty. None where nothing does."""
    if not isinstance(content, Mapping):
        return None
    return next(_telling(content, "", _DEEPEST, is_around=True), None)


def _telling(content: Mapping[str, object], path: str, depth: int, *, is_around: bool) -> Iterator[str]:
    """Lists are not looked into: they have the records."""
    for key, value in content.items():
        name = "".join(filter(str.isalnum, key)).lower()
        if is_around and value and name in _TELLING:
            yield f"{path}{key}"
        elif isinstance(value, Mapping) and depth:
            yield from _telling(value, f"{path}{key}.", depth - 1, is_around=name in _AROUND)
