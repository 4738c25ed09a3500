"""Signals that come at any moment of a wait are heard, and stop nothing else."""

from __future__ import annotations

import subprocess
import sys

STORM = """
import random, signal, sys, threading
from windlass.processes.launcher import on_request

heard = threading.Event()
on_request((signal.SIGALRM,), heard.set)
for number in range(5000):
    heard.clear()
    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 6e-5))
    if not heard.wait(30):
        sys.exit(f"signal {number} was not heard")
"""


def test_a_signal_is_heard_at_any_moment_of_a_wait() -> None:
    """An Event that a handler sets itself hangs within some thousands of signals."""
    done = subprocess.run(
        [sys.executable, "-c", STORM], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
