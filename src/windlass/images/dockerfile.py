"""A Dockerfile: the images that it is based on, and how it is completed with libraries and digests.

As much of the language is read as these take: instructions over several lines, ARG before FROM, heredocs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

__all__ = ["LIBRARIES", "bases", "stage_of", "with_bases", "with_libraries", "with_library_stages"]

LIBRARIES = "/libraries"
"""Where libraries are in an image."""

_HEREDOC = re.compile(r"<<-?([\"']?)([A-Za-z_]\w*)\1")
_FROM = re.compile(r"^\s*FROM\s+((?:--\S+\s+)*)(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_COPY_FROM = re.compile(r"^\s*(?:COPY|ADD)\s.*?--from=(\S+)", re.IGNORECASE | re.DOTALL)
_MOUNT_FROM = re.compile(r"--mount=\S*?\bfrom=([^\s,]+)")
_ARG = re.compile(r"^\s*ARG\s+(\w+)(?:=(\"[^\"]*\"|'[^']*'|\S*))?", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})")


class _Instruction(NamedTuple):
    line: int
    """Its first, counted from 0."""

    text: str


class _Base(NamedTuple):
    line: int
    written: str
    name: str
    """With its variables filled in."""


def stage_of(library: str) -> str:
    """What a Dockerfile calls the files of a library: `COPY --from=library-etl . /somewhere`."""
    return f"library-{library}"


def bases(text: str, args: Mapping[str, str]) -> list[str]:
    """The images that are there before it is built, in the order in which they are named. What stays unknown is not
    among them.
    """
    return list(dict.fromkeys(base.name for base in _bases(text, args)))


def with_bases(text: str, args: Mapping[str, str], pinned: Mapping[str, str]) -> str:
    """The Dockerfile with each base by its digest, for a builder that cannot be told of them otherwise."""
    lines = text.split("\n")
    for base in _bases(text, args):
        if base.name in pinned:
            pin = f"{base.name}@{pinned[base.name]}"
            lines[base.line] = lines[base.line].replace(base.written, pin, 1)
    return "\n".join(lines)


def _bases(text: str, args: Mapping[str, str]) -> Iterator[_Base]:
    """Each mention of an image that is not a stage of the Dockerfile itself."""
    known: dict[str, str] = {}
    stages: set[str] = set()
    for line, instruction in _instructions(text):
        arg, stage = _ARG.match(instruction), _FROM.match(instruction)
        if arg and not stages:
            known[arg[1]] = args.get(arg[1], _filled((arg[2] or "").strip("\"'"), known) or "")
        written = [stage[2]] if stage else _COPY_FROM.findall(instruction) + _MOUNT_FROM.findall(instruction)
        for image in written:
            name = _filled(image, known)
            if name and _is_image(name, stages):
                yield _Base(line, image, name)
        if stage:
            stages.add((stage[3] or "").lower())


def with_libraries(text: str, libraries: Iterable[str], target: str | None) -> tuple[str, str | None]:
    """The Dockerfile whose image has the libraries, and which of its stages that is. A library that it copies by
    itself is left to it.
    """
    missing = [name for name in libraries if not re.search(rf"--from={stage_of(name)}\b", text)]
    if not missing:
        return text, target
    added = [f"COPY --from={stage_of(name)} . {LIBRARIES}/{name}" for name in missing]
    added.append(
        f"ENV PYTHONPATH={LIBRARIES}${{PYTHONPATH:+:$PYTHONPATH}} NODE_PATH={LIBRARIES}${{NODE_PATH:+:$NODE_PATH}}"
    )
    lines = text.rstrip("\n").split("\n")
    if target is None:
        return "\n".join([*lines, "", *added, ""]), None
    stage = f"{target}-with-libraries"
    end = _end_of(
        target, text, len(lines)
    )  # there: some builders build all that stands before it, and it may fail
    return "\n".join([*lines[:end], "", f"FROM {target} AS {stage}", *added, "", *lines[end:]]), stage


def _end_of(target: str, text: str, end: int) -> int:
    """The line at which the stage after that one begins; `end` where it is the last, or there is none."""
    stages = [
        (line, (found[3] or "").lower())
        for line, instruction in _instructions(text)
        if (found := _FROM.match(instruction))
    ]
    following = (line for (_, name), (line, _) in pairwise(stages) if name == target.lower())
    return next(following, end)


def with_library_stages(text: str, images: Mapping[str, str]) -> str:
    """The Dockerfile with a stage for each library, out of an image that has its files: for a builder that takes no
    other folders.
    """
    first = next((line for line, instruction in _instructions(text) if _FROM.match(instruction)), 0)
    lines = text.split("\n")
    stages = [f"FROM {image} AS {stage_of(name)}" for name, image in images.items()]
    return "\n".join([*lines[:first], *stages, *lines[first:]])


def _instructions(text: str) -> Iterator[_Instruction]:
    lines = iter(enumerate(text.splitlines()))
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        whole = line
        while whole.rstrip().endswith("\\"):
            following = next((more for _, more in lines if not more.lstrip().startswith("#")), "")
            whole = f"{whole.rstrip()[:-1]} {following}"
        yield _Instruction(number, whole)
        for _, word in _HEREDOC.findall(whole):
            for _, inner in lines:
                if inner.strip() == word:
                    break


def _filled(text: str, known: Mapping[str, str]) -> str | None:
    """The text with its variables; None where one of them is not known."""
    unknown = False

    def value(found: re.Match[str]) -> str:
        nonlocal unknown
        said = known.get(found[1] or found[2], "")
        if found[3] == "-":
            said = said or found[4]
        elif found[3] == "+":
            return found[4] if said else ""
        unknown = unknown or not said
        return said

    filled = _VARIABLE.sub(value, text)
    return None if unknown else filled


def _is_image(name: str, stages: set[str]) -> bool:
    return not (name.lower() in stages or name.isdigit() or name == "scratch" or name.startswith("library-"))
