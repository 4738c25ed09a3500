"""Imports each source to a Parquet file, as it is, by one `windlass copy` each. Standard library only.

The copy streams, is atomic, and quarantines what cannot be read. This step says what is copied where, runs
as many copies at once as there are cores, and adds up what they did.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from sources import ConfigError, Source, choose, read_config

PROJECT = Path(__file__).resolve().parents[2]
WORKSPACE = Path(os.environ.get("WINDLASS_WORKSPACE", PROJECT))
RETRYABLE = 3  # the exit code of windlass for what may work later
PARAMETERS = (
    "config_file", "source_type", "source_id", "source", "dest_table", "bucket_name", "output_folder", "debug", "env"
)  # fmt: skip


def main() -> int:
    """Import what the parameters ask for. A source that fails does not keep the others back."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in PARAMETERS:
        parser.add_argument(f"--{name.replace('_', '-')}", default="")
    parameters = parser.parse_args()
    try:
        file = base_of(parameters.config_file) / parameters.config_file
        text = file.read_text(encoding="utf-8")
        sources, settings = read_config(text, parameters.config_file, parameters.env)
        chosen = choose(sources, parameters)
        folder = output_folder(parameters.bucket_name, parameters.output_folder)
    except OSError as exc:
        return failed(f"cannot read {parameters.config_file}: {exc.strerror}")
    except (ConfigError, UnicodeDecodeError) as exc:
        return failed(str(exc))
    debug = parameters.debug.lower() == "true"
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        import_one = partial(import_source, folder=folder, settings=settings, debug=debug)
        return summary(list(pool.map(import_one, chosen)))


def output_folder(bucket: str, folder: str) -> Path:
    """Where the Parquet files go."""
    if "://" in bucket:
        raise ConfigError(f"bucket_name {bucket!r}: expected a folder, not an address")
    return WORKSPACE / bucket / folder


def import_source(
    source: Source, folder: Path, settings: Mapping[str, Any], *, debug: bool
) -> dict[str, Any]:
    """Copy one source. Returns what `windlass copy` says of it, or its `error`."""
    target, bad_rows = (folder / f"{source.dest_table}{end}" for end in (".parquet", ".quarantine.ndjson"))
    options = {
        "from-format": source.source_type,
        "on-bad-row": "quarantine",
        "quarantine": bad_rows,
        "delimiter": source.delimiter,
        "encoding": source.encoding,
        "max-bad-rows": settings.get("max_bad_rows", ""),
    }
    command = ["windlass", "-C", str(base_of(source.source)), *(["--debug"] if debug else [])]
    command += ["copy", source.source, str(target), "--json"]
    command += [f"--{name}={value}" for name, value in options.items() if value != ""]
    if debug:
        say("command", level="debug", source=source.source_id, command=command)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = re.sub(r"^error\[\w+\]: ", "", done.stderr.strip())
        error = f"{source.source_id}: {said}"
        return {"error": error, "retryable": done.returncode == RETRYABLE}
    copied: dict[str, Any] = json.loads(done.stdout)
    if copied["rows_quarantined"]:
        say(
            "quarantined",
            level="warning",
            source=source.source_id,
            rows=copied["rows_quarantined"],
            file=str(bad_rows),
        )
    else:
        bad_rows.unlink(missing_ok=True)  # of an earlier import
    say("imported", source=source.source_id, file=str(target), rows=copied["rows_written"])
    return copied


def summary(copies: list[dict[str, Any]]) -> int:
    """Print the sums in the form that windlass reads, and what failed. Returns the exit code."""
    names = ("rows_read", "rows_written", "rows_quarantined", "bytes")
    sums = {name: sum(copy.get(name, 0) for copy in copies) for name in names}
    say("result", **sums, path=", ".join(sorted({copy["path"] for copy in copies if "path" in copy})))
    errors = [copy for copy in copies if "error" in copy]
    if not errors:
        return 0
    retryable = all(copy["retryable"] for copy in errors)
    return failed("\n".join(copy["error"] for copy in errors), retryable=retryable)


def base_of(path: str) -> Path:
    """What a path (or a pattern) is relative to: the workspace, or the project if the workspace has no such file."""
    if Path(path).is_absolute() or any(WORKSPACE.glob(path)):
        return WORKSPACE
    return PROJECT


def failed(error: str, *, retryable: bool = False) -> int:
    """Print why the step fails. Returns its exit code."""
    say("failed", level="error", error=error, retryable=retryable)
    return RETRYABLE if retryable else 1


def say(event: str, level: str = "info", **fields: object) -> None:
    """Print a log record: one JSON object on a line of its own."""
    sys.stdout.write(json.dumps({"event": event, "level": level, **fields}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
