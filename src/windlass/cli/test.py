"""`windlass test`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from windlass import logs
from windlass.cli.echo import echo, echo_json
from windlass.cli.main import App
from windlass.cli.options import json_option
from windlass.errors import ExitCode
from windlass.printable import printable

if TYPE_CHECKING:
    from windlass.fixtures import Verdict

__all__ = ["test_command"]


@click.command("test")
@click.argument("files", nargs=-1)
@click.option("-k", "wanted", metavar="TEXT", help="Only the cases that have this in their name.")
@click.option("-x", "first", is_flag=True, help="Stop at the first case that fails.")
@click.option(
    "-n", "--parallel", type=click.IntRange(1, 64), help="How many cases at once. Default: one a core."
)
@click.option("--kill", is_flag=True, help="Also kill each task wherever it can be, and run it again.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write a JUnit XML file.")
@json_option
@click.pass_obj
def test_command(
    app: App,
    files: tuple[str, ...],
    wanted: str | None,
    parallel: int | None,
    junit: Path | None,
    *,
    first: bool,
    kill: bool,
    as_json: bool,
) -> int:
    """Run the pipelines on given inputs, and compare what comes of them with what is expected.

    FILES are those of cases; without them all of `tests/`. Connections are fresh databases of dev services and recorded
    APIs, whatever is configured. Each case runs twice, and the second run may change nothing.
    """
    from windlass.fixtures import Player, load_cases

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
    with Player(app.project, kill=kill) as player:
        for verdict in player.play_all(chosen, parallel or os.cpu_count() or 1):
            verdicts.append(verdict)
            if not as_json:
                _show(verdict)
            if first and not verdict.passed:
                break
    if junit is not None:
        _write_junit(junit, verdicts)
    failed = sum(not verdict.passed for verdict in verdicts)
    if as_json:
        echo_json(
            json.dumps({"cases": [_document(verdict) for verdict in verdicts], "failed": failed}, indent=2)
        )
    else:
        echo(f"\n{len(verdicts) - failed} passed, {failed} failed in {time.monotonic() - began:.1f} s")
    return int(ExitCode.FAILED if failed else ExitCode.SUCCESS)


def _show(verdict: Verdict) -> None:
    word = click.style("passed", fg="green") if verdict.passed else click.style("FAILED", fg="red")
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
        case = ElementTree.SubElement(suite, "testcase", classname=verdict.file, name=verdict.name)
        case.set("file", verdict.file)
        case.set("line", str(verdict.line))
        case.set("time", f"{verdict.seconds:.3f}")
        if not verdict.passed:
            told = [printable(str(difference)) for difference in verdict.differences]
            failure = ElementTree.SubElement(case, "failure", message=told[0].splitlines()[0])
            failure.text = "\n".join(told)
    whole = ElementTree.Element("testsuites")
    whole.append(suite)
    ElementTree.ElementTree(whole).write(file, encoding="utf-8", xml_declaration=True)
