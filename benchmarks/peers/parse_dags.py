"""Parse a DAG file as Airflow does, with Airflow imported beforehand; print the seconds and the DAGs and tasks."""

import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import airflow.sdk
from airflow.providers.standard.operators.bash import BashOperator  # noqa: F401 - not to be measured
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator  # noqa: F401
from airflow.sdk import DAG, Asset, BaseOperator, Connection, CronDataIntervalTimetable, Param  # noqa: F401

if "dagfactory" in Path(sys.argv[1]).read_text():
    import dagfactory  # noqa: F401

began = time.perf_counter()
spec = spec_from_file_location("dags", sys.argv[1])
assert spec is not None
assert spec.loader is not None
module = module_from_spec(spec)
spec.loader.exec_module(module)
seconds = time.perf_counter() - began
dags = {value.dag_id: value for value in vars(module).values() if isinstance(value, airflow.sdk.DAG)}
sys.stdout.write(f"\n{seconds:.3f} {len(dags)} {sum(len(dag.tasks) for dag in dags.values())}\n")
