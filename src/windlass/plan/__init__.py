"""compile(spec) -> Plan: pure. Checks everything that can be known before a run.

The compiler is imported by its own name (`windlass.plan.compiler`): whoever only executes a plan
must not pay for reading YAML.
"""

from windlass.plan.model import Plan

__all__ = ["Plan"]
