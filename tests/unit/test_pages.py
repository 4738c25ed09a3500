"""Templates of pages stay compiled, and what has changed is compiled again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader

from windlass.pages.compiled import Compiled


@pytest.fixture(autouse=True)
def _writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)


def rendered(folder: Path, made_of: str = "", finalize: str = "") -> str:
    environment = Environment(
        loader=FileSystemLoader(folder),
        bytecode_cache=Compiled(made_of),
        autoescape=True,
        finalize=lambda value: f"{value}{finalize}",
    )
    return environment.get_template("page.html").render(name="<x>")


def kept(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (folder / "__pycache__").glob("*")}


def test_a_template_is_compiled_once(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{{ name }} {{ 'constant' }}")
    assert rendered(tmp_path) == rendered(tmp_path) == "&lt;x&gt; constant"
    [(name, code)] = kept(tmp_path).items()
    assert name.startswith("page.html.")
    assert rendered(tmp_path, made_of="of something else", finalize="!") == "&lt;x&gt;! constant!"
    assert kept(tmp_path)[name] != code
    (tmp_path / "page.html").write_text("changed {{ name }}")
    assert rendered(tmp_path) == "changed &lt;x&gt;"


@pytest.mark.parametrize("damage", [b"", b"\n", b"rubbish", None])
def test_what_was_kept_and_makes_no_sense_is_made_again(tmp_path: Path, damage: bytes | None) -> None:
    (tmp_path / "page.html").write_text("{{ name }}")
    rendered(tmp_path)
    [file] = (tmp_path / "__pycache__").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert rendered(tmp_path) == "&lt;x&gt;"
    assert file.read_bytes() == whole


def test_where_nothing_can_be_written_templates_work_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page.html").write_text("{{ name }}")
    (tmp_path / "__pycache__").write_text("a file where the folder should be")
    assert rendered(tmp_path) == "&lt;x&gt;"
    (tmp_path / "__pycache__").unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert rendered(tmp_path) == "&lt;x&gt;"
    assert not (tmp_path / "__pycache__").exists()
