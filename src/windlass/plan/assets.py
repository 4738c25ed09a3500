"""What an asset may be called, so that Airflow takes it, too: an address, or a name."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["why_no_asset"]

_LONGEST = 1500
_RESERVED = "airflow"


def why_no_asset(text: str) -> str | None:
    """Why the text cannot be the name of an asset; None when it can.

    >>> why_no_asset("s3://bucket/key"), why_no_asset("airflow://x")
    (None, "'airflow:' is Airflow's own")
    """
    if not text.strip():
        return "it is empty"
    if len(text) > _LONGEST:
        return f"it has more than {_LONGEST:,} characters"
    try:
        scheme = urlsplit(text).scheme
    except ValueError as exc:
        return str(exc)
    return f"'{_RESERVED}:' is Airflow's own" if scheme == _RESERVED else None
