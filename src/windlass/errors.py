"""Every exception that windlass raises on purpose, and the exit code it becomes.

    WindlassError
    ├── UsageError        2   the command line does not make sense
    ├── SpecError         2   a file does not make sense; carries every Problem found
    ├── FatalError        1   trying again cannot help
    │   ├── MissingExtraError   a driver is not installed
    │   └── FencedError         a later writer took the destination over
    ├── RetryableError    3   the same command may work later (a server is away, a disk is full)
    └── DefectError       1   windlass itself is at fault

That somebody asked windlass to stop is not an error: see stopping.py.
The first line of an error says where and what; `hint` says what to do next, and `code` where to read more.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import IntEnum

from windlass.codes import Code

__all__ = [
    "FULL",
    "Code",
    "DefectError",
    "ExitCode",
    "FatalError",
    "FencedError",
    "MissingExtraError",
    "Problem",
    "RetryableError",
    "SpecError",
    "UsageError",
    "WindlassError",
    "as_error",
    "did_you_mean",
    "extra",
    "naming",
    "near_word",
    "nearest",
    "reason_of",
    "refused_by_system",
]


_TAB = "\t"
FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the operating system says of a disk that is full."""

_PASSING = (  # what others on the machine do, a share that is away, or a disk that fails now and then
    errno.EAGAIN,
    errno.EBUSY,
    errno.EINTR,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ESTALE,
    errno.ETIMEDOUT,
)
_SHOWN_BEFORE, _SHOWN_AFTER = 100, 80  # characters of a source line, on either side of the caret


