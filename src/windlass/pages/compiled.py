"""Templates of pages stay compiled, as modules do: in `__pycache__` beside them, where Python may write there."""

from __future__ import annotations

import hashlib
import marshal
import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket, BytecodeCache

from windlass import __version__
from windlass.files import write_whole

__all__ = ["Compiled"]


class Compiled(BytecodeCache):
    """The code of each template, known by a digest of all that it is made of, such as the text that makes the environment."""

    def __init__(self, environment: str) -> None:
        self._made_of = f"{jinja2.__version__} {__version__} {sys.version} {environment}"

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """The file, or nothing for what is in none, such as in a zip."""
        if filename is None or not Path(filename).is_file():
            return ""
        folder = Path(cache_from_source(filename)).parent
        return str(folder / f"{Path(filename).name}.{sys.implementation.cache_tag}.jinja")

    def get_source_checksum(self, source: str) -> str:
        return hashlib.sha256(f"{self._made_of}\0{source}".encode()).hexdigest()

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError, ValueError, EOFError, TypeError):
            checksum, _, code = Path(bucket.key).read_bytes().partition(b"\n")
            if checksum == bucket.checksum.encode():
                bucket.code = marshal.loads(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        if not bucket.key or bucket.code is None or sys.dont_write_bytecode:
            return
        with suppress(OSError):  # installed where we may not write
            file = Path(bucket.key)
            file.parent.mkdir(exist_ok=True)
            write_whole(file, f"{bucket.checksum}\n".encode() + marshal.dumps(bucket.code), durable=False)
