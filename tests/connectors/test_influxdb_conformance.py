"""The suite that every connector passes, with measurements of a real InfluxDB."""

from __future__ import annotations

import pytest

from tests.connectors.influxdb_kit import InfluxdbKit
from windlass.connections import Address
from windlass.testing import Conformance, Copier, Kit


class TestInfluxdb(Conformance):
    @pytest.fixture
    def kit(self, copier: Copier, influxdb: Address) -> Kit:
        return InfluxdbKit(copier, influxdb)
