"""Named places at which the fault tests kill, pause or break the process.

`WINDLASS_FAILPOINT=before-commit:kill` makes the process kill itself there, `before-commit:kill@2` only in
the second attempt at its task. `WINDLASS_FAILPOINTS_REACHED` names a file that gets the names of all that are reached.
Without the variables a failpoint costs a look at two module globals.
"""

from __future__ import annotations

import os
import signal
import time

__all__ = ["reach"]

_name, _, _WHAT = os.environ.get("WINDLASS_FAILPOINT", "").partition(":")
_ACTION, _, _ATTEMPT = _WHAT.partition("@")
_REACHED = os.environ.get("WINDLASS_FAILPOINTS_REACHED")


def reach(name: str) -> None:
    """Say that this place was reached. Only the first time counts."""
    global _name
    if _REACHED:
        with open(_REACHED, "a", encoding="utf-8") as file:  # noqa: PTH123 - pathlib is not needed otherwise
            file.write(f"{name}\n")
    if name != _name or _ATTEMPT not in ("", os.environ.get("WINDLASS_ATTEMPT")):
        return
    _name = ""
    if _ACTION == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif _ACTION == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif _ACTION.startswith("sleep="):
        time.sleep(float(_ACTION.removeprefix("sleep=")))
