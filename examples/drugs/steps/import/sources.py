"""Which files to import, and where to: what the config file and the pipeline's parameters say."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

TYPES = ("csv", "json", "ndjson", "parquet")


class ConfigError(Exception):
    """The config file or the parameters make no sense; the message says where and why."""


@dataclass(frozen=True)
class Source:
    """A file (or a pattern of files), and the table that it becomes."""

    source_type: str
    source_id: str
    source: str
    dest_table: str
    delimiter: str = ""
    encoding: str = ""


def read_config(text: str, file: str, env: str) -> tuple[list[Source], Mapping[str, Any]]:
    """The sources of the config file, and the settings of the environment. Raises ConfigError."""
    try:
        config = json.loads(text)
    except json.JSONDecodeError as exc:
        raise ConfigError(f"{file}:{exc.lineno}:{exc.colno}: {exc.msg}") from exc
    if not isinstance(config, dict) or not isinstance(config.get("sources"), list):
        raise ConfigError(f"{file}: expected an object with a list of 'sources'")
    sources = [_source(entry, f"{file}: sources[{i}]") for i, entry in enumerate(config["sources"])]
    for name in ("source_id", "dest_table"):
        values = [getattr(source, name).lower() for source in sources]
        if twins := sorted({value for value in values if values.count(value) > 1}):
            raise ConfigError(f"{file}: several sources have the {name} {twins[0]!r}")
    environments = config.get("environments", {env: {}})
    if env not in environments:
        raise ConfigError(f"{file} has no environment {env!r}; {_near(env, environments)}")
    return sources, environments[env]


def choose(sources: list[Source], parameters: Namespace) -> list[Source]:
    """The sources that the parameters ask for: one that they describe, or some of the config's."""
    if parameters.source:
        return [_single(parameters)]
    chosen = [s for s in sources if parameters.source_type in ("", s.source_type)]
    if parameters.source_id:
        ids = {source.source_id: source for source in chosen}
        if parameters.source_id not in ids:
            raise ConfigError(
                f"there is no source {parameters.source_id!r}; {_near(parameters.source_id, ids)}"
            )
        chosen = [ids[parameters.source_id]]
    if not chosen:
        raise ConfigError(f"{parameters.config_file} has no source of type {parameters.source_type!r}")
    if parameters.dest_table and len(chosen) > 1:
        raise ConfigError("dest_table names one table: choose one source, with source_id or source")
    if parameters.dest_table:
        chosen = [_checked(replace(chosen[0], dest_table=parameters.dest_table), "the parameters")]
    return chosen


def _single(parameters: Namespace) -> Source:
    """A source that the parameters describe: its type and its table by its name, unless they are said."""
    path = Path(parameters.source)
    return _checked(
        Source(
            source_type=parameters.source_type or path.suffix.lstrip(".").lower(),
            source_id=parameters.source_id or parameters.source,
            source=parameters.source,
            dest_table=parameters.dest_table or path.name.partition(".")[0],
        ),
        "the parameters",
    )


def _source(entry: Any, where: str) -> Source:
    names = [field.name for field in fields(Source)]
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: expected an object with {', '.join(names[:4])}")
    for name, value in entry.items():
        if name not in names:
            raise ConfigError(f"{where}: unknown key {name!r}; {_near(name, names)}")
        if not isinstance(value, str):
            raise ConfigError(f"{where}: {name} is a text, not {value!r}")
    if missing := [name for name in names[:4] if not entry.get(name)]:
        raise ConfigError(f"{where} has no {missing[0]!r}")
    return _checked(Source(**entry), where)


def _checked(source: Source, where: str) -> Source:
    if source.source_type not in TYPES:
        raise ConfigError(f"{where}: source_type {source.source_type!r}, expected one of {', '.join(TYPES)}")
    if not re.fullmatch(r"[\w-]+", source.dest_table):
        raise ConfigError(f"{where}: dest_table {source.dest_table!r}, expected letters, digits, '_' and '-'")
    return source


def _near(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(word, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names) or 'none'}"
