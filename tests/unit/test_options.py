"""Options: one declaration gives validation, JSON Schema, documentation, defaults and the object at run time."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jsonschema_rs
import msgspec
import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from windlass.errors import FatalError
from windlass.options import (
    Character,
    Duration,
    FilePath,
    Many,
    Minimum,
    OneOrMany,
    Options,
    Size,
    documentation,
    read_options,
)


class Inner(Options):
    """What is in it."""

    mark: Character = ","
    """A mark."""


class Base(Options):
    """What several have."""

    mode: Literal["a", "b"] = "a"
    """How."""


class Example(Base, rename={"from_": "from"}):
    """One of each."""

    name: str
    """Its name."""

    from_: str | None = None
    """A key that is a word of Python."""

    file: FilePath = "x"
    """Where."""

    wait: Duration = 2.0
    """How long."""

    size: Size | None = None
    """How much."""

    count: Annotated[int, Minimum(1)] = 1
    """How many."""

    tags: OneOrMany[str] = ()
    """Words."""

    steps: Many[Inner] = ()
    """Inner ones."""

    inner: Inner = Inner()
    """An inner one."""

    texts: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    """Texts by name."""

    def refusal(self) -> str | None:
        return "`tags` need mode b" if self.tags and self.mode == "a" else None


ADAPTER = TypeAdapter(Example)
GOOD: list[tuple[dict[str, Any], Example]] = [
    ({"name": "n"}, Example(name="n")),
    ({"name": "n", "from": "f", "mode": "b"}, Example(name="n", from_="f", mode="b")),
    ({"name": "n", "wait": "1h30m", "size": "1.5GB"}, Example(name="n", wait=5400, size=1_500_000_000)),
    ({"name": "n", "tags": "t", "mode": "b"}, Example(name="n", tags=("t",), mode="b")),
    ({"name": "n", "tags": ["t", "u"], "mode": "b"}, Example(name="n", tags=("t", "u"), mode="b")),
    ({"name": "n", "steps": [{"mark": ";"}, {}]}, Example(name="n", steps=(Inner(mark=";"), Inner()))),
    ({"name": "n", "inner": {"mark": "|"}, "texts": {"a": "b"}}, Example(name="n", inner=Inner(mark="|"), texts={"a": "b"})),
    ({"name": "n", "file": "file:///x/{{ ds }}"}, Example(name="n", file="file:///x/{{ ds }}")),
]  # fmt: skip
BAD: list[tuple[dict[str, Any], list[tuple[tuple[str | int, ...], str]]]] = [
    ({}, [(("name",), "missing")]),
    ({"name": 5, "nam": 1}, [(("name",), "string_type"), (("nam",), "extra_forbidden")]),
    ({"name": "n", "mode": "c", "count": 0}, [(("mode",), "literal_error"), (("count",), "greater_than_equal")]),
    ({"name": "n", "count": True, "wait": "soon", "size": 5}, [(("wait",), "value"), (("size",), "value"), (("count",), "int_type")]),
    ({"name": "n", "tags": [1], "steps": {}}, [(("tags", 0), "string_type"), (("steps",), "list_type")]),
    ({"name": "n", "inner": {"mark": "ab", "mrk": 1}}, [(("inner", "mark"), "value"), (("inner", "mrk"), "extra_forbidden")]),
    ({"name": "n", "texts": {"a": 1}, "file": "s3://b"}, [(("file",), "value"), (("texts", "a"), "string_type")]),
    ({"name": "n", "tags": ["t"]}, [((), "refused")]),
]  # fmt: skip


@pytest.mark.parametrize(("written", "expected"), GOOD)
def test_what_is_right_is_read_alike_by_all(written: dict[str, Any], expected: Example) -> None:
    read = ADAPTER.validate_python(written)
    assert read == expected
    plain = msgspec.json.decode(msgspec.json.encode(read))
    assert read_options(Example, plain) == expected
    assert jsonschema_rs.validator_for(ADAPTER.json_schema()).is_valid(written)


@pytest.mark.parametrize(("written", "problems"), BAD)
def test_every_problem_is_told_with_its_place(
    written: dict[str, Any], problems: list[tuple[tuple[str | int, ...], str]]
) -> None:
    class Holder(BaseModel):
        model_config = ConfigDict(strict=True)
        at: Example

    with pytest.raises(ValidationError) as caught:
        Holder.model_validate({"at": written})
    found = {(error["loc"][1:], error["type"]) for error in caught.value.errors()}
    assert found == set(problems)
    if problems != [((), "refused")]:
        assert not jsonschema_rs.validator_for(ADAPTER.json_schema()).is_valid(written) or "s3" in str(
            written
        )


def test_an_extra_forbidden_comes_with_the_known_ones() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Inner).validate_python({"mrk": 1})
    assert caught.value.errors()[0]["ctx"] == {"known": ["mark"]}


def test_what_a_plan_says_wrongly_is_refused_when_it_runs() -> None:
    for written in ({}, {"name": 5}, {"name": "n", "nam": 1}, {"name": "n", "mode": "c"}):
        with pytest.raises(FatalError):
            read_options(Example, written)
    with pytest.raises(FatalError, match="`tags` need mode b"):
        read_options(Example, {"name": "n", "tags": ["t"]})


def test_the_text_under_a_key_is_its_documentation() -> None:
    texts = documentation(Example)
    assert list(texts)[:3] == ["name", "from", "file"]
    assert list(texts)[-1] == "mode"
    assert texts["from"] == "A key that is a word of Python."
    schema = ADAPTER.json_schema()
    assert {key: value["description"] for key, value in schema["properties"].items()} == texts
    assert schema["properties"]["inner"]["properties"]["mark"]["description"] == "A mark."
    assert (schema["required"], schema["additionalProperties"]) == (["name"], False)
    assert (schema["properties"]["mode"]["default"], schema["properties"]["wait"]["default"]) == ("a", 2.0)


def test_defaults_are_left_out_of_a_plan() -> None:
    assert msgspec.to_builtins(Example(name="n", mode="a", count=1, wait=2.0)) == {"name": "n"}
