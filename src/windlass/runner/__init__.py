"""Runs a plan on this machine, and remembers what happened."""

from windlass.runner.history import History
from windlass.runner.runner import Options, Result, Runner

__all__ = ["History", "Options", "Result", "Runner"]
