"""What is done to a stack from outside: start it in the background, look at it, stop it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from windlass.errors import ExitCode, RetryableError, WindlassError, naming
from windlass.plan.compiler import compile_project
from windlass.processes import signal_process
from windlass.spec import load_project
from windlass.stack import checks
from windlass.stack.broker import server_program
from windlass.stack.layout import Layout, Stack, State
from windlass.stack.locks import holder, is_free
from windlass.stack.supervisor import Observer, StackOptions

__all__ = ["detach", "down", "look", "preflight"]

_POLL = 0.2
_PATIENCE = 60.0  # the scheduler's grace, then that of the others, and some


def preflight(options: StackOptions) -> None:
    """Whatever would stop the stack from starting. Raises WindlassError."""
    checks.check_packages(pgadmin=options.pgadmin, celery=options.workers > 0)
    if options.workers:
        server_program()
    compile_project(load_project(options.layout.project))
    checks.check_port(options.port, "Airflow", "--port")
    if options.pgadmin:
        checks.check_port(options.pgadmin_port, "pgAdmin", "--pgadmin-port")
    checks.check_memory(checks.available_memory(), pgadmin=options.pgadmin, workers=options.workers)


def look(layout: Layout) -> Stack | None:
    """What runs; None when nothing does."""
    return None if is_free(layout.supervisor_lock) else Stack.read(layout.state)


def detach(arguments: Sequence[str], layout: Layout, observer: Observer) -> Stack:
    """Start a supervisor that outlives this process, and wait until all is healthy. Raises WindlassError."""
    layout.state.unlink(missing_ok=True)
    log = layout.logs / "supervisor.log"
    with naming(log), log.open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "windlass", *arguments],
            env=dict(os.environ),  # it is windlass, too
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _followed(supervisor, layout, observer, log)
    except BaseException:
        supervisor.terminate()
        supervisor.wait()
        raise


def _followed(supervisor: subprocess.Popen[bytes], layout: Layout, observer: Observer, log: Path) -> Stack:
    while True:
        ended = supervisor.poll()
        stack = Stack.read(layout.state)
        observer.changed(stack)
        if ended is not None:
            raise _failure(stack, ended, log)
        if stack.state == State.HEALTHY:
            supervisor.returncode = 0  # it goes on without us: Python need not warn of that
            return stack
        time.sleep(_POLL)


def _failure(stack: Stack, code: int, log: Path) -> WindlassError:
    said = log.read_text(errors="replace").strip()
    said = re.sub(r"^error\[(W\d+)\]: ", "", said)
    failure = WindlassError(stack.failure or said or "the supervisor was killed")
    with suppress(ValueError):
        failure.exit_code = ExitCode(code)
    return failure


def down(layout: Layout) -> bool:
    """Stop the stack and wait until nothing of it is left. Returns whether there was one. Raises RetryableError
    when something does not end.
    """
    if _is_over(layout):
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):  # after that its launchers do the rest
        if _ended(layout, number):
            layout.state.unlink(missing_ok=True)
            return True
    raise RetryableError("what ran here has not ended yet", hint="see: windlass status")


def _ended(layout: Layout, number: int) -> bool:
    """Signal the supervisor, as soon as it has noted in its lock which process it is, and wait for the end of all."""
    deadline, told = time.monotonic() + _PATIENCE, None
    while not _is_over(layout):
        supervisor = holder(layout.supervisor_lock)
        if supervisor not in (None, told):
            signal_process(supervisor, number)
            told = supervisor
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def _is_over(layout: Layout) -> bool:
    return is_free(layout.supervisor_lock) and is_free(layout.lock)
