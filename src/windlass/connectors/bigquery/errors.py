"""What BigQuery's errors mean here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from windlass.errors import Code, FatalError, RetryableError, WindlassError

__all__ = ["PATIENCE", "bigquery_errors"]

PATIENCE = 60.0
"""Seconds for which a request is tried again that BigQuery could not answer."""

_NOT_LET_IN = (401, 403)
_LOST = ("backendError", "internalError", "jobBackendError", "jobInternalError", "tableUnavailable")
_TOO_MUCH = ("rateLimitExceeded", "jobRateLimitExceeded", "quotaExceeded")
"""Reasons to try again: https://cloud.google.com/bigquery/docs/error-messages"""

_CONFLICTS = ("due to concurrent update", "transaction is aborted", "Conflict on")
"""What BigQuery says where two transactions have changed the same table; the last one is an emulator's word."""

_HINTS = {
    "that can be used for partition elimination": "the table demands a condition on the column that it is partitioned by: "
    "an interval, a cursor, or a `query` that has one",
    "limit for bytes billed": "raise `maximum_bytes_billed` in the address, or read less",
}
"""What to do about an error, by what is in its text."""


@contextmanager
def bigquery_errors(where: str) -> Iterator[None]:
    """Turn the driver's exceptions into ours."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        yield
    except GoogleAuthError as exc:
        raise _not_let_in(where, exc) from exc
    except GoogleAPIError as exc:
        raise _translated(where, exc) from exc
    except (RequestException, ConnectionError, TimeoutError) as exc:
        raise RetryableError(
            f"{where} cannot be reached: {_first_line(exc)}", code=Code.CONNECTION_LOST
        ) from exc


def _not_let_in(where: str, exc: Any) -> WindlassError:
    said = _first_line(exc)
    if getattr(exc, "retryable", False):
        return RetryableError(f"no access token for {where}: {said}", code=Code.CONNECTION_LOST)
    hint = (
        "log in with `gcloud auth application-default login`, let the machine have a service account, or name the file of "
        "one in the address: ?key_file=…"
    )
    return FatalError(f"no credentials for {where}: {said}", hint=hint, code=Code.NOT_LET_IN)


def _translated(where: str, exc: Any) -> WindlassError:
    from google.api_core import exceptions

    code, said = getattr(exc, "code", None), _first_line(exc)
    cause = getattr(exc, "cause", None)
    if isinstance(exc, exceptions.RetryError) and cause is not None:
        return RetryableError(
            f"{where} did not answer in {PATIENCE:g} s: {_first_line(cause)}", code=Code.CONNECTION_LOST
        )
    if any(word in str(exc) for word in _CONFLICTS):
        return RetryableError(f"{where}: {said}", code=Code.MAY_WORK_LATER)
    if _reason(exc) in _TOO_MUCH or isinstance(exc, exceptions.TooManyRequests):
        hint = "a quota of the project is used up for now; `retries` with a `retry_delay` waits for it"
        return RetryableError(f"{where}: {said}", hint=hint, code=Code.MAY_WORK_LATER)
    if _reason(exc) in _LOST or isinstance(exc, exceptions.ServerError):
        return RetryableError(f"{where}: {said}", code=Code.CONNECTION_LOST)
    if code in _NOT_LET_IN:
        hint = "the account needs the roles BigQuery Data Editor on the dataset and BigQuery Job User on the project"
        return FatalError(f"{where} does not let us in: {said}", hint=hint, code=Code.NOT_LET_IN)
    if isinstance(exc, exceptions.NotFound) and "able" in said:
        return FatalError(f"{where}: {said}", code=Code.NO_TABLE)
    return FatalError(
        f"{where}: {said}", hint=next((_HINTS[word] for word in _HINTS if word in str(exc)), None)
    )


def _reason(exc: Any) -> str:
    errors = getattr(exc, "errors", None) or [{}]
    first = errors[0]
    return str(first.get("reason", "")) if isinstance(first, Mapping) else ""


def _first_line(exc: object) -> str:
    """What the driver says, without the request and without what it says again."""
    text = str(getattr(exc, "message", None) or exc).strip().split("\n", 1)[0]
    for beginning in ("POST ", "GET ", "PATCH ", "DELETE "):
        if text.startswith(beginning):
            text = text.partition("prettyPrint=false: ")[2] or text
    return text.partition("; reason: ")[0]
