"""Names as Kubernetes takes them: RFC 1123, small letters, digits and `-`."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

__all__ = ["dns_name", "object_name"]

_CRON_JOB = 52  # of a CronJob, whose Jobs have 11 characters more


def object_name(project: str, pipeline: str, longest: int = _CRON_JOB) -> str:
    """What the objects of a pipeline are called, in a namespace that several projects may share."""
    own, of_all = _plain(pipeline), _plain(project)
    return dns_name(own if own == of_all else f"{of_all}-{own}", longest)


@lru_cache(1 << 10)  # the same few, for each task of each pipeline
def dns_name(text: str, longest: int = 63) -> str:
    """The text as a name; one that is too long ends with what tells it from others."""
    name = _plain(text)
    if len(name) <= longest:
        return name
    return f"{name[: longest - 9].rstrip('-')}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"
