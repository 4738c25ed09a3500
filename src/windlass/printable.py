"""Text of strangers, for terminals and pages: what it says, and nothing that takes hold of them.

What a step prints, a server answers or a row holds may contain codes that clear a terminal, change its title, write
somewhere else in it or turn text around.
"""

from __future__ import annotations

import json
import re

__all__ = ["escaped_json", "one_line_of_json", "printable"]

_CODES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI, ECMA-48 section 5.4: colours, the cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC and the like: titles, links
    r"|\x1b[ -/]*[0-~]"  # two or three characters
)
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_NOT_IN_JSON = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_encoded = json.encoder.encode_basestring  # what an encoder does with text, which is most of a log
_ENCODER = json.JSONEncoder(default=str, ensure_ascii=False)  # json.dumps would make one each time


def printable(text: str) -> str:
    """The text without codes, and with a picture of each other character that cannot be shown; lines stay lines."""
    if text.isascii() and text.isprintable():
        return text
    return _INVISIBLE.sub(_shown, _CODES.sub("", text.replace("\r\n", "\n")))


def one_line_of_json(value: object) -> str:
    """The value as JSON that a terminal can be given as well; what JSON cannot say, as text."""
    encoded = _encoded(value) if isinstance(value, str) else _ENCODER.encode(value)
    return escaped_json(encoded)


def escaped_json(text: str) -> str:
    """The same JSON with escapes for what a terminal would obey, and JSON need not escape."""
    harmless = text.isascii() and "\x7f" not in text
    return text if harmless else _NOT_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\N{REPLACEMENT CHARACTER}"
