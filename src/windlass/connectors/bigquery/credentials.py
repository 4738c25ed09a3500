"""Who we are to BigQuery: whom the machine says, or the service account of a key file; nobody to an emulator.

Whom the machine says are Google's application default credentials: `GOOGLE_APPLICATION_CREDENTIALS`, what `gcloud` keeps,
workload identity (of Google's machines, or federated), the service account of the machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from windlass.connections import Address
from windlass.errors import Code, FatalError

__all__ = ["credentials", "is_emulator"]

_SCOPES = ("https://www.googleapis.com/auth/bigquery",)


def is_emulator(address: Address) -> bool:
    """Whether it is a server that speaks without TLS: one that stands in, which gets no token to see."""
    return urlsplit(address.options.get("endpoint", "")).scheme == "http"


def credentials(address: Address) -> Any:
    """The credentials. Raises FatalError when there are none, and google.auth's errors."""
    file = address.options.get("key_file")
    if is_emulator(address):
        if file is not None:
            message = f"the connection in {address.origin} would send a token to {address.options['endpoint']} in the clear"
            raise FatalError(message, hint="an emulator needs no key_file", code=Code.UNREADABLE_ADDRESS)
        from google.auth.credentials import AnonymousCredentials

        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    import google.auth

    if file is None:
        return google.auth.default(scopes=_SCOPES)[0]
    if not Path(file).is_file():
        message = f"the connection in {address.origin} names a key file that is not there: {file}"
        raise FatalError(message, code=Code.UNREADABLE_ADDRESS)
    return google.auth.load_credentials_from_file(file, scopes=_SCOPES)[0]  # type: ignore[no-untyped-call]
