"""The pipelines of a windlass project as Airflow DAGs: the standard library and Airflow, nothing of windlass."""

from .pipelines import dags_of

__all__ = ["dags_of"]
