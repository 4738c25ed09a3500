"""Rows that stay in a file to which others are added are as they were, or nothing is written."""

from __future__ import annotations

import pytest

from windlass.errors import FatalError
from windlass.plan.model import Mode
from windlass.testing import Copier, destination_of, source_of

KEPT: dict[str, tuple[str, str, str]] = {
    "ndjson": ('{"id":1,"x":"007","o":{"a":[1]}}\n', '{"id":2,"x":"1"}\n', '{"id":2,"x":"1","o":null}\n'),
    "csv": ('id,x\n007,"1.50"\n+8,T\n', "id,x\n9,y\n", "9,y\n"),
}


@pytest.mark.parametrize("kind", KEPT)
def test_rows_that_stay_in_a_file_are_as_they_were(copier: Copier, kind: str) -> None:
    old, new, added = KEPT[kind]
    file = copier.folder / f"target.{kind}"
    file.write_text(old)
    (copier.folder / f"new.{kind}").write_text(new)
    copier(source_of(path=f"new.{kind}"), destination_of(path=f"target.{kind}", mode="append"))
    assert file.read_text().replace('"', "") == (old + added).replace('"', "")


REFUSED = {
    "ragged.csv": "id,x\n1,a\n2\n",
    "mixed.ndjson": '{"id":1}\n{"id":"x"}\n',
    "malformed.ndjson": '{"id":1}\nhello\n',
    "rounded.ndjson": '{"id":1,"x":{"y":0.12345678901234567890}}\n',
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_file_whose_rows_would_not_stay_as_they_are_is_refused(
    copier: Copier, name: str, mode: Mode
) -> None:
    (copier.folder / name).write_text(REFUSED[name])
    (copier.folder / "new.csv").write_text("id\n5\n")
    destination = destination_of(path=name, mode=mode, key=("id",) if mode == "merge" else ())
    with pytest.raises(FatalError, match=f"{name} cannot be written anew"):
        copier(source_of(path="new.csv"), destination)
    assert (copier.folder / name).read_text() == REFUSED[name]
