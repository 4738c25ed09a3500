"""The waits between the attempts at a task."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

try:
    from airflow.sdk import RetryDecision, RetryPolicy
except ImportError:  # before Airflow 3.3
    RetryPolicy = None  # type: ignore[assignment,misc]

from .bundle import Json

__all__ = ["waits"]

_LONGEST = 3600.0


def waits(retry: Json) -> Json:
    """The waits between attempts: exact where Airflow lets a task say them, else Airflow's own, which vary."""
    waits: Json = {
        "retry_delay": timedelta(seconds=min(retry["delay"], _LONGEST)),
        "max_retry_delay": timedelta(seconds=_LONGEST),
    }
    if RetryPolicy is not None:
        waits |= {"retry_exponential_backoff": retry["backoff"], "retry_policy": Waits(retry)}
    else:
        waits["retry_exponential_backoff"] = retry["backoff"] > 1
    return waits


if RetryPolicy is not None:

    class Waits(RetryPolicy):
        """Waits as long as windlass would before the next attempt."""

        def __init__(self, retry: Json) -> None:
            self._retry = retry

        def evaluate(
            self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
        ) -> RetryDecision:
            # clearing a task raises max_tries, and its attempts count from the beginning again
            attempt = max(1, try_number - max(0, max_tries - self._retry["retries"]))
            seconds = self._retry["delay"] * self._retry["backoff"] ** (attempt - 1)
            return RetryDecision.retry(delay=timedelta(seconds=min(seconds, _LONGEST)))
