"""BigQuery's SQL: names, text and moments as it writes them.

https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical
"""

from __future__ import annotations

from collections.abc import Iterable

from windlass.errors import FatalError

__all__ = ["TableName", "literal", "name", "names"]

_ESCAPED = {
    "\\": "\\\\",
    "'": "\\'",
    "\n": "\\n",
    "\r": "\\r",
    "\0": "\\x00",
}


def name(text: str) -> str:
    """A name, quoted."""
    return "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"


def names(texts: Iterable[str]) -> str:
    """Names, quoted, as a list."""
    return ", ".join(map(name, texts))


def literal(value: str | int | bool | None) -> str:
    """A value, as SQL.

    >>> literal("it's"), literal(True), literal(None)
    ("'it\\\\'s'", 'TRUE', 'NULL')
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    return "'" + "".join(_ESCAPED.get(character, character) for character in value) + "'"


class TableName:
    """A table: its project, its dataset and its own name."""

    def __init__(self, written: str, project: str, dataset: str) -> None:
        parts = [part.strip("`") for part in written.replace("`", "").split(".")]
        if len(parts) > 3 or not all(parts):
            raise FatalError(
                f"{written!r} is not a table", hint="expected name, dataset.name or project.dataset.name"
            )
        self.project, self.dataset, self.table = [*[project, dataset][: 3 - len(parts)], *parts]
        if not self.dataset:
            hint = "write it as dataset.name, or end the address with the dataset: bigquery://project/dataset"
            raise FatalError(f"nothing says in which dataset the table {written!r} is", hint=hint)

    def beside(self, table: str) -> TableName:
        """Another table of the same dataset."""
        return TableName(f"{self.project}.{self.dataset}.{table}", "", "")

    @property
    def id(self) -> str:
        """As the interface has it."""
        return f"{self.project}.{self.dataset}.{self.table}"

    @property
    def path(self) -> str:
        """As the Storage interfaces have it."""
        return f"projects/{self.project}/datasets/{self.dataset}/tables/{self.table}"

    @property
    def sql(self) -> str:
        return ".".join(map(name, (self.project, self.dataset, self.table)))

    def __str__(self) -> str:
        return f"{self.dataset}.{self.table}"
