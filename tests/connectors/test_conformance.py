"""The suite that every connector passes, with every kit of ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.connectors.kits import KITS
from windlass.testing import Conformance, Kit


class TestOurs(Conformance):
    @pytest.fixture(params=KITS)
    def kit(self, request: pytest.FixtureRequest, make_kit: Callable[[str], Kit]) -> Kit:
        return make_kit(request.param)
