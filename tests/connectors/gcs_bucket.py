"""A bucket of the server that `WINDLASS_TEST_GCS` names, seen by its JSON interface."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.parse import quote

from windlass.connections import Address

__all__ = ["GcsBucket"]


class GcsBucket:
    """Implements `Bucket`."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.name, self._endpoint = name, endpoint
        self.address = Address(
            "gcs", name, options={"endpoint": endpoint, "anonymous": "true"}, scheme="gs", origin="the test"
        )
        self._ask(
            "POST", "/storage/v1/b?project=test", json.dumps({"name": name}).encode(), "application/json"
        )

    def put(self, key: str, data: bytes) -> None:
        self._ask(
            "POST", f"/upload/storage/v1/b/{self.name}/o?uploadType=media&name={quote(key, safe='')}", data
        )

    def get(self, key: str) -> bytes:
        return self._ask("GET", f"/storage/v1/b/{self.name}/o/{quote(key, safe='')}?alt=media")

    def names(self) -> list[str]:
        found: dict[str, Any] = json.loads(self._ask("GET", f"/storage/v1/b/{self.name}/o"))
        return [item["name"] for item in found.get("items", ())]

    def versions(self) -> dict[str, str]:
        found: dict[str, Any] = json.loads(self._ask("GET", f"/storage/v1/b/{self.name}/o"))
        return {item["name"]: item["generation"] for item in found.get("items", ())}

    def environment(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": self._endpoint, "GOOGLE_CLOUD_PROJECT": "test"}

    def uploads(self) -> int:
        return sum("windlass-upload" in key for key in self.names())

    def empty(self) -> None:
        """Remove all that is in it."""
        for key in self.names():
            self._ask("DELETE", f"/storage/v1/b/{self.name}/o/{quote(key, safe='')}")

    def remove(self) -> None:
        """Remove it with all that is in it."""
        self.empty()
        self._ask("DELETE", f"/storage/v1/b/{self.name}")

    def _ask(
        self, method: str, path: str, data: bytes | None = None, kind: str = "application/octet-stream"
    ) -> bytes:
        request = urllib.request.Request(self._endpoint + path, data, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            answer: bytes = response.read()
        return answer
