"""`python -m benchmarks runs`: what `windlass run` costs by itself, with tasks that do nothing.

Rounds in turn, after one that does not count: one task, ten in a chain, a hundred side by side, and for comparison Python doing
nothing. Processor time is that of all processes together; on a busy machine it says more than the seconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["main"]

_TASK = '{run: {command: ["true"]}'
_PIPELINES = {
    "one task": [f"t: {_TASK}}}"],
    "ten in a chain": [f"t{i}: {_TASK}{f', needs: [t{i - 1}]' if i else ''}}}" for i in range(10)],
    "a hundred side by side": [f"t{i}: {_TASK}}}" for i in range(100)],
}


def main(arguments: list[str]) -> int:
    """Measure. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="windlass-bench-") as name:
        commands = {"python -c pass": [sys.executable, "-c", "pass"], **_commands(Path(name))}
        taken: dict[str, list[tuple[float, float]]] = {what: [] for what in commands}
        for number in range(options.rounds + 1):
            for what, command in commands.items():
                measured = _measured(command)
                if number > 0:
                    taken[what].append(measured)
    sys.stdout.write(f"{'':24} {'median s':>9} {'processor s':>12}\n")
    for what, rounds in taken.items():
        seconds, processor = (statistics.median(values) for values in zip(*rounds, strict=True))
        sys.stdout.write(f"{what:24} {seconds:9.2f} {processor:12.2f}\n")
    return 0


def _commands(project: Path) -> dict[str, list[str]]:
    (project / "pipelines").mkdir()
    (project / "windlass.yaml").write_text("project: bench\n")
    windlass = [str(Path(sys.executable).parent / "windlass"), "-C", str(project), "run"]
    commands = {}
    for number, (what, tasks) in enumerate(_PIPELINES.items()):
        text = "".join(f"  {task}\n" for task in tasks)
        (project / "pipelines" / f"p{number}.yaml").write_text(f"pipeline: p{number}\ntasks:\n{text}")
        commands[what] = [*windlass, f"p{number}"]
    return commands


def _measured(command: list[str]) -> tuple[float, float]:
    """Seconds, and seconds of processor time. Raises CalledProcessError where the command fails."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
