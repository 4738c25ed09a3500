"""Prints what must not be printed: a step is not to be trusted with a log."""

import os
import sys

sys.stdout.write(f"I connect to {os.environ['WINDLASS_CONN_VAULT']}\n")
