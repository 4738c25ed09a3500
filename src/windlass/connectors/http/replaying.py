"""A server that gives the recorded answers of a file of the project."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from windlass.recordings import RecordedApi, read_recording


def main(project: str, file: str) -> None:
    """Answer until stopped."""
    api = RecordedApi(read_recording(Path(project), file), Path(project), only_here=True)
    os.write(1, f"{api.port}\n".encode())
    api.serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
