"""What a connector has to do to be one: a suite of tests that every connector passes, ours and yours.

A package that brings a connector writes a kit, which makes sources with rows and destinations and looks at what is in
those by means of its own, and runs the whole suite (it needs pytest):

    class TestMine(Conformance):
        @pytest.fixture
        def kit(self, tmp_path: Path) -> MyKit:
            return MyKit(Copier(tmp_path))

What a connector cannot do, it says: by what its manifest and the traits of its destination leave out, and for the
rest in the `gaps` of its kit. A gap that is none any more fails.
"""

import pytest

pytest.register_assert_rewrite("windlass.testing.reading", "windlass.testing.writing")

from windlass.testing.conformance import Conformance
from windlass.testing.copies import Copier, destination_of, source_of
from windlass.testing.kits import Kit, NdjsonKit, SqliteKit
from windlass.testing.rows import NAMES, NEW, OLD, Row, canonical, record

__all__ = [
    "NAMES",
    "NEW",
    "OLD",
    "Conformance",
    "Copier",
    "Kit",
    "NdjsonKit",
    "Row",
    "SqliteKit",
    "canonical",
    "destination_of",
    "record",
    "source_of",
]
