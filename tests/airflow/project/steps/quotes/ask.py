"""Asks the server whose address is given, and keeps the answer in the workspace."""

import os
import sys
import urllib.request
from pathlib import Path

url, name = sys.argv[1:]
sys.stdout.write(f"asking {url}/quote\n")
with urllib.request.urlopen(f"{url}/quote") as answer:
    (Path(os.environ["WINDLASS_WORKSPACE"]) / name).write_bytes(answer.read())
