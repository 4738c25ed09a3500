"""When the runs of the table are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["FIRED"]

# a Job of Kubernetes is known for sixty days by the minute in its name
FIRED = (datetime.now(UTC) - timedelta(days=2)).replace(day=2, hour=6, minute=0, second=0, microsecond=0)
"""Each pipeline runs for the last tick of its schedule until then."""
