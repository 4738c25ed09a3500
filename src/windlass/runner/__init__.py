"""Runs a plan in the world that it is handed, by default that of this machine, and remembers what happened."""

from windlass.runner.history import History
from windlass.runner.runner import Result, Runner, RunOptions
from windlass.runner.world import World, here

__all__ = ["History", "Result", "RunOptions", "Runner", "World", "here"]
