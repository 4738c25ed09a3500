from __future__ import annotations

import json
import signal

import pytest

from windlass import logs
from windlass.runtimes.last_words import LastWords
from windlass.runtimes.lines import parse_line

PYTHON = """begun
Traceback (most recent call last):
  File "load.py", line 3, in <module>
    load()
    ^^^^^^
KeyError: 'lat'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "load.py", line 5, in <module>
    raise ValueError("no such city")
ValueError: no such city
"""
PYDANTIC = """Traceback (most recent call last):
  File "load.py", line 3, in <module>
ValidationError: 1 validation error for City
lat
  Field required
"""
NODE = """/app/load.js:1
throw new Error("no such city")
^

Error: no such city
    at Object.<anonymous> (/app/load.js:1:7)
    at Module._compile (node:internal/modules/cjs/loader:1554:14)
    at Object..js (node:internal/modules/cjs/loader:1689:10)
    at Module.load (node:internal/modules/cjs/loader:1318:32)
    at Function._load (node:internal/modules/cjs/loader:1128:12)

Node.js v22.14.0
"""
JAVA = """Exception in thread "main" java.lang.IllegalStateException: cannot load
\tat Load.main(Load.java:3)
Caused by: java.io.IOException: no such city
\tat Load.city(Load.java:9)
\t... 1 more
"""


def last_words(text: str) -> list[str]:
    """What is added to the end of a step that printed this, line by line."""
    words = LastWords()
    for line in text.splitlines():
        words.hear([parse_line(line)])
    return str(words).splitlines()[1:]


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        ("", []),
        (" \n\n", []),
        ("no such city\n\n", ["    no such city"]),
        ("a\nb\nc\nd\ne\nf\n", ["    b", "    c", "    d", "    e", "    f"]),
        ("\x1b[31mno such city\x1b[0m", ["    no such city"]),
        (PYTHON, ["    ValueError: no such city"]),
        (f"{PYTHON}see the log", ["    ValueError: no such city", "    see the log"]),
        (PYDANTIC, ["    ValidationError: 1 validation error for City", "    lat", "      Field required"]),
        ("Traceback (most recent call last):\n  cut off", ["    Traceback (most recent call last):", "      cut off"]),
        (NODE, ["    /app/load.js:1", '    throw new Error("no such city")', "    ^", "    Error: no such city"]),
        (JAVA, ['    Exception in thread "main" java.lang.IllegalStateException: cannot load', "    Caused by: java.io.IOException: no such city"]),
        ('{"event": "no such city", "level": "error"}', ["    no such city"]),
        ('{"event": "output", "level": "error", "message": "no\\nsuch"}', ["    output: no", "    such"]),
        ('{"event": "begun", "level": "info"}\n{"event": "progress", "rows": 1}\n{"event": "result"}', []),
    ],
)  # fmt: skip
def test_the_last_words_are_the_lines_that_say_why(printed: str, told: list[str]) -> None:
    assert last_words(printed) == told


def test_the_last_words_fit_into_an_alert_and_have_no_secret_not_even_a_part_of_one() -> None:
    logs.add_secret("canary-of-a-long-line")
    (line,) = last_words("x" * 240 + "canary-of-a-long-line")
    assert line == "    " + "x" * 240 + "***"
    record = json.dumps({"event": "refused", "level": "error", "error": "key canary-of-a-long-line"})
    assert last_words(record) == ["    refused: key ***"]
    assert len("".join(last_words(f"{'y' * 10_000}\n" * 10_000))) < 1_400


@pytest.mark.parametrize(
    ("code", "told"),
    [(1, True), (137, True), (-signal.SIGABRT, True), (-signal.SIGSEGV, True), (-40, True)]
    + [(-number, False) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)],
)
def test_of_an_end_from_outside_they_say_nothing(code: int, told: bool) -> None:
    words = LastWords()
    words.hear([parse_line("Killed")])
    assert words.after(code) == ("\n    Killed" if told else "")
