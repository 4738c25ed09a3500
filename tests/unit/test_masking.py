"""Secrets are masked in every form in which programs print them."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.masking import MASK, Secrets

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent": lambda s: quote(s, safe=""),
    "percent, with slashes": quote,
    "percent, lower case": lambda s: re.sub("%..", lambda e: e[0].lower(), quote(s, safe="")),
    "a form of the web": quote_plus,
    "html": html.escape,
    "html, text": lambda s: html.escape(s, quote=False),
    "json": json.dumps,
    "json, not only ascii": lambda s: json.dumps(s, ensure_ascii=False),
    "json in json": lambda s: json.dumps(json.dumps(s)),
    "repr": repr,
    "bytes": lambda s: repr(s.encode()),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64, for addresses": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "hexadecimal": lambda s: s.encode().hex(),
    "hexadecimal, upper case": lambda s: s.encode().hex().upper(),
}
SECRETS = ("p@ss/w?rd#x", "plainword12", 'it\'s "quoted" & <more>', "schlüssel+99 %", "back\\slash/9")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_masked_in_each_form(secret: str, form: str) -> None:
    text = FORMS[form](secret)
    masked = Secrets([secret]).mask(f"before {text} behind")
    pieces = [text[i : i + 8] for i in range(len(text) - 7)]
    assert MASK in masked
    assert [piece for piece in pieces if piece in masked] == []


# The secret is in the middle of what is encoded: `user` may be seen.
AROUND: dict[str, Callable[[str], str]] = {
    "repr, with both quotes": lambda s: repr(f'it\'s "{s}"'),
    "basic auth": lambda s: base64.b64encode(f"me:{s}".encode()).decode(),
    "base64 of an address": lambda s: base64.urlsafe_b64encode(f"user:{s}@host".encode()).decode(),
    "base64 of json": lambda s: base64.b64encode(json.dumps({"key": [s]}).encode()).decode(),
}


@pytest.mark.parametrize("form", AROUND)
@pytest.mark.parametrize("secret", ["p@ss/w?rd#x", "plainword12", "schl%C3%BCssel"])
def test_a_secret_is_masked_inside_of_what_is_encoded(secret: str, form: str) -> None:
    masked, without = Secrets([secret]).mask(AROUND[form](secret)), AROUND[form]("")
    assert MASK in masked
    assert len(masked) <= len(without) + len(MASK) + 4


@pytest.mark.parametrize("form", FORMS)
def test_each_line_of_a_secret_is_masked_by_itself(form: str) -> None:
    secrets = Secrets(["new\nline3CanaryC\nand/another one\n-->"])
    for line in ("line3CanaryC", "and/another one"):
        assert MASK in secrets.mask(FORMS[form](line))
    assert secrets.mask("--> new text") == "--> new text"


@given(st.text(st.characters(codec="utf-8"), min_size=4), st.sampled_from(sorted(FORMS)))
def test_no_secret_of_any_text_is_left(secret: str, form: str) -> None:
    text = FORMS[form](secret)
    masked = Secrets([secret]).mask(text)
    too_short = {"base64": 8, "hexadecimal": 12}.get(form.split(",")[0], 0)
    assert MASK in masked or len(text) < too_short
    assert len(text) < 12 or text not in masked


def test_text_that_is_no_secret_stays() -> None:
    secrets = Secrets(["hunter2-and-more", "abc", "", "hunter2"])
    assert secrets.mask("a b c abc hunter") == "a b c abc hunter"
    assert secrets.masked({"n": 12, "x": [1.5, None, "hunter2"]}) == {"n": 12, "x": [1.5, None, MASK]}


_PIECE = st.one_of(st.sampled_from(["a", " ", "user=", "\n", "SEKRET"]), st.text(max_size=3))


@given(st.data())
def test_many_lines_are_masked_as_each_is_by_itself(data: st.DataObject) -> None:
    secrets = data.draw(st.lists(st.text(st.characters(codec="utf-8"), min_size=4), max_size=4))
    forms = [FORMS[form](secret) for secret in secrets for form in FORMS]
    pieces = st.lists(st.one_of(_PIECE, st.sampled_from(forms or ["none"])), max_size=6).map("".join)
    texts = data.draw(st.lists(pieces, max_size=6))
    known = Secrets(secrets)
    assert known.mask_all(texts) == [known.mask(text) for text in texts]
