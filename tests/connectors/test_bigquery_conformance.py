"""The suite that every connector passes, with tables of an emulator of BigQuery."""

from __future__ import annotations

import pytest

from tests.connectors.bigquery_kit import BigqueryKit
from windlass.connections import Address
from windlass.testing import Conformance, Copier, Kit


class TestBigquery(Conformance):
    @pytest.fixture
    def kit(self, copier: Copier, bigquery: Address) -> Kit:
        return BigqueryKit(copier, bigquery)
