"""`windlass import`: what others say of an API, as a connection and a pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import click

from windlass.cli.echo import echo, echo_json
from windlass.cli.main import App
from windlass.cli.options import json_option

__all__ = ["import_command"]


@click.command("import")
@click.argument("kind", type=click.Choice(["openapi", "airbyte"]), metavar="openapi|airbyte")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="The name of connection and pipeline. Default: that of the file.")
@click.option(
    "--to", "to", metavar="CONNECTION", help="Load into tables of this connection. Default: into files."
)
@json_option
@click.pass_obj
def import_command(
    app: App, kind: str, file: Path, name: str | None, to: str | None, *, as_json: bool
) -> int:
    """Generate a connection and a pipeline from FILE: an OpenAPI 3 document, or an Airbyte low-code manifest.

    Each list of records becomes a copy. Whatever cannot be translated is reported, and listed at the top of the pipeline.
    """
    from windlass.importing.names import name_of
    from windlass.importing.reading import import_file
    from windlass.importing.writing import connection_text, write_files

    imported = import_file(kind, app.folder / file, name or name_of(file.stem))
    written = write_files(imported, app.folder, to)
    has_project = "windlass.yaml" not in written
    if as_json:
        document = {
            "files": written,
            "connection": imported.connection,
            "tasks": list(imported.sources),
            "variable": imported.variable,
            "notes": imported.notes,
        }
        echo_json(json.dumps(document, indent=2))
        return 0
    for path in written:
        echo(f"made {path}")
    if imported.notes:
        echo("\nnot translated, or to be looked at:")
        echo("\n".join(f"  {note}" for note in imported.notes))
    if has_project:
        echo(f"\nput this into windlass.yaml:\n{connection_text(imported)}".rstrip())
    if imported.variable:
        echo(f"\nsay who asks: {imported.variable}")
    return 0
