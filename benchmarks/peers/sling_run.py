"""Sling, from the program in its wheel."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

spec = find_spec("sling_linux_amd64")
if spec is None or spec.origin is None:
    sys.exit("sling is not installed")
program = Path(spec.origin).parent / "bin" / "sling-linux-amd64"
os.execv(program, [str(program), *sys.argv[1:]])
