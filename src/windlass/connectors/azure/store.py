"""A container of Azure Blob Storage, by Microsoft's own client.

An upload is a list of blocks, which the service keeps beside the blob, and which takes effect when the list is committed. Nobody
can take a list away, but it cannot be committed any more once the first of its blocks is gone, or the blob has another ETag.
"""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from windlass.connections import Address
from windlass.connectors.azure.service import PIECE, service_of
from windlass.connectors.stores.folder import stand_in
from windlass.connectors.stores.silence import silence_of
from windlass.errors import Code, FatalError, RetryableError, extra
from windlass.storage.objects import LOAD, ChangedError, Object, Store
from windlass.storage.objects.parts import FilePart, parts_of

__all__ = ["open_store"]

_BLOCK, _MOST_BLOCKS = 16 << 20, 45_000  # bytes of a block, at least; there are at most 50,000
_AT_ONCE, _DELETED_AT_ONCE = 4, 16
_TRIES = 20
_LOAD = LOAD.replace("-", "_")  # its names are those of C#
_OCCUPIED = "windlass_aborted"
_FOLDER = "hdi_isfolder"  # of an account with folders
_CHANGED = {
    "BlobAlreadyExists",
    "ConditionNotMet",
    "InvalidBlockList",
    "TargetConditionNotMet",
    "InvalidBlobOrBlock",
}
_WHO_ASKS = (
    "look at who asks: the connection, the environment or the identity of the machine, and what it may do"
)
_PASSING = (408, 429, 500, 502, 503, 504)


def open_store(container: str, address: Address | None = None) -> Store:
    """The container, as the connection says, else as the environment does. Raises MissingExtraError."""
    if (folder := stand_in(address)) is not None:
        return folder
    with extra(f"az://{container}", "azure"):
        import azure.storage.blob  # noqa: F401
    with _errors(f"az://{container}"):
        client = service_of(address).get_container_client(container)
    return AzureStore(container, client, silence_of(address))


