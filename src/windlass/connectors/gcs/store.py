"""A bucket of Google Cloud Storage, by Google's own client: it finds credentials wherever Google's tools do.

An upload is an object of its own, empty at first. Its file takes the place of just that one, and it is then copied within the
store to where it belongs, on conditions of both ends. So when it has been removed, neither can happen any more.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from windlass.connections import Address, parse_address
from windlass.connectors.stores.folder import stand_in
from windlass.connectors.stores.silence import silence_of
from windlass.errors import Code, FatalError, RetryableError, extra
from windlass.storage.objects import LOAD, ChangedError, Object, Store

__all__ = ["open_store"]

_PIECE = 4 << 20  # which each of several threads holds
_AROUND = ("GOOGLE_", "GCLOUD_", "STORAGE_EMULATOR_HOST")
_BEGUN = ".windlass-upload-"


def open_store(bucket: str, address: Address | None = None) -> Store:
    """The bucket, as the connection says, else as the environment does. Raises MissingExtraError."""
    if (folder := stand_in(address)) is not None:
        return folder
    with extra(f"gs://{bucket}", "gcs"):
        import google.cloud.storage  # noqa: F401
    around = tuple(sorted(pair for pair in os.environ.items() if pair[0].startswith(_AROUND)))
    with _errors(f"gs://{bucket}"):
        client = _client(address and address.uri(), around)
    return GcsStore(bucket, client, silence_of(address))


@lru_cache(8)
def _client(uri: str | None, around: tuple[tuple[str, str], ...]) -> Any:
    """A client for what the address says, and else the environment, which is here to tell one from another."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client
    from google.oauth2 import service_account

    account: Any = service_account.Credentials  # which says nothing of its types
    nobody: Any = AnonymousCredentials
    said = parse_address(uri, "a connection", "gcs").options if uri else {}
    keys: dict[str, Any] = {}
    if said.get("keyfile_dict"):
        keys["credentials"] = account.from_service_account_info(json.loads(said["keyfile_dict"]))
    elif said.get("key_path"):
        keys["credentials"] = account.from_service_account_file(said["key_path"])
    elif said.get("anonymous") == "true":
        keys["credentials"] = nobody()
    if said.get("endpoint"):
        keys["client_options"] = {"api_endpoint": said["endpoint"]}
    project = said.get("project") or ("-" if said.get("anonymous") == "true" else None)
    return Client(project=project, **keys)


class GcsStore:
    """Implements `Store`."""

    def __init__(self, bucket: str, client: Any, silence: float) -> None:
        self.name, self.silence = f"gs://{bucket}", silence
        self._client, self._bucket = client, client.bucket(bucket)
        self.is_elsewhere = "googleapis.com" not in client.api_endpoint
        """Whether it is a server of somebody else, which Google's other services do not know."""

    def list(self, prefix: str) -> Iterator[Object]:
        with _errors(self.name):
            for found in self._client.list_blobs(self._bucket, prefix=prefix or None):
                if not found.name.rpartition("/")[2].startswith(_BEGUN):
                    yield _object(found)

    def look(self, key: str) -> Object | None:
        with _errors(f"{self.name}/{key}"):
            found = self._bucket.get_blob(key)
        return None if found is None else _object(found)

    def read(self, found: Object, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        end = found.size if end is None else end
        blob = self._bucket.blob(found.key, generation=int(found.version))
        for at in range(begin, end, _PIECE):
            with _errors(f"{self.name}/{found.key}", is_known=True):
                yield blob.download_as_bytes(start=at, end=min(at + _PIECE, end) - 1, checksum=None)

    def get(self, key: str) -> tuple[bytes, str] | None:
        found = self.look(key)
        try:
            return found and (b"".join(self.read(found)), found.version)
        except ChangedError:
            return self.get(key)

    def put(self, key: str, data: bytes, replaces: str | None) -> None:
        with _errors(f"{self.name}/{key}"):
            self._bucket.blob(key).upload_from_string(data, if_generation_match=int(replaces or 0))

    def begin_upload(self, key: str, load: str, file: Path) -> str:
        folder, slash, _ = key.rpartition("/")
        with _errors(f"{self.name}/{key}"):
            blob = self._bucket.blob(f"{folder}{slash}{_BEGUN}{uuid.uuid4()}")
            blob.metadata = {LOAD: load}
            blob.upload_from_string(b"", if_generation_match=0)
        return f"{blob.generation} {load} {blob.name}"

    def upload(self, key: str, upload: str, file: Path) -> Any:
        generation, load, name = upload.split(" ", 2)
        with _errors(f"{self.name}/{key}"):
            blob = self._bucket.blob(name)
            blob.metadata = {LOAD: load}
            blob.upload_from_filename(str(file), if_generation_match=int(generation))
        return blob.generation

    def finish_upload(self, key: str, upload: str, brought: Any, replaces: str | None) -> None:
        source = self._bucket.blob(upload.split(" ", 2)[2])
        with _errors(f"{self.name}/{key}", is_known=True):
            token = None
            while True:
                token, _, _ = self._bucket.blob(key).rewrite(
                    source,
                    token,
                    if_generation_match=int(replaces or 0),
                    if_source_generation_match=brought,
                )
                if token is None:
                    break
        self.abort_upload(key, upload)

    def abort_upload(self, key: str, upload: str) -> None:
        self._delete(upload.split(" ", 2)[2])

    def begun(self, prefix: str) -> Sequence[tuple[str, str]]:
        with _errors(self.name):
            listed = self._client.list_blobs(self._bucket, prefix=prefix or None)
            begun = [found for found in listed if found.name.rpartition("/")[2].startswith(_BEGUN)]
        loads = (_object(found).load for found in begun)
        return [
            (load, f"{found.generation} {load} {found.name}")
            for found, load in zip(begun, loads, strict=True)
        ]

    def put_file(self, key: str, file: Path, load: str) -> None:
        with _errors(f"{self.name}/{key}"):
            blob = self._bucket.blob(key)
            blob.metadata = {LOAD: load}
            blob.upload_from_filename(str(file))

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._delete(key)

    def _delete(self, key: str) -> None:
        from google.api_core.exceptions import NotFound

        with _errors(f"{self.name}/{key}"):
            try:
                self._bucket.blob(key).delete()
            except NotFound:
                return


def _object(blob: Any) -> Object:
    return Object(blob.name, int(blob.size or 0), str(blob.generation), (blob.metadata or {}).get(LOAD, ""))


@contextmanager
def _errors(what: str, *, is_known: bool = False) -> Iterator[None]:
    """Turn the client's exceptions into ours. `is_known`: it was there, so that it is not any more is a change."""
    from google.api_core import exceptions as answers
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    try:
        yield
    except answers.PreconditionFailed as exc:
        raise ChangedError(f"{what} is not as it was any more") from exc
    except answers.NotFound as exc:
        if is_known:
            raise ChangedError(f"{what} is not there any more") from exc
        raise FatalError(f"{what}: the server answered 404: {exc.message}", code=Code.NO_FILE) from exc
    except (answers.TooManyRequests, answers.ServerError, answers.RetryError) as exc:
        raise RetryableError(f"{what}: {exc}") from exc
    except (RequestException, TransportError) as exc:
        raise RetryableError(f"{what}: {exc}") from exc
    except (answers.GoogleAPIError, GoogleAuthError, ValueError) as exc:
        hint = (
            "look at who asks: the connection, the environment or the role of the machine, and what it may do"
        )
        raise FatalError(f"{what}: {exc}", hint=hint) from exc
