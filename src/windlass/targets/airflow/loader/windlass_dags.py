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

from airflow import __version__
from airflow.sdk import DAG

HERE = Path(__file__).parent

if [int(number) for number in __version__.split(".")[:2]] < [3, 1]:
    raise ImportError(f"the pipelines of windlass need Airflow 3.1 or newer, and this is {__version__}")


def package() -> ModuleType:
    """The folder beside this file as a package. Other projects have one, too: its name says which code it is."""
    folder = HERE / "windlass_airflow"
    code = [file.read_bytes() for file in sorted(folder.glob("*.py"))]
    if not code:
        hint = "write it again with `windlass export airflow`, and deploy the whole folder `dags`"
        raise FileNotFoundError(f"{folder} is missing: {hint}")
    name = f"windlass_airflow_{hashlib.sha256(b''.join(code)).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def dags() -> dict[str, DAG]:
    found: dict[str, DAG] = package().dags_of(HERE / "plan.json")
    return found


globals().update(dags())
