"""Objects of a bucket, a kit for each format. Each needs a `Bucket`, whose own client owes nothing to windlass.

They are not among the kits that meet each other in test_pairs.py: they go with tests of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from tests.connectors.kits.files import CsvKit, ParquetKit
from windlass.connections import Address
from windlass.plan.model import Destination, Mode, Source
from windlass.testing import Copier, Kit, Row, destination_of, source_of

__all__ = ["Bucket", "SftpKit", "StoredCsvKit", "StoredParquetKit"]


class Bucket(Protocol):
    """A bucket of a test's own."""

    name: str
    address: Address

    def put(self, key: str, data: bytes) -> None: ...

    def get(self, key: str) -> bytes: ...

    def names(self) -> list[str]: ...

    def versions(self) -> dict[str, str]:
        """What is in it, each with something that is another one when it is written."""
        ...

    def environment(self) -> dict[str, str]:
        """Who asks, for paths without a connection."""
        ...

    def uploads(self) -> int:
        """How many uploads have begun and have neither taken effect nor been given up."""

    def empty(self) -> None:
        """Remove all that is in it."""


class _StoredKit(Kit):
    """An object for each source, and one as destination."""

    connector = "s3"  # which of the stores makes no difference to what a kit can be
    format: ClassVar[str]
    gaps: ClassVar[Mapping[str, str]] = {}

    def __init__(self, copier: Copier, bucket: Any) -> None:
        super().__init__(copier)
        self.bucket, self._made = bucket, 0
        copier.addresses["lake"] = bucket.address

    def source(self, rows: Sequence[Row]) -> Source:
        self._made += 1
        key = f"raw/source_{self._made}.{self.format}"
        self.bucket.put(key, self._encoded(rows))
        return source_of(connection="lake", path=key)

    def add(self, source: Source, row: Row) -> None:
        key = source.options["path"]
        self.bucket.put(key, self._encoded([*self._decoded(self.bucket.get(key)), row]))

    def destination(self, mode: Mode = "replace", **options: Any) -> Destination:
        key = ("id",) if mode == "merge" else ()
        return destination_of(
            connection="lake", path=f"out/target.{self.format}", mode=mode, key=key, **options
        )

    def raw(self) -> Iterable[Sequence[Any]]:
        return self._decoded(self.bucket.get(f"out/target.{self.format}"))

    def left(self) -> list[str]:
        return [*super().left(), *self.bucket.names(), f"{self.bucket.uploads()} uploads"]

    def _encoded(self, rows: Sequence[Any]) -> bytes:
        file = self.copier.folder / "encoded"
        self.write(file, rows)
        data = file.read_bytes()
        file.unlink()
        return data

    def _decoded(self, data: bytes) -> list[tuple[Any, ...]]:
        file = self.copier.folder / "decoded"
        file.write_bytes(data)
        rows = self.read(file)
        file.unlink()
        return rows

    def write(self, file: Any, rows: Sequence[Any]) -> None:
        raise NotImplementedError

    def read(self, file: Any) -> list[tuple[Any, ...]]:
        raise NotImplementedError


class SftpKit(_StoredKit):
    """Files of a server of SFTP, which are only read."""

    connector = "sftp"
    format = "csv"
    write, read, _text = CsvKit.write, CsvKit.read, CsvKit._text

    def left(self) -> list[str]:
        return Kit.left(self)


class StoredCsvKit(_StoredKit):
    format = "csv"
    write, read, _text = CsvKit.write, CsvKit.read, CsvKit._text


class StoredParquetKit(_StoredKit):
    format = "parquet"
    write, read = ParquetKit.write, ParquetKit.read
