"""The pipelines of `plan.json`, which lies beside this file, as Airflow DAGs.

Written by `windlass export airflow`; the same for every project, so edit nothing here. It needs Airflow 3.1
or newer and nothing of windlass: the plan was compiled, checked and resolved before it came here. A task
starts the same command as everywhere else; a connection is taken from Airflow when the task runs.
"""

from __future__ import annotations

import hashlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from airflow.sdk import DAG

HERE = Path(__file__).parent


def package() -> ModuleType:
    """The folder beside this file as a package, by a name of its own: other projects have one, too."""
    folder = HERE / "windlass_airflow"
    name = f"windlass_airflow_{hashlib.sha256(str(HERE).encode()).hexdigest()[:12]}"
    spec = spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None or not folder.is_dir():
        hint = "write it again with `windlass export airflow`, and deploy the whole folder `dags`"
        raise FileNotFoundError(f"{folder} is missing: {hint}")
    for known in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
        del sys.modules[known]  # of an older export, in a process that reads files more than once
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dags() -> dict[str, DAG]:
    found: dict[str, DAG] = package().dags_of(HERE / "plan.json")
    return found


globals().update(dags())
