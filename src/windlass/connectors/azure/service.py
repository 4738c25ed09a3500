"""The storage account, and who asks: as the connection says, or where it says nothing, the environment."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from windlass.connections import Address, parse_address
from windlass.errors import Code, FatalError

__all__ = ["PIECE", "service_of"]

PIECE = 4 << 20
"""Bytes that one request asks for, at most."""

_ATTEMPTS = 5  # of a request, with pauses of 1, 3, 5, … s
_AROUND = ("AZURE_", "IDENTITY_", "MSI_")


def service_of(address: Address | None) -> Any:
    """The `BlobServiceClient` of a connection, or of the environment. Raises FatalError."""
    around = tuple(sorted(pair for pair in os.environ.items() if pair[0].startswith(_AROUND)))
    return _service(address and address.uri(), around)


@lru_cache(8)
def _service(uri: str | None, around: tuple[tuple[str, str], ...]) -> Any:
    from azure.storage.blob import BlobServiceClient, ExponentialRetry

    address = parse_address(uri, "a connection", "azure") if uri else None
    said, environment = address.options if address is not None else {}, dict(around)
    settings: dict[str, Any] = {
        "retry_policy": ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=_ATTEMPTS - 1),
        "connection_timeout": 10,
        "read_timeout": 60,
        "max_single_get_size": PIECE,
        "max_chunk_get_size": PIECE,
    }
    whole = said.get("connection_string")
    if not whole and not _says_who(address):
        whole = environment.get("AZURE_STORAGE_CONNECTION_STRING")
    if whole:
        return BlobServiceClient.from_connection_string(whole, **settings)
    account = _account(address, environment)
    url = said.get("endpoint") or said.get("account_url") or f"https://{account}.blob.core.windows.net"
    return BlobServiceClient(url, credential=_credential(account, address, environment), **settings)


def _says_who(address: Address | None) -> bool:
    """Whether the connection itself says what account is meant, or who asks."""
    if address is None:
        return False
    said = ("account", "account_url", "endpoint", "sas_token", "anonymous")
    return bool(address.user) or any(address.options.get(name) for name in said)


def _account(address: Address | None, environment: dict[str, str]) -> str:
    said = address.options if address is not None else {}
    user = address.user if address is not None and "tenant_id" not in said else ""
    account = said.get("account") or user or environment.get("AZURE_STORAGE_ACCOUNT", "")
    if account or said.get("endpoint") or said.get("account_url"):
        return account
    hint = "write it into the address, as in az://ACCOUNT:KEY@container, or set AZURE_STORAGE_ACCOUNT"
    raise FatalError("no storage account is named", hint=hint, code=Code.UNREADABLE_ADDRESS)


def _credential(account: str, address: Address | None, environment: dict[str, str]) -> Any:
    """What requests are signed with: a key, a SAS, nothing, or a token of Entra."""
    said = address.options if address is not None else {}
    password = address.password if address is not None else ""
    if said.get("anonymous") == "true":
        return None
    if address is not None and said.get("tenant_id") and password:
        from azure.identity import ClientSecretCredential

        return ClientSecretCredential(said["tenant_id"], address.user, password)
    if key := password or said.get("account_key"):
        return {"account_name": account, "account_key": key}
    if sas := said.get("sas_token"):
        return sas
    if key := environment.get("AZURE_STORAGE_KEY"):
        return {"account_name": account, "account_key": key}
    return environment.get("AZURE_STORAGE_SAS_TOKEN") or _of_entra()


def _of_entra() -> Any:
    """Whoever the environment, workload identity, the machine, or `az login` says."""
    if find_spec("azure.identity") is None:
        hint = (
            "give the connection a key or a SAS (?sas_token=…), set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN; "
            "or `pip install azure-identity` for workload identity, the identity of the machine and `az login`"
        )
        raise FatalError("nothing says who asks Azure", hint=hint, code=Code.NOT_CONFIGURED)
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()
