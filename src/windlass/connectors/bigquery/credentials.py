"""Who we are to BigQuery: whom the machine says, or the service account of a key file; nobody to an emulator.

Whom the machine says are Google's application default credentials: `GOOGLE_APPLICATION_CREDENTIALS`, what `gcloud` keeps,
workload identity (of Google's machines, or federated), the service account of the machine.
"""

from __future__ import annotations

import json
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
    if file is not None:
        return _of_file(Path(file), address.origin)
    import google.auth

    return google.auth.default(scopes=_SCOPES)[0]


def _of_file(file: Path, origin: str) -> Any:
    from google.auth import identity_pool
    from google.oauth2 import service_account

    kinds: dict[str, Any] = {
        "service_account": service_account.Credentials.from_service_account_info,
        "external_account": identity_pool.Credentials.from_info,
    }
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return kinds[found["type"]](found, scopes=_SCOPES)
    except OSError as exc:
        message = f"the connection in {origin} names a key file that cannot be read: {file}: {exc.strerror}"
        raise FatalError(message, code=Code.UNREADABLE_ADDRESS) from None
    except (ValueError, KeyError, TypeError):  # whose text might show some of the key
        message = f"the key file {file}, which the connection in {origin} names, is not one"
        hint = "expected the JSON of a service account, or of workload identity federation"
        raise FatalError(message, hint=hint, code=Code.NOT_LET_IN) from None
