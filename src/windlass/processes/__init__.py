"""Processes of this machine: which one is meant, how one is started, and what it is handed.

identity.py     a process, for good, and signals that go to no other
launch.py       starts a command that never outlives whoever wants it
launcher.py     the small program under which it runs; standard library only
launchpad.py    starts the commands of a run, whose launchers are forks of one process
forking.py      that process; standard library only
environment.py  what of our environment it gets
"""

from windlass.processes.identity import (
    Identity,
    Process,
    exit_status,
    how_it_ended,
    identity_of,
    last_words,
    signal_process,
)

__all__ = [
    "Identity",
    "Process",
    "exit_status",
    "how_it_ended",
    "identity_of",
    "last_words",
    "signal_process",
]
