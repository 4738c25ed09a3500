"""Recorded APIs: requests with their answers, and a server of this machine that gives them.

For the cases of `windlass test`, and for runs on a laptop (`dev: {replay: FILE}`).
"""

from windlass.recordings.interactions import (
    Interaction,
    Request,
    Response,
    check_bodies,
    read_named,
    read_recording,
)
from windlass.recordings.matchers import TAGS
from windlass.recordings.server import Asked, RecordedApi

__all__ = [
    "TAGS",
    "Asked",
    "Interaction",
    "RecordedApi",
    "Request",
    "Response",
    "check_bodies",
    "read_named",
    "read_recording",
]
