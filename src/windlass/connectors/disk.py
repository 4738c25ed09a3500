"""What goes wrong on a disk, in words that name the file."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from windlass.errors import FatalError, RetryableError, reason_of

__all__ = ["disk_errors"]


@contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Turn what the operating system refuses into errors that name the file."""
    try:
        yield
    except OSError as exc:
        message = f"cannot write {target}: {reason_of(exc)}"
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RetryableError(message, hint="free some space and try again") from exc
        raise FatalError(message) from exc
    except FatalError as exc:
        if os.strerror(errno.ENOSPC) in exc.message:
            raise RetryableError(exc.message, hint="free some space and try again") from exc
        raise
