"""Every file that windlass writes is named when there is no space for it: a write itself says only that there is none."""

from __future__ import annotations

import ast
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import windlass
from windlass.errors import Code, as_error, naming
from windlass.files import write_file, write_whole

ROOT = Path(windlass.__file__).parent
WRITES = ("write_text", "write_bytes", "copyfile", "copyfileobj", "copy2", "copytree")
NAMED = ("naming", "disk_errors")
"""What names the file, around the block that writes to it."""

ELSEWHERE = {
    "files.py": "what is put from another disk, or into a stream: named by who calls",
    "cli/query.py": "to the standard output",
    "connectors/files/reading/csv_rewriting.py": "named by who opened the file",
    "connectors/http/serving.py": "to a socket",
    "connectors/stores/filesystem.py": "by DuckDB, which says itself what there is no space for",
    "locks.py": "opens, and writes nothing",
    "kept_log.py": "what does not fit into a log is lost, and said",
    "testing": "tests of connectors",
}


def test_every_write_stands_in_a_block_that_names_the_file() -> None:
    found = [
        f"{name}:{call.lineno}: {ast.unparse(call)}"
        for module in ROOT.rglob("*.py")
        if not (name := str(module.relative_to(ROOT))).startswith((*ELSEWHERE, "targets/airflow/loader"))
        for call in unnamed(ast.parse(module.read_text(encoding="utf-8")))
    ]
    assert found == []


def unnamed(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls that write to a file outside of such a block."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.With) and any(_name(item.context_expr) in NAMED for item in node.items):
            continue
        if isinstance(node, ast.Call) and _writes(node):
            yield node
        yield from unnamed(node)


def _writes(call: ast.Call) -> bool:
    name = _name(call)
    if name == "copy":
        return ast.unparse(call.func) == "shutil.copy"
    if name == "open" and isinstance(call.func, ast.Attribute):
        modes = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        return any(mode[0] in "wax" for mode in modes)
    return name in WRITES


def _name(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else str(getattr(node.func, "id", ""))


FULL = Path("/dev/full")
needs_a_full_disk = pytest.mark.skipif(not FULL.exists(), reason="only Linux has a full disk at hand")


@needs_a_full_disk
def test_a_full_disk_is_said_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.symlink_to(FULL)
    with pytest.raises(OSError, match=r"file") as caught:
        write_file(file, "text")
    error = as_error(caught.value)
    assert (str(error.args[0]), error.code) == (f"{file}: No space left on device", Code.DISK_FULL)


def test_a_full_disk_leaves_the_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    write_whole(file, "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(file, "new")
    assert caught.value.filename == str(file)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


def test_of_a_tree_that_has_no_space_the_tree_is_said() -> None:
    with pytest.raises(OSError, match="No space left") as caught, naming("tree"):
        raise shutil.Error([("a", "tree/a", "[Errno 28] No space left on device: 'tree/a'")])
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "tree")


def test_what_is_not_about_space_stays_as_it_is() -> None:
    with pytest.raises(ConnectionResetError) as caught, naming("file"):
        raise ConnectionResetError(errno.ECONNRESET, "reset")
    assert caught.value.filename is None
