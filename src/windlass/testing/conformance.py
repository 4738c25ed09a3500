"""The whole suite, and how a connector says what it cannot do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from windlass.testing.kits import Kit
from windlass.testing.reading import Reading
from windlass.testing.writing import Writing

__all__ = ["Conformance"]


class Conformance(Reading, Writing):
    """All that a connector has to do. A subclass says with what kit: the tests find their fixtures here."""

    @pytest.fixture
    def kit(self) -> Iterator[Kit]:
        """The kit of the connector."""
        raise NotImplementedError("give the kit of your connector in a fixture `kit`")

    @pytest.fixture(autouse=True)
    def _gap(self, kit: Kit, request: pytest.FixtureRequest) -> None:
        """A test that the kit names, or a case of it, is expected to fail, and may not pass."""
        why = kit.gaps.get(request.node.originalname) or kit.gaps.get(request.node.name)
        if why is not None:
            request.applymarker(pytest.mark.xfail(reason=why, strict=True))

    @pytest.fixture
    def readable(self, kit: Kit) -> Kit:
        """The kit of a connector that can be read."""
        if not kit.reads():
            pytest.skip(f"{kit.connector} is not a source")
        return kit

    @pytest.fixture
    def writable(self, kit: Kit) -> Kit:
        """The kit of a connector that can be written."""
        if not kit.writes():
            pytest.skip(f"{kit.connector} is not a destination")
        return kit

    def test_gaps_are_tests(self, kit: Kit) -> None:
        assert [name for name in kit.gaps if not hasattr(self, name.partition("[")[0])] == []
