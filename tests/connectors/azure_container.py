"""A container of the Azurite that `WINDLASS_TEST_AZURE` names, seen by Microsoft's client."""

from __future__ import annotations

from typing import Any

from windlass.connections import Address

__all__ = ["AzureContainer"]

_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Of every Azurite: https://learn.microsoft.com/azure/storage/common/storage-use-azurite"""


class AzureContainer:
    """Implements `Bucket`."""

    def __init__(self, endpoint: str, name: str) -> None:
        from azure.storage.blob import BlobServiceClient

        self.name, url = name, f"{endpoint}/{_ACCOUNT}"
        self.address = Address(
            "azure", name, user=_ACCOUNT, password=_KEY, options={"endpoint": url}, origin="the test"
        )
        credential = {"account_name": _ACCOUNT, "account_key": _KEY}
        self.client: Any = BlobServiceClient(url, credential=credential).create_container(name)

    def put(self, key: str, data: bytes) -> None:
        self.client.upload_blob(key, data, overwrite=True)

    def get(self, key: str) -> bytes:
        data: bytes = self.client.download_blob(key).readall()
        return data

    def names(self) -> list[str]:
        return [found.name for found in self.client.list_blobs()]

    def versions(self) -> dict[str, str]:
        return {found.name: found.etag for found in self.client.list_blobs()}

    def environment(self) -> dict[str, str]:
        said = {"AccountName": _ACCOUNT, "AccountKey": _KEY, "BlobEndpoint": self.address.options["endpoint"]}
        text = ";".join(f"{name}={value}" for name, value in said.items())
        return {"AZURE_STORAGE_CONNECTION_STRING": f"DefaultEndpointsProtocol=http;{text};"}

    def uploads(self) -> int:
        """Blobs that have nothing but blocks which nobody has committed."""
        listed = [found.name for found in self.client.list_blobs(include=["uncommittedblobs"])]
        return len(listed) - len(self.names())

    def empty(self) -> None:
        """Remove all that is in it."""
        for key in self.names():
            self.client.delete_blob(key)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        self.client.delete_container()
