"""What Airflow shows under "Docs": the words of a pipeline or a task, and the file that a DAG was made from."""

from __future__ import annotations

import re

from .bundle import Json

__all__ = ["markdown", "of_pipeline"]

_LONGEST = 50_000  # characters of a file: Airflow keeps them with each version of the DAG


def of_pipeline(plan: Json, source: Json | None) -> str | None:
    """The description of a pipeline, and its file; Airflow's "Code" has only the loader."""
    parts = [plan["description"], _listing(source) if source else ""]
    return markdown("\n\n".join(part.rstrip() for part in parts if part))


def markdown(text: str) -> str | None:
    """Airflow takes a text that ends in `.md` for the name of a file."""
    return f"{text}\n" if text else None


def _listing(source: Json) -> str:
    text = source["text"].rstrip("\n")
    if len(text) > _LONGEST:
        whole, _, _ = text[:_LONGEST].rpartition("\n")
        text = f"{whole}\n# … and {text[len(whole) :].count(chr(10))} lines more"
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"`{source['file']}`:\n\n{fence}yaml\n{text}\n{fence}"
