"""The launchpad: a command whose launcher is forked is as one whose launcher was started by itself."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from windlass.errors import FatalError
from windlass.processes.launch import Started
from windlass.processes.launchpad import Launchpad

ENVIRONMENT = {"PATH": os.environ["PATH"], "GIVEN": "it's\nthis"}
OF_SHELLS = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}


@pytest.fixture
def held(tmp_path: Path) -> Iterator[IO[str]]:
    """The lock by which all commands of a test live."""
    with (tmp_path / "wanted").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


@pytest.fixture(params=["linux", "other"])
def pad(
    request: pytest.FixtureRequest, held: IO[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Launchpad]:
    """One that forks, and one of a system where nothing can be forked so."""
    if request.param == "linux" and sys.platform != "linux":
        pytest.skip("launchers are forked on Linux only")
    if request.param == "other":
        monkeypatch.setattr(Launchpad, "_ready", lambda _: None)
    made = Launchpad(Path(held.name))
    yield made
    made.close()


def start(pad: Launchpad, script: str, folder: Path | None = None) -> Started:
    return pad.start(["sh", "-c", script], folder, ENVIRONMENT)


def end(started: Started) -> tuple[int, str]:
    with started.stdout as output:
        said = output.read().decode()
    return started.wait(), said


def test_a_command_gets_what_it_is_given_and_its_end_is_told(pad: Launchpad, tmp_path: Path) -> None:
    ends = {
        "exit 0": 0,
        "exit 3": 3,
        "exit 255": 255,
        "kill -TERM $$": -15,
        "kill -KILL $$": -9,
        "kill -40 $$": -40,
    }
    started = {script: start(pad, script) for script in ends}  # all at once
    told = start(pad, 'pwd -P; echo "$GIVEN" >&2; cat; ls -l /proc/$$/fd; exec env', tmp_path)
    assert {script: end(execution) for script, execution in started.items()} == {
        script: (code, "") for script, code in ends.items()
    }
    code, said = end(told)
    assert (code, said.splitlines()[:3]) == (0, [str(tmp_path.resolve()), "it's", "this"])
    assert "socket:" not in said
    names = {line.partition("=")[0] for line in said.splitlines() if "=" in line}
    assert names <= {"PATH", "GIVEN", *OF_SHELLS}


def test_what_cannot_start_says_why(pad: Launchpad, tmp_path: Path) -> None:
    code, said = end(pad.start(["windlass-has-no-such-program"], None, ENVIRONMENT))
    assert (code, "there is no program 'windlass-has-no-such-program'" in said) == (127, True), said
    with pytest.raises(FatalError, match=r"cannot start 'true': .*No such file"):
        pad.start(["true"], tmp_path / "missing", ENVIRONMENT)
    with pytest.raises(FatalError, match="cannot start 'true': "):
        pad.start(["true"], None, {"A": "\0"})
    assert end(start(pad, "echo $GIVEN")) == (0, "it's this\n")


def test_a_command_ends_when_it_shall(pad: Launchpad) -> None:
    obedient = start(pad, "echo; exec sleep 600")
    last_words = start(pad, "trap 'echo heard; exit 7' TERM; echo; while :; do sleep 0.1; done 2>/dev/null")
    for execution in (obedient, last_words):
        execution.stdout.readline()  # it has begun
        execution.stop()
    assert end(obedient) == (-signal.SIGTERM, "")
    code, said = end(last_words)
    assert (code, said.splitlines()[-1]) == (7, "heard")
    obedient.stop()  # which does no harm


def test_no_command_outlives_who_wanted_it(pad: Launchpad, held: IO[str]) -> None:
    """Even if what forks has ended before."""
    begun = start(pad, "echo; (sleep 600)& exec sleep 600")
    begun.stdout.readline()
    pad.close()
    held.close()
    assert end(begun) == (-signal.SIGTERM, "")


@pytest.mark.skipif(sys.platform != "linux", reason="launchers are forked on Linux only")
def test_what_forks_is_there_before_the_first_command_and_ends_without_one(held: IO[str]) -> None:
    pad = Launchpad(Path(held.name))
    pad.get_ready()
    assert pad._process is not None
    pad.close()
    assert pad._process.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="launchers are forked on Linux only")
def test_when_what_forks_is_killed_nothing_is_lost(held: IO[str]) -> None:
    pad = Launchpad(Path(held.name))
    begun = start(pad, "echo; exec sleep 600")
    begun.stdout.readline()
    assert pad._process is not None
    pad._process.kill()
    pad._process.wait()
    assert end(start(pad, "exit 5")) == (5, "")
    begun.stop()
    assert end(begun) == (-signal.SIGTERM, "")
    pad.close()
