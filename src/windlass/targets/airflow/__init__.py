"""Airflow: a fixed loader, copied as it is, and the project's plans beside it."""

from windlass.targets.airflow.export import export, needs_of

__all__ = ["export", "needs_of"]