class ExitCode(IntEnum):
    """What the process says to whoever started it; documented in docs/reference/exit-codes.md."""

    SUCCESS = 0
    FAILED = 1
    USAGE = 2
    RETRYABLE = 3
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class WindlassError(Exception):
    """Base of every expected failure: printed as a message, never as a traceback."""

    exit_code: ExitCode = ExitCode.FAILED
    code: Code = Code.CANNOT_BE_DONE

    def __init__(self, message: str, *, hint: str | None = None, code: Code | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or type(self).code

    def __str__(self) -> str:
        """What it says, what it comes from, and what to do, a line each."""
        causes = "".join(f"\n  caused by: {cause}" for cause in _causes(self))
        return f"{self.message}{causes}" + (f"\n  hint: {self.hint}" if self.hint else "")


class UsageError(WindlassError):
    """The command line does not make sense."""

    exit_code = ExitCode.USAGE
    code = Code.COMMAND_LINE


class FatalError(WindlassError):
    """Trying again cannot help: somebody has to change something first."""


class RetryableError(WindlassError):
    """The same command may well work later."""

    exit_code = ExitCode.RETRYABLE
    code = Code.MAY_WORK_LATER

    wait: float | None = None
    """How many seconds a server says to wait first (`Retry-After`, RFC 9110, section 10.2.3)."""


class FencedError(FatalError):
    """A later writer took the destination over, so this one may no longer commit."""

    code = Code.FENCED


class MissingExtraError(FatalError):
    """An optional dependency is not installed."""

    code = Code.MISSING_PACKAGES

    def __init__(self, what: str, extra_name: str) -> None:
        super().__init__(
            f"{what} needs packages that are not installed",
            hint=f"install them with: pip install 'windlass[{extra_name}]'",
        )


class DefectError(WindlassError):
    """Windlass itself is at fault."""

    code = Code.DEFECT

    def __init__(self, exc: BaseException) -> None:
        hint = f"this is a defect of {_whose(exc)}; its traceback is in the log of the task, and --debug shows it"
        super().__init__(f"{type(exc).__name__}: {exc}", hint=hint)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file, and where.

    `line` and `column` count from 1; 0 means that the problem has no single place in the file. It takes `width`
    characters of the line.
    """

    file: str
    line: int
    column: int
    message: str
    source_line: str = ""
    hint: str | None = None
    code: Code = field(kw_only=True)
    width: int = field(default=1, kw_only=True)
    entries: tuple[str, ...] = field(default=(), kw_only=True)
    """The entries of `for_each` that have it, where not every use of that place does."""

    def __str__(self) -> str:
        what = f"error[{self.code}]: {self.message}{self._entries()}"
        if not self.line:
            return f"{self.file}: {what}" + (f"\n  hint: {self.hint}" if self.hint else "")
        gutter = f"  {self.line} | "
        before, rest = _shortened(self.source_line, self.column - 1)
        carets = "^" * max(1, min(self.width, len(rest.rstrip())))
        under = f"{' ' * (len(gutter) - 2)}| {''.join(c if c == _TAB else ' ' for c in before)}{carets}"
        where = f"{self.file}:{self.line}:{self.column}: {what}"
        return f"{where}\n{gutter}{before}{rest}\n{under}" + (f" {self.hint}" if self.hint else "")

    def _entries(self) -> str:
        if not self.entries:
            return ""
        more = f" and {len(self.entries) - 1:,} more" if len(self.entries) > 1 else ""
        return f" (for {self.entries[0]}{more})"


def told_once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems, one for all entries of a `for_each` that have the same at the same place."""
    entries: dict[Problem, dict[str, None]] = {}
    for problem in problems:
        entries.setdefault(replace(problem, entries=()), {}).update(dict.fromkeys(problem.entries))
    return tuple(replace(problem, entries=tuple(found)) for problem, found in entries.items())


def _shortened(line: str, column: int) -> tuple[str, str]:
    """What a terminal can show of a long line around a column: the part before it, and the rest."""
    line = "".join(c if c.isprintable() or c == _TAB else "\N{REPLACEMENT CHARACTER}" for c in line)
    before, rest = line[:column].ljust(column), line[column:]
    if len(before) > _SHOWN_BEFORE:
        before = f"…{before[1 - _SHOWN_BEFORE :]}"
    return before, rest if len(rest) <= _SHOWN_AFTER else f"{rest[: _SHOWN_AFTER - 1]}…"


class SpecError(WindlassError):
    """A file does not make sense. Carries every problem found, not just the first."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = told_once(problems)
        super().__init__("\n".join(map(str, self.problems)), code=self.problems[0].code)


def _whose(exc: BaseException) -> str:
    """Whose code went wrong: that of a package that extends windlass, if the traceback leads there."""
    from importlib.metadata import entry_points  # slow to import
    from traceback import walk_tb

    names = (frame.f_globals.get("__name__", "") for frame, _ in walk_tb(exc.__traceback__))
    modules = {name.partition(".")[0] for name in names}
    for group in ("windlass.connectors", "windlass.targets", "windlass.runtimes"):
        for entry in entry_points(group=group):
            if entry.module.partition(".")[0] in modules:
                return f"the package {entry.dist.name}" if entry.dist else f"the module {entry.module}"
    return "windlass"


def as_error(exc: BaseException) -> WindlassError:
    """Whatever was raised, as one of ours: what the operating system refused, else a defect."""
    if isinstance(exc, WindlassError):
        return exc
    if not isinstance(exc, OSError) or exc.errno is None:
        return DefectError(exc)
    message = (f"{exc.filename}: " if exc.filename is not None else "") + reason_of(exc)
    return refused_by_system(message, exc)


@contextmanager
def naming(file: object) -> Iterator[None]:
    """Say for which file there is no space: a write that finds none does not."""
    try:
        yield
    except OSError as exc:
        if exc.errno in FULL:
            exc.filename = str(file)
            raise
        if exc.errno is None and os.strerror(errno.ENOSPC) in str(exc):  # several, of a tree that is copied
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file)) from exc
        raise


def refused_by_system(message: str, exc: OSError) -> WindlassError:
    """What the operating system refused, in our words: by whether trying again may help."""
    if exc.errno in FULL:
        return RetryableError(message, hint="free some space and try again", code=Code.DISK_FULL)
    if exc.errno in _PASSING:
        return RetryableError(message)
    return FatalError(message, code=Code.REFUSED_BY_SYSTEM)


def _causes(exc: BaseException) -> Iterator[str]:
    """What errors of ours led to this one, as far as its message does not say so already."""
    told, seen = str(exc.args[0]), {exc}
    while (cause := exc.__cause__) is not None and cause not in seen:  # some are raised from themselves
        seen.add(cause)
        if isinstance(cause, WindlassError) and cause.message not in told:
            yield cause.message
            told += cause.message
        exc = cause


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Name the nearest known word, or list them all when there are few and none is near.

    >>> did_you_mean("tabel", ["table", "query"])
    "did you mean 'table'?"
    """
    names = sorted(set(known))
    if names and len(names) <= 12:
        return near_word(word, names) or f"known: {', '.join(names)}"
    return near_word(word, names)


def near_word(word: str, known: Iterable[str]) -> str | None:
    """Name the nearest known word, for a message that lists them all, or of more than anybody would read.

    >>> near_word("@dayly", ["@daily", "@hourly"])
    "did you mean '@daily'?"
    """
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near is not None else None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that may have been meant."""
    return next(iter(get_close_matches(word, sorted(set(known)), n=1, cutoff=0.6)), None)


def reason_of(exc: BaseException) -> str:
    """What an exception says went wrong, which is never nothing.

    >>> reason_of(FileNotFoundError(2, "No such file or directory", "a.csv")), reason_of(TimeoutError())
    ('No such file or directory', 'TimeoutError')
    """
    return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__


@contextmanager
def extra(what: str, name: str) -> Iterator[None]:
    """Turn a failed import of an optional dependency into the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as exc:
        raise MissingExtraError(what, name) from exc
