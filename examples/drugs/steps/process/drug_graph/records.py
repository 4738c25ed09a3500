"""Rows to records: cleaned, merged where they are the same thing, each with an id of its own.

Two records are the same when they have the same id, or when one has none and their titles are the same;
and when nothing that the one says contradicts the other. So rows that complement each other fill each
other's gaps, and nothing that was written is overwritten.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from drug_graph.cleaning import NOTHING, clean, read_date
from drug_graph.decisions import Decision, What
from drug_graph.tables import COLUMNS, Row

# Anatomical Therapeutic Chemical codes: https://atcddd.fhi.no/atc/structure_and_principles/
ATC_CODE = r"[A-Z](\d{2}([A-Z]([A-Z](\d{2})?)?)?)?"

WITHOUT = {
    "text": "no mention can be found",
    "date": "its mentions have no date",
    "journal": "no journal mentions a drug through it",
}


@dataclass(frozen=True)
class Record:
    """A drug (`text` is its name), a publication or a trial (`text` is its title)."""

    kind: str
    rows: tuple[str, ...]
    """The places of the rows that it was made of."""

    id: str | None = None
    text: str | None = None
    date: str | None = None
    journal: str | None = None

    @property
    def content(self) -> tuple[str | None, ...]:
        return self.id, self.text, self.date, self.journal


def read_records(rows: Sequence[Row], decisions: list[Decision]) -> list[Record]:
    """The records that the rows are about, each once. Adds to the decisions."""
    cleaned = [_record(row, decisions) for row in rows]
    records: list[Record] = []
    for record in cleaned:
        if any(record.content):
            records.append(record)
        else:
            decisions.append(Decision(record.rows[0], "left out", "there is nothing in the row"))
    records = _one_spelling(records, decisions)
    return [
        record
        for kind in COLUMNS
        for record in _named(_merged([r for r in records if r.kind == kind], decisions), decisions)
    ]


def same_text(text: str | None) -> str:
    """What the spellings of a title or a name share: neither capitals nor a full stop make another one."""
    return (text or "").casefold().rstrip(" .,;:")


def _record(row: Row, decisions: list[Decision]) -> Record:
    values: dict[str, str | None] = {}
    for name, written in row.values.items():
        text, reasons = clean(written or "")
        if text and text.casefold() in NOTHING:
            text, reasons = "", [*reasons, "a word for nothing"]
        if name == "id" and re.fullmatch(r"\d+\.0", text):
            text, reasons = text[:-2], [*reasons, "a whole number"]
        if name == "date" and text:
            read, how = read_date(text)
            reasons = reasons if read == text else [*reasons, how]
            text = read
        values[name] = text or None
        if reasons and (written or "").strip():
            column = COLUMNS[row.kind][name]
            what: What = "repaired" if text else "left out"
            decisions.append(Decision(row.place, what, "; ".join(reasons), column, written, text or None))
    return Record(row.kind, (row.place,), **values)


def _one_spelling(records: Sequence[Record], decisions: list[Decision]) -> list[Record]:
    """Every journal as most rows spell it; as the first does, where two spellings are as common."""
    best: dict[str, str] = {}
    for name, _ in Counter(record.journal for record in records if record.journal).most_common():
        best.setdefault(same_text(name), name)
    result = []
    for record in records:
        journal = best[same_text(record.journal)] if record.journal else None
        if journal != record.journal:
            why = "the same journal, as most rows spell it"
            decisions.append(Decision(record.rows[0], "repaired", why, "journal", record.journal, journal))
        result.append(replace(record, journal=journal))
    return result


def _merged(records: Sequence[Record], decisions: list[Decision]) -> list[Record]:
    """Each thing once, in the order of their first rows."""
    merged: list[Record] = []
    found: dict[tuple[str, str], list[int]] = defaultdict(list)  # places in `merged`
    for record in sorted(records, key=lambda record: record.id is None):
        candidates = found[keys[0]] if (keys := _keys(record)) else []
        same = [index for index in candidates if _agree(merged[index], record)]
        if len(same) == 1:
            index = same[0]
            merged[index], why = _union(merged[index], record)
            decisions.append(Decision(record.rows[0], "merged", why, after=merged[index].rows[0]))
        else:
            index = len(merged)
            merged.append(record)
            if candidates:
                others = ", ".join(merged[other].rows[0] for other in candidates)
                why = f"could be the same as any of {others}" if same else f"contradicts {others}"
                decisions.append(Decision(record.rows[0], "kept", why))
        for key in _keys(merged[index]):
            if index not in found[key]:
                found[key].append(index)
    order = {record.rows[0]: number for number, record in enumerate(records)}
    return sorted(merged, key=lambda record: min(order[row] for row in record.rows))


def _keys(record: Record) -> list[tuple[str, str]]:
    """What to find records by that may be the same: the id, if there is one, before the title."""
    keys = (("id", record.id), ("text", same_text(record.text)))
    return [(name, value) for name, value in keys if value]


def _agree(one: Record, other: Record) -> bool:
    """Whether nothing that the one says contradicts the other."""
    return all(
        a is None or b is None or same_text(a) == same_text(b)
        for a, b in zip(one.content, other.content, strict=True)
    )


def _union(into: Record, record: Record) -> tuple[Record, str]:
    """The record with its gaps filled, and what that means."""
    gaps = {
        name: getattr(record, name)
        for name in ("id", "text", "date", "journal")
        if getattr(into, name) is None and getattr(record, name) is not None
    }
    filled = " and ".join(COLUMNS[record.kind][name] for name in gaps)
    why = f"the same {record.kind}, and gives it its {filled}" if gaps else f"the same {record.kind} again"
    return replace(into, rows=(*into.rows, *record.rows), **gaps), why


def _named(records: Sequence[Record], decisions: list[Decision]) -> list[Record]:
    """Every record with an id: one made of its content if it has none, a number behind one that is taken."""
    taken: set[str] = set()
    result = []
    for record in records:
        content = "\0".join(value or "" for value in record.content)
        wanted = record.id or f"unknown-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
        given, number = wanted, 2
        while given in taken:
            given, number = f"{wanted}~{number}", number + 1
        taken.add(given)
        columns = COLUMNS[record.kind]
        if given != record.id:
            why = "another has this id" if record.id else "no id, so one that is made of its content"
            decisions.append(Decision(record.rows[0], "repaired", why, columns["id"], record.id, given))
        elif record.kind == "drug" and not re.fullmatch(ATC_CODE, given):
            why = "not an ATC code, but the only one that there is"
            decisions.append(Decision(record.rows[0], "kept", why, columns["id"], given, given))
        for name, why in WITHOUT.items():
            if name in columns and getattr(record, name) is None:
                decisions.append(Decision(record.rows[0], "kept", f"empty: {why}", columns[name]))
        result.append(replace(record, id=given))
    return result
