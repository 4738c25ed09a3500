"""`windlass test`."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from windlass import logs
from windlass.cli.echo import echo, echo_json
from windlass.cli.main import App
from windlass.cli.options import json_option
from windlass.errors import ExitCode, UsageError
from windlass.printable import printable

if TYPE_CHECKING:
    from windlass.fixtures import Verdict

__all__ = ["test_command"]


@click.command("test")
@click.argument("files", nargs=-1)
@click.option("-k", "wanted", metavar="TEXT", help="Run only cases whose names contain this.")
@click.option("-x", "first", is_flag=True, help="Stop at the first failure.")
@click.option(
    "-n",
    "--parallel",
    type=click.IntRange(1, 64),
    help="The number of cases to run in parallel. Default: one per core.",
)
@click.option("--kill", is_flag=True, help="Also kill each task at every possible point, and run it again.")
@click.option("--update", is_flag=True, help="Write the actual results into the case files.")
@click.option("--record", is_flag=True, help="Make missing recordings by calling the real APIs.")
@click.option(
    "--init",
    "pipeline",
    metavar="PIPELINE",
    help="Write a case from the last run of this pipeline, and run it.",
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write a JUnit XML file.")
@json_option
@click.pass_obj
def test_command(
    app: App,
    files: tuple[str, ...],
    wanted: str | None,
    parallel: int | None,
    pipeline: str | None,
    junit: Path | None,
    *,
    first: bool,
    kill: bool,
    update: bool,
    record: bool,
    as_json: bool,
) -> int:
    """Run pipelines on given inputs, and compare the results with what is expected.

    FILES contain the cases; the default is all of `tests/`. Connections are fresh databases of dev services and recorded
    APIs, whatever is configured. Each case runs twice, and the second run must not change anything.
    """
    from windlass.fixtures import Player, add_case, can_be_updated, load_cases
    from windlass.fixtures import update as write_expectations

    if os.environ.get("CI", "false").lower() not in ("", "0", "false"):
        _refuse_to_write({"--update": update, "--record": record, "--init": pipeline is not None})
    if pipeline is not None:
        file, wanted = add_case(app.project, pipeline)
        files, update = (file,), True
        echo(f"wrote the case {wanted!r} into {file}", err=as_json)
    if not app.debug:
        logs.emit_to(lambda _: None)  # what is worth knowing is among the differences
    chosen = [
        (file.path, line, case)
        for file in load_cases(app.project, files)
        for line, case in file.cases
        if wanted is None or wanted.lower() in case.test.lower()
    ]
    began = time.monotonic()
    verdicts: list[Verdict] = []
    with Player(app.project, kill=kill, record=record) as player:
        for verdict in player.play_all(chosen, 1 if record else parallel or os.cpu_count() or 1):
            verdicts.append(replace(verdict, is_updated=update and can_be_updated(verdict)))
            if not as_json:
                _show(verdicts[-1])
            if first and not verdicts[-1].passed:
                break
    write_expectations(app.project, [verdict for verdict in verdicts if verdict.is_updated])
    if junit is not None:
        _write_junit(junit, verdicts)
    failed = sum(not verdict.passed for verdict in verdicts)
    if as_json:
        echo_json(
            json.dumps({"cases": [_document(verdict) for verdict in verdicts], "failed": failed}, indent=2)
        )
    else:
        echo(f"\n{_summary(verdicts)} in {time.monotonic() - began:.1f} s")
    return int(ExitCode.FAILED if failed else ExitCode.SUCCESS)


_STYLES = {"passed": "green", "updated": "yellow", "FAILED": "red"}


def _word(verdict: Verdict) -> str:
    return "FAILED" if not verdict.passed else "updated" if verdict.is_updated else "passed"


def _summary(verdicts: Sequence[Verdict]) -> str:
    counts = Counter(_word(verdict).lower() for verdict in verdicts)
    words = ["passed", *(["updated"] if counts["updated"] else []), "failed"]
    return ", ".join(f"{counts[word]} {word}" for word in words)


def _refuse_to_write(options: Mapping[str, bool]) -> None:
    """Raise UsageError for what writes files of the project."""
    for option in (option for option, is_set in options.items() if is_set):
        hint = "run it where somebody looks at what it writes"
        raise UsageError(f"{option} is for people, and CI is set", hint=hint)


def _show(verdict: Verdict) -> None:
    word = click.style(_word(verdict), fg=_STYLES[_word(verdict)])
    killed = f", killed at {verdict.kills} places" if verdict.kills else ""
    echo(f"{word}  {verdict.file}:{verdict.line}  {verdict.name}{killed}")
    for difference in verdict.differences:
        echo(f"  {difference}")


def _document(verdict: Verdict) -> dict[str, object]:
    return {
        "file": verdict.file,
        "line": verdict.line,
        "test": verdict.name,
        "passed": verdict.passed,
        "updated": verdict.is_updated,
        "seconds": round(verdict.seconds, 3),
        "kills": verdict.kills,
        "differences": [*map(str, verdict.differences)],
    }


def _write_junit(file: Path, verdicts: Sequence[Verdict]) -> None:
    """The form that CI systems read: https://github.com/testmoapp/junitxml."""
    from xml.etree import ElementTree

    suite = ElementTree.Element("testsuite", name="windlass", tests=str(len(verdicts)))
    suite.set("failures", str(sum(not verdict.passed for verdict in verdicts)))
    suite.set("errors", "0")
    suite.set("time", f"{sum(verdict.seconds for verdict in verdicts):.3f}")
    for verdict in verdicts:
        file_name, name = printable(verdict.file), printable(verdict.name)  # XML has no control characters
        case = ElementTree.SubElement(suite, "testcase", classname=file_name, name=name)
        case.set("file", file_name)
        case.set("line", str(verdict.line))
        case.set("time", f"{verdict.seconds:.3f}")
        if not verdict.passed:
            told = [printable(str(difference)) for difference in verdict.differences]
            failure = ElementTree.SubElement(case, "failure", message=told[0].splitlines()[0])
            failure.text = "\n".join(told)
    whole = ElementTree.Element("testsuites")
    whole.append(suite)
    ElementTree.ElementTree(whole).write(file, encoding="utf-8", xml_declaration=True)
