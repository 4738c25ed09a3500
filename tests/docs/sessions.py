"""Terminal sessions of the manual: what a person sees who types the commands of a page, whole.

What differs from one run to the next (ids of runs, times, ports) is looked past when a session is compared with a
page, and `…` stands for any lines, or for any part of one. The folder of the page is shown as `/home/ada`.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conftest import plain_environment

__all__ = ["Command", "Session", "commands"]

_HOME = "/home/ada"
_WIDTH = 100
_ANY = "…"
_OVERWRITTEN = re.compile(r".*(\r|\x1b\[2K)")  # progress of a copy: a line that is written again and again
_RUN = re.compile(r"\b\w+-\d{8}T\d{6}-[0-9a-f]{6}\b")
_EXIT = re.compile(r"\s+# exit (\d+)$")
_VARYING = [
    (_RUN, "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?"), "TIME"),
    (re.compile(r"^\d\d:\d\d:\d\d ", re.MULTILINE), "CLOCK "),
    (re.compile(r"\[\d\d/\w{3}/\d{4} [\d:]{8}\]"), "[TIME]"),
    (re.compile(r"(\bport=|127\.0\.0\.1:)\d+"), r"\1PORT"),
    (re.compile(r"\b(python|node)-[0-9a-f]{16}\b"), r"\1-HASH"),
    (re.compile(r'("seconds": )[\d.]+'), r"\1SECONDS"),
    (re.compile(r"(?<= )\d+\.\d(?=  | s\b|$)", re.MULTILINE), "SECONDS"),
    (re.compile(r"(?<= )\d+ ms\b"), "SECONDS s"),
]


@dataclass(frozen=True)
class Command:
    """A command of a page, its exit code, and what it prints."""

    text: str
    code: int
    output: str

    def __str__(self) -> str:
        comment = f"  # exit {self.code}" if self.code else ""
        return f"$ {self.text}{comment}\n{self.output}\n" if self.output else f"$ {self.text}{comment}\n"


def commands(block: str) -> Iterator[Command]:
    """The commands of a console block: each behind `$ `, with an exit code if that is not 0, and its output."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        code = _EXIT.search(line)
        yield Command(_EXIT.sub("", line), int(code[1]) if code else 0, output.rstrip("\n"))


class Session:
    """The commands of a page, typed one after the other in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._real: dict[str, str] = {}  # ids of runs, as the page has them, and what they are here
        self._shown: dict[
            str, str
        ] = {}  # and the other way round; those of what has changed are as they are here

    def play(self, expected: Command) -> Command:
        """Type the command. Returns what the page should show: what it has, or what has come out."""
        text = _RUN.sub(lambda match: self._real.get(match[0], match[0]), expected.text)
        seen = Command(text, *_on_a_terminal(text, self._folder))
        is_same = expected.code == seen.code and _shows(_steady(expected.output), _steady(seen.output))
        written, real = (list(dict.fromkeys(_RUN.findall(each.output))) for each in (expected, seen))
        for one, other in zip(written, real, strict=False):
            self._real.setdefault(one, other)
            self._shown.setdefault(other, one if is_same else other)
        output = _RUN.sub(self._as_shown, expected.output if is_same else seen.output)
        return Command(_RUN.sub(self._as_shown, text), seen.code, output)

    def _as_shown(self, run: re.Match[str]) -> str:
        here = self._real.get(run[0], run[0])
        return self._shown.get(here, here)


def _on_a_terminal(command: str, folder: Path) -> tuple[int, str]:
    """Run a command of a shell on a terminal that knows neither colours nor a way back up: code and output."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, _WIDTH, 0, 0))
    process = subprocess.Popen(
        ["bash", "-c", command], cwd=folder, env=_environment(), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 1 << 16):
            shown += chunk
    except OSError:  # Linux's way to say that nobody has the other end
        pass
    os.close(ours)
    text = shown.decode().replace("\r\n", "\n").replace(str(folder), _HOME)
    lines = [_OVERWRITTEN.sub("", line).rstrip() for line in text.split("\n")]
    return process.wait(), "\n".join(lines).rstrip("\n")


def _environment() -> dict[str, str]:
    known = plain_environment()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    terminal = {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": str(_WIDTH)}
    return {**known, "PATH": path, "TMPDIR": _temporary().name, **terminal}


@cache
def _temporary() -> TemporaryDirectory[str]:
    """Where nobody else has left anything, which a copy would remove and say so."""
    return TemporaryDirectory(prefix="windlass-docs-")


def _shows(page: list[str], lines: list[str]) -> bool:
    """Whether the lines are those of the page, where `…` is any lines, or any part of one."""
    pattern = "".join(r"(.*\n)*?" if line == _ANY else f"{_pattern(line)}\n" for line in page)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def _pattern(line: str) -> str:
    return ".*".join(map(re.escape, line.split(_ANY)))


def _steady(output: str) -> list[str]:
    """The lines of an output without what differs from one run to the next."""
    for pattern, word in _VARYING:
        output = pattern.sub(word, output)
    lines = [" ".join(line.split()) for line in output.split("\n")]
    logged = iter(sorted(line for line in lines if line.startswith("CLOCK ")))  # tasks log side by side
    return [next(logged) if line.startswith("CLOCK ") else line for line in lines]
