"""Every example of the manual and the README runs, and prints what the page says.

A fenced block with a `title` is a file; a `console` block has commands behind `$ ` and, below each, what it
prints: `…` stands for anything, and runs of spaces for one. A command ends with exit code 0, unless a comment
`# exit N` behind it says otherwise. The blocks of a page share one folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_EXIT = re.compile(r"\s+# exit (\d+)$")

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Command:
    """A command of a page, its exit code, and what it prints."""

    text: str
    code: int
    output: str


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Language, rest of the opening line and content of each fenced block."""
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def commands(block: str) -> Iterator[Command]:
    """The commands of a console block."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        code = _EXIT.search(line)
        yield Command(_EXIT.sub("", line), int(code[1]) if code else 0, output.strip("\n"))


def matches(expected: str, printed: str) -> bool:
    """Whether the output is what the page says."""
    pieces = [re.escape(" ".join(piece.split())) for piece in expected.split("…")]
    pattern = ".*".join(piece.strip() for piece in pieces).replace(r"\ ", r"\s*")
    return re.fullmatch(rf"\s*{pattern}\s*", " ".join(printed.split()), re.DOTALL) is not None


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(kind == "console" for kind, _, _ in blocks(p))], ids=lambda p: p.name
)
def test_every_example_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WINDLASS_", "AIRFLOW_CONN_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    for kind, rest, content in blocks(page):
        if title := _TITLE.search(rest):
            file = tmp_path / title[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        for command in commands(content) if kind == "console" else ():
            done = subprocess.run(
                ["bash", "-c", command.text],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            said = f"$ {command.text}\n{done.stdout}{done.stderr}"
            assert done.returncode == command.code, said
            assert matches(command.output, done.stdout), f"{said}\nexpected:\n{command.output}"


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_page_is_found_from_the_navigation() -> None:
    docs = ROOT / "docs"
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"\S+\.md\b", navigation))
    for index in [docs / page for page in listed if page.endswith("/index.md")]:  # of many pages: decisions
        linked = re.findall(r"\]\(([\w-]+\.md)\)", index.read_text(encoding="utf-8"))
        listed |= {str((index.parent / page).relative_to(docs)) for page in linked}
    assert listed == {str(page.relative_to(docs)) for page in PAGES[1:]}
