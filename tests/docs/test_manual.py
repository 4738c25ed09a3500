"""Every example of the manual and the README runs, and the page shows all that it prints.

A fenced block with a `title` is a file. A `console` block has commands behind `$ ` and, below each, what a terminal
shows. A command ends with exit code 0, unless a comment `# exit N` behind it says otherwise. The blocks of a page
share one folder. `--update-golden` writes what is shown into the pages.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.sessions import Session, commands

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CONTAINERS = re.compile(
    r"run: \{image: .*pull|image: python:|windlass [^`\n]*--runtime docker"
)  # of an engine that is there
_TITLE = re.compile(r'title="([^"]+)"')

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Language, rest of the opening line and content of each fenced block."""
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(kind == "console" for kind, _, _ in blocks(p))], ids=lambda p: p.name
)
def test_every_example_of_the_page_runs(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text, session = page.read_text(encoding="utf-8"), Session(tmp_path)
    if _CONTAINERS.search(text):
        request.getfixturevalue("engine")
    for kind, rest, content in blocks(page):
        if title := _TITLE.search(rest):
            file = tmp_path / title[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        if kind == "console":
            text = text.replace(content, played(content, session))
    if request.config.getoption("--update-golden"):
        assert not os.environ.get("CI"), "pages are never written on CI"
        page.write_text(text, encoding="utf-8")
    assert text == page.read_text(encoding="utf-8"), f"see --update-golden; it should be:\n{text}"


def played(block: str, session: Session) -> str:
    """The block as it is if it shows what its commands print, else as it should be."""
    shown = []
    for command in commands(block):
        seen = session.play(command)
        assert seen.code == command.code, f"expected exit code {command.code}, not {seen.code}:\n{seen}"
        shown.append(str(seen))
    return "".join(shown)


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_each_decision_has_a_number_of_its_own_and_says_since_when_it_holds() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    numbers = [int(file.name[:4]) for file in decisions]
    assert len(numbers) == len(set(numbers))
    for number, file in zip(numbers, decisions, strict=True):
        title, blank, status = file.read_text(encoding="utf-8").split("\n")[:3]
        assert title.startswith(f"# {number}. "), file.name
        assert (blank, bool(re.search(r"\b20\d\d-\d\d-\d\d\b", status))) == ("", True), file.name


def test_every_page_is_found_from_the_navigation() -> None:
    docs = ROOT / "docs"
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"\S+\.md\b", navigation))
    for index in [docs / page for page in listed if page.endswith("/index.md")]:  # of many pages: decisions
        linked = re.findall(r"\]\(([\w-]+\.md)\)", index.read_text(encoding="utf-8"))
        listed |= {str((index.parent / page).relative_to(docs)) for page in linked}
    assert listed == {str(page.relative_to(docs)) for page in PAGES[1:]}