class AzureStore:
    """Implements `Store`."""

    def __init__(self, container: str, client: Any, silence: float) -> None:
        self.name, self.silence = f"az://{container}", silence
        self._client = client

    def list(self, prefix: str) -> Iterator[Object]:
        with _errors(self.name):
            for found in self._client.list_blobs(name_starts_with=prefix or None, include=["metadata"]):
                if not _is_none(found):
                    yield _object(found)

    def look(self, key: str) -> Object | None:
        found = self._found(key)
        return None if found is None or _is_none(found) else _object(found)

    def _blob(self, key: str) -> Any:
        """Raises FatalError for a key that is another one to the service, which takes it for a path of Windows or of a URL."""
        if "\\" in key or not {".", ".."}.isdisjoint(key.split("/")):
            hint = "use / between its parts, and name none of them . or .."
            raise FatalError(
                f"{self.name}: {key!r} cannot be the name of a blob", hint=hint, code=Code.NO_FILE
            )
        return self._client.get_blob_client(key)

    def _found(self, key: str) -> Any:
        """What is there; None for nothing."""
        from azure.core.exceptions import ResourceNotFoundError

        with _errors(f"{self.name}/{key}"):
            try:
                return self._blob(key).get_blob_properties()
            except ResourceNotFoundError as exc:
                if getattr(exc, "error_code", None) == "ContainerNotFound":
                    raise
                return None

    def read(self, found: Object, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        end = found.size if end is None else end
        blob = self._blob(found.key)
        for at in range(begin, end, PIECE):
            with _errors(f"{self.name}/{found.key}", is_known=True):
                length = min(PIECE, end - at)
                yield blob.download_blob(offset=at, length=length, **_condition(found.version)).readall()

    def get(self, key: str) -> tuple[bytes, str] | None:
        found = self.look(key)
        try:
            return found and (b"".join(self.read(found)), found.version)
        except ChangedError:
            return self.get(key)

    def put(self, key: str, data: bytes, replaces: str | None) -> None:
        with _errors(f"{self.name}/{key}"):
            condition = {"overwrite": True, **_condition(replaces)} if replaces is not None else {}
            self._blob(key).upload_blob(data, **condition)

    def begin_upload(self, key: str, load: str, file: Path) -> str:
        found = self._found(key)
        if found is not None and _OCCUPIED in found.metadata:
            self._free(key, found.etag)
        upload = f"{uuid.uuid4()} {load}"
        for part in _blocks(file)[:1]:
            self._stage(key, upload, part)
        return upload

    def upload(self, key: str, upload: str, file: Path) -> Any:
        blocks = _blocks(file)
        with ThreadPoolExecutor(_AT_ONCE, "upload") as pool:
            list(pool.map(lambda part: self._stage(key, upload, part), blocks[1:]))
        return [_block_id(upload, part.number) for part in blocks]

    def _stage(self, key: str, upload: str, part: FilePart) -> None:
        with _errors(f"{self.name}/{key}"), part:
            blob = self._blob(key)
            blob.stage_block(_block_id(upload, part.number), part, length=len(part))

    def finish_upload(self, key: str, upload: str, brought: Any, replaces: str | None) -> None:
        self._commit(key, upload, brought, _condition(replaces))

    def _commit(self, key: str, upload: str, brought: Sequence[str], condition: dict[str, Any]) -> None:
        from azure.storage.blob import BlobBlock

        with _errors(f"{self.name}/{key}"):
            blocks = [BlobBlock(block) for block in brought]
            metadata = {_LOAD: upload.split(" ", 1)[1]}
            self._blob(key).commit_block_list(blocks, metadata=metadata, **condition)

    def abort_upload(self, key: str, upload: str) -> None:
        """Where a blob is, it gets another ETag. Where none is, an empty list is committed, whereupon the service forgets all
        other blocks, and the blob is removed again; windlass sees no object in it. An upload of no bytes has no block that
        could be missing: should it take effect after all, it brings no row.
        """
        load = upload.split(" ", 1)[1]
        for _ in range(_TRIES):
            found = self._found(key)
            try:
                if found is None:
                    self._occupy(key)
                    return
                if _OCCUPIED in found.metadata:
                    self._free(key, found.etag)
                else:
                    if found.metadata.get(_LOAD) != load:
                        self._touch(key, found)
                    return
            except ChangedError:
                continue
        raise RetryableError(f"{self.name}/{key} is written by others all the time")

    def _occupy(self, key: str) -> None:
        with _errors(f"{self.name}/{key}"):
            blob = self._blob(key)
            made = blob.commit_block_list([], metadata={_OCCUPIED: "true"}, **_condition(None))
        self._free(key, made["etag"])

    def _free(self, key: str, version: str) -> None:
        with _errors(f"{self.name}/{key}", is_known=True):
            self._blob(key).delete_blob(**_condition(version))

    def _touch(self, key: str, found: Any) -> None:
        with _errors(f"{self.name}/{key}", is_known=True):
            self._blob(key).set_blob_metadata(found.metadata, **_condition(found.etag))

    def begun(self, prefix: str) -> Sequence[tuple[str, str]]:
        with _errors(self.name):
            wanted = {"name_starts_with": prefix or None}
            keys = {found.name for found in self._client.list_blobs(**wanted, include=["uncommittedblobs"])}
            keys -= {found.name for found in self._client.list_blobs(**wanted)}
        return [(key, f"{uuid.uuid4()} ") for key in sorted(keys)]  # to give one up ends all of a key

    def put_file(self, key: str, file: Path, load: str) -> None:
        upload = self.begin_upload(key, load, file)
        self._commit(key, upload, self.upload(key, upload, file), {})

    def delete(self, keys: Iterable[str]) -> None:
        with ThreadPoolExecutor(_DELETED_AT_ONCE, "delete") as pool:
            list(pool.map(self._delete, keys))

    def _delete(self, key: str) -> None:
        from azure.core.exceptions import ResourceNotFoundError

        with _errors(f"{self.name}/{key}"):
            try:
                self._blob(key).delete_blob(delete_snapshots="include")
            except ResourceNotFoundError:
                return


def _blocks(file: Path) -> list[FilePart]:
    return parts_of(file, least=_BLOCK, most=_MOST_BLOCKS)


def _block_id(upload: str, number: int) -> str:
    """Of one length for all, as the service wants it."""
    return b64encode(f"{upload[:36]}-{number:06d}".encode()).decode()


def _is_none(found: Any) -> bool:
    """Whether what is there is no object, but the place of one that was given up, or a folder."""
    metadata = found.metadata or {}
    return _OCCUPIED in metadata or metadata.get(_FOLDER) == "true"


def _object(found: Any) -> Object:
    version = found.etag.strip('"')  # a list has it without quotes
    return Object(found.name, int(found.size), version, (found.metadata or {}).get(_LOAD, ""))


def _condition(version: str | None) -> dict[str, Any]:
    from azure.core import MatchConditions

    if version is None:
        return {"match_condition": MatchConditions.IfMissing}
    return {"etag": f'"{version.strip(chr(34))}"', "match_condition": MatchConditions.IfNotModified}


@contextmanager
def _errors(what: str, *, is_known: bool = False) -> Iterator[None]:
    """Turn the client's exceptions into ours. `is_known`: it was there, so that it is not any more is a change."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

    try:
        yield
    except ClientAuthenticationError as exc:
        raise FatalError(f"{what}: {exc.reason or exc.message}", hint=_WHO_ASKS) from exc
    except HttpResponseError as exc:
        raise _refusal(what, exc, is_known=is_known) from exc
    except AzureError as exc:  # it got no answer, or not all of one
        raise RetryableError(f"{what}: {exc.message}") from exc
    except ValueError as exc:
        raise FatalError(f"{what}: {exc}", code=Code.UNREADABLE_ADDRESS) from exc


def _refusal(what: str, exc: Any, *, is_known: bool) -> FatalError | RetryableError:
    """The error of what the service answered."""
    found = getattr(exc, "error_code", None) or exc.status_code or ""
    code = str(getattr(found, "value", found))  # one of an enum, where the client knows it
    said = f"{what}: the server answered {code}: {exc.reason or exc.message}"
    if code in _CHANGED:
        return ChangedError(f"{what} is not as it was any more ({code})")
    if exc.status_code == 404:
        if is_known:
            return ChangedError(f"{what} is not there any more")
        return FatalError(said, code=Code.NO_FILE)
    if exc.status_code is None or exc.status_code in _PASSING:
        return RetryableError(said)
    hint = None
    if exc.status_code == 403:
        hint = _WHO_ASKS
    return FatalError(said, hint=hint)
