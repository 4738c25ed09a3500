"""Each code of an error has a page, each page an example that produces it, and each code is used.

That the examples run, and print what the page says, is tested in test_manual.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.sessions import commands
from tests.docs.test_manual import blocks
from windlass.cli.explain import PAGES, page_of, title_of
from windlass.codes import Code


def test_each_code_has_a_page_and_each_page_a_code() -> None:
    assert sorted(page.stem for page in PAGES.glob("W*.md")) == sorted(Code)


@pytest.mark.parametrize("code", Code)
def test_the_example_of_a_page_shows_its_code(code: Code) -> None:
    page = page_of(code)
    assert page.startswith(f"# {code}: {title_of(code)}\n")
    assert "**What to do.** " in page
    shown = [
        command.output
        for kind, _, content in blocks(PAGES / f"{code}.md")
        if kind == "console"
        for command in commands(content)
    ]
    assert any(f"error[{code}]: " in output or f'"code": "{code}"' in output for output in shown)


def test_each_code_is_used() -> None:
    texts = [p.read_text(encoding="utf-8") for p in Path(ROOT / "src").rglob("*.py") if p.name != "codes.py"]
    source = "\n".join(texts)
    unused = [code for code in Code if not re.search(rf"\bCode\.{code.name}\b|\"{code}\"", source)]
    assert unused == []


def test_no_code_is_named_that_there_is_not() -> None:
    """In the manual, the examples, and where the launcher, which imports nothing, has one as text."""
    files = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.py"), ROOT / "README.md"]
    named = {code for file in files for code in re.findall(r"\bW0\d{3}\b", file.read_text(encoding="utf-8"))}
    assert named <= set(Code)
