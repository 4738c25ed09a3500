"""What import-linter does not see: modules of one layer that import each other in a cycle, also inside functions."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_no_modules_import_each_other_in_a_cycle() -> None:
    graph = grimp.build_graph("windlass")
    modules = graph.modules - {
        "windlass"
    }  # which names the API for who checks types, and imports it when asked
    imports = {module: graph.find_modules_directly_imported_by(module) & modules for module in modules}
    TopologicalSorter(imports).prepare()  # raises CycleError with the cycle
