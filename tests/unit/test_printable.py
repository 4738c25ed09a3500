"""Text of strangers cannot take hold of a terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.printable import one_line_of_json, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, é, 表, 👍", "plain, é, 表, 👍"),
        ("two\nlines\tand a tab\r\nthree", "two\nlines\tand a tab\nthree"),
        ("\x1b]0;pwned title\x07\x1b[2J\x1b[31mRED\x1b[0m\x1b]8;;http://evil\x07link", "REDlink"),
        ("\x1b]0;with a string terminator\x1b\\rest", "rest"),
        ("\x9b2Jeight bits\x9d0;title\x9crest", "eight bitsrest"),
        ("\x1bPq a picture\x1b\\\x1b(0\x1b7\x1bcrest", "rest"),
        ("a\x1b", "a␛"),
        ("\x1b]0;never ended", "0;never ended"),
        ("back\x08space\rreturn\x00", "back␈space␍return␀"),
        ("\u202eturned\u2066round", "\ufffdturned\ufffdround"),
    ],
)
def test_codes_are_gone_and_the_text_is_there(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.sampled_from("\x1b\x9b\x9d\x9c\x07[]0;mJ\\\r\n\t ax\u202e\x7f")))
def test_nothing_is_left_that_a_terminal_would_obey(text: str) -> None:
    assert not {c for c in printable(text) if not c.isprintable()} - {"\n", "\t"}
    line = one_line_of_json({"a": text})
    assert all(c.isprintable() for c in line)
    assert json.loads(line) == {"a": text}
