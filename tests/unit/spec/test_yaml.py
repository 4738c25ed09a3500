"""YAML means what YAML 1.2 says, and what is no YAML is refused at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.messages import plain
from windlass.errors import SpecError
from windlass.spec.yaml import MAX_BYTES, parse, read


def value_of(text: str) -> object:
    return parse(f"key: {text}", "f.yaml").value["key"]  # type: ignore[index]


def problems_of(text: str) -> str:
    try:
        problems = parse(text, "f.yaml").problems
    except SpecError as exc:
        problems = exc.problems
    assert problems
    return plain(SpecError(problems))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2021-10-02", "2021-10-02"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-0", 0),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ("=", "="),
        ("<", "<"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("!!float 5", 5.0),
        ("9" * 30, int("9" * 30)),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(written: str, meant: object) -> None:
    found = value_of(written)
    assert (found, type(found)) == (meant, type(meant))


def test_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes("\ufeffa: 1\r\nb: |\r\n  x\r\n  é\r\n".encode())
    assert read(file, "f.yaml").value == {"a": 1, "b": "x\né\n"}


def test_an_alias_is_a_copy_of_its_anchor() -> None:
    assert parse("a: &x {b: [1]}\nc: *x", "f.yaml").value == {"a": {"b": [1]}, "c": {"b": [1]}}


@pytest.mark.parametrize(
    ("text", "where_and_what"),
    [
        ("a: 1\na: 2", "f.yaml:2:1: the key 'a' is here a second time"),
        ("<<: {a: 1}", "f.yaml:1:1: merge keys"),
        ("a: *x", "f.yaml:1:4: the alias *x has no anchor"),
        ("a: &x [*x]", "f.yaml:1:8: the alias *x has no anchor"),
        ("a: !!python/object:os.system x", "f.yaml:1:4: the tag"),
        ("a: !!binary eA==", "f.yaml:1:4: the tag"),
        ("a: !!int x", "f.yaml:1:4: 'x' is not a valid !!int"),
        ("a: .inf", "f.yaml:1:4: expected a finite number"),
        ("a: 1e999", "f.yaml:1:4: expected a finite number"),
        ("1: a", "f.yaml:1:1: a key must be text, and '1' is not"),
        ("? [a]\n: b", "f.yaml:1:3: a key must be text"),
        ("a: {{ x }}", "f.yaml:1:5: a key must be text; a template must be in quotes"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document"),
        ('a: "x\\0y"', "f.yaml:1:4: text must not contain the character NUL"),
        ("a: x\0y", "f.yaml:1:5: not valid YAML: the control character '\\x00'"),
        ("é: 😀\nb: \x07", "f.yaml:2:4: not valid YAML: the control character '\\x07'"),
        ("a:\n\t- b", "f.yaml:2:1: not valid YAML"),
        ("a: [1,2\nb: 3", "f.yaml:2:2: not valid YAML"),
        ("", "f.yaml: is empty"),
        ("# nothing\n", "f.yaml: is empty"),
    ],
)
def test_what_is_refused_is_shown_at_its_place(text: str, where_and_what: str) -> None:
    assert problems_of(text).startswith(where_and_what)


def test_every_duplicate_key_is_reported_at_once() -> None:
    assert problems_of("a: 1\na: 2\nb: {c: 1, c: 2}").count("a second time") == 2


@pytest.mark.parametrize(
    "bomb",
    [
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30)),
        "a: " + "[" * 100_000,
        "".join(" " * i + "a:\n" for i in range(300)),
        "a: [" + "1," * 200_000 + "]",
        "{" * 100_000,
        "- " * 100_000,
    ],
    ids=["laughs", "sequences", "mappings", "values", "braces", "dashes"],
)
def test_a_bomb_is_refused_by_a_message_that_fits_on_a_screen(bomb: str) -> None:
    message = problems_of(bomb)
    assert message.startswith("f.yaml:")
    assert max(map(len, message.splitlines())) < 250


def test_a_caret_stands_under_the_character_even_behind_tabs_and_in_long_lines() -> None:
    shown = problems_of(f"a: '{'x' * 300}'\nb: {{c: '{'y' * 300}', d: .inf}}")
    line, caret = shown.splitlines()[1:3]
    assert line[caret.index("^") :].startswith(".inf")


def test_a_file_that_is_not_utf_8_is_told_with_offset_and_likely_encoding(tmp_path: Path) -> None:
    for data, expected in (
        (b"a: 1\nb: caf\xe9", ("byte 0xe9 at offset 11, in line 2", "Windows-1252 or Latin-1")),
        ("a: 1".encode("utf-16"), ("byte 0xff at offset 0", "UTF-16")),
    ):
        file = tmp_path / "f.yaml"
        file.write_bytes(data)
        with pytest.raises(SpecError) as caught:
            read(file, "f.yaml")
        assert all(part in str(caught.value) for part in expected)


def test_what_is_no_readable_file_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(b"#" * (MAX_BYTES + 1))
    for name, message in {
        "folder": "is a folder, expected a file",
        "absent": "does not exist",
        "large": "more than the 1,048,576 allowed",
        "large/below": "cannot be read",
    }.items():
        with pytest.raises(SpecError, match=message):
            read(tmp_path / name, name)
