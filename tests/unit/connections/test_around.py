"""Secrets in variables that are no connections."""

from __future__ import annotations

import pytest

from windlass import logs
from windlass.connections import hide_secrets


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-org=sales,Api-Key=canary-around%2F1", "canary-around/1"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
            "authorization=Bearer%20canary-around-2",
            "canary-around-2",
        ),
        ("OPENLINEAGE_API_KEY", "canary-around-3", "canary-around-3"),
        ("OPENLINEAGE__TRANSPORT__URL", "https://me:canary-around-4@lineage", "canary-around-4"),
    ],
)
def test_what_a_collector_is_asked_with_is_masked(name: str, value: str, secret: str) -> None:
    hide_secrets({name: value})
    assert logs.mask(f"sales sent {secret} there") == f"sales sent {logs.MASK} there"
