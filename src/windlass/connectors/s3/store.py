"""A bucket of S3, by botocore: it finds credentials wherever Amazon's own tools do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from windlass.connections import Address, parse_address
from windlass.connectors.stores.folder import stand_in
from windlass.connectors.stores.silence import silence_of
from windlass.errors import Code, FatalError, RetryableError, extra
from windlass.storage.objects.parts import FilePart, parts_of
from windlass.storage.objects.store import LOAD, ChangedError, Object, Store

__all__ = ["open_store"]

_PIECE = 1 << 20
_PART = 16 << 20  # bytes of a part of an upload, at least; there are at most 10,000
_MOST_PARTS = 9_000
_DELETED_AT_ONCE = 1000
_ATTEMPTS = 5  # of a request
_AT_ONCE = 4  # parts of an upload
_CHANGED = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict", "NoSuchUpload"}
_GONE = {"404", "NoSuchKey", "NotFound"}
_PASSING = {
    "500",
    "502",
    "503",
    "504",
    "InternalError",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "429",
}


def open_store(bucket: str, address: Address | None = None) -> Store:
    """The bucket, as the connection says, else as the environment does. Raises MissingExtraError."""
    if (folder := stand_in(address)) is not None:
        return folder
    with extra(f"s3://{bucket}", "s3"):
        import botocore.session  # noqa: F401
    around = tuple(sorted(pair for pair in os.environ.items() if pair[0].startswith("AWS_")))
    with _errors(f"s3://{bucket}"):
        return S3Store(bucket, _client(address and address.uri(), around), silence_of(address))


@lru_cache(8)  # to make one takes longer than a small load
def _client(uri: str | None, around: tuple[tuple[str, str], ...]) -> Any:
    """A client for what the address says, and else the environment, which is here to tell one from another."""
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    address = parse_address(uri, "a connection", "s3") if uri else None
    said = address.options if address is not None else {}
    endpoint = said.get("endpoint") or said.get("endpoint_url")
    region = said.get("region") or said.get("region_name") or os.environ.get("AWS_REGION")
    is_other = bool(endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=32,
        retries={
            "mode": "standard",
            "total_max_attempts": int(os.environ.get("AWS_MAX_ATTEMPTS") or _ATTEMPTS),
        },
        s3={"addressing_style": "path" if is_other else "auto"},
        # others than Amazon's may not know the newer checksums
        request_checksum_calculation="when_required" if is_other else None,
        response_checksum_validation="when_required" if is_other else None,
        signature_version=UNSIGNED if said.get("anonymous") == "true" else None,
    )
    keys: dict[str, Any] = {}
    if address is not None and address.user:
        keys = {"aws_access_key_id": address.user, "aws_secret_access_key": address.password}
        keys["aws_session_token"] = said.get("session_token")
    session = botocore.session.Session(profile=said.get("profile"))
    region = region or session.get_config_variable("region") or "us-east-1"
    return session.create_client("s3", region, endpoint_url=endpoint, config=config, **keys)


class S3Store:
    """Implements `Store`."""

    def __init__(self, bucket: str, client: Any, silence: float) -> None:
        self.name, self.silence = f"s3://{bucket}", silence
        self._bucket, self._client = bucket, client

    def list(self, prefix: str) -> Iterator[Object]:
        with _errors(self.name):
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            ):
                for found in page.get("Contents", ()):
                    yield Object(found["Key"], found["Size"], found["ETag"])

    def look(self, key: str) -> Object | None:
        with _errors(f"{self.name}/{key}"):
            try:
                found = self._client.head_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.ClientError as exc:
                if exc.response["Error"]["Code"] in _GONE:
                    return None
                raise
        return Object(key, found["ContentLength"], found["ETag"], found["Metadata"].get(LOAD, ""))

    def read(self, found: Object, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        if found.size == 0:
            return
        span = f"bytes={begin}-{(found.size if end is None else end) - 1}"
        with _errors(f"{self.name}/{found.key}"):
            wanted = {"Bucket": self._bucket, "Key": found.key, "IfMatch": found.version, "Range": span}
            body = self._client.get_object(**wanted)["Body"]
            try:
                while piece := body.read(_PIECE):
                    yield piece
            finally:
                body.close()

    def get(self, key: str) -> tuple[bytes, str] | None:
        with _errors(f"{self.name}/{key}"):
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.NoSuchKey:
                return None
            return found["Body"].read(), found["ETag"]

    def put(self, key: str, data: bytes, replaces: str | None) -> None:
        with _errors(f"{self.name}/{key}"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data, **_condition(replaces))

    def begin_upload(self, key: str, load: str, file: Path) -> str:
        with _errors(f"{self.name}/{key}"):
            begun = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, Metadata={LOAD: load})
        return str(begun["UploadId"])

    def upload(self, key: str, upload: str, file: Path) -> Any:
        def send(part: FilePart) -> dict[str, Any]:
            about = {"Bucket": self._bucket, "Key": key, "UploadId": upload, "PartNumber": part.number}
            with part:
                sent = self._client.upload_part(**about, Body=part)
            return {"PartNumber": part.number, "ETag": sent["ETag"]}

        parts = parts_of(file, least=_PART, most=_MOST_PARTS) or [FilePart(file, 1, 0, 0)]
        with _errors(f"{self.name}/{key}"), ThreadPoolExecutor(_AT_ONCE, "upload") as pool:
            return list(pool.map(send, parts))

    def finish_upload(self, key: str, upload: str, brought: Any, replaces: str | None) -> None:
        with _errors(f"{self.name}/{key}"):
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload,
                MultipartUpload={"Parts": brought},
                **_condition(replaces),
            )

    def abort_upload(self, key: str, upload: str) -> None:
        with _errors(f"{self.name}/{key}"):
            try:
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
            except self._client.exceptions.NoSuchUpload:
                return

    def begun(self, prefix: str) -> Sequence[tuple[str, str]]:
        with _errors(f"{self.name}/{prefix}"):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            return [(found["Key"], found["UploadId"]) for page in pages for found in page.get("Uploads", ())]

    def put_file(self, key: str, file: Path, load: str) -> None:
        if file.stat().st_size > _PART:
            upload = self.begin_upload(key, load, file)
            self.finish_upload(key, upload, self.upload(key, upload, file), None)
            return
        with _errors(f"{self.name}/{key}"):
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=file.read_bytes(), Metadata={LOAD: load}
            )

    def delete(self, keys: Iterable[str]) -> None:
        left = iter(keys)
        while some := list(islice(left, _DELETED_AT_ONCE)):
            for key in some:
                self._abort_all(key)
            with _errors(self.name):
                objects = [{"Key": key} for key in some]
                said = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True}
                )
            for failed in said.get("Errors", ()):
                raise RetryableError(
                    f"{self.name}/{failed['Key']} is not removed: {failed.get('Message', '')}"
                )

    def _abort_all(self, key: str) -> None:
        for found, upload in self.begun(key):
            if found == key:
                self.abort_upload(key, upload)


def _condition(replaces: str | None) -> dict[str, str]:
    return {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces}


@contextmanager
def _errors(what: str) -> Iterator[None]:
    """Turn botocore's exceptions into ours."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        yield
    except ClientError as exc:
        raise _refusal(what, exc.response["Error"]) from exc
    except HTTPClientError as exc:
        raise RetryableError(f"{what}: {exc}") from exc
    except BotoCoreError as exc:
        raise _misfit(what, exc) from exc


def _refusal(what: str, error: dict[str, str]) -> FatalError | RetryableError:
    """The error of what the server answered."""
    code, said = error.get("Code", ""), error.get("Message", "")
    if code in _CHANGED:
        return ChangedError(f"{what} is not as it was any more ({code})")
    if code in _GONE:
        return FatalError(f"{what} is not there", code=Code.NO_FILE)
    if code in _PASSING:
        return RetryableError(f"{what}: the server answered {code}: {said}")
    hint = None
    if code in ("403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
        hint = (
            "look at who asks: the connection, the environment or the role of the machine, and what it may do"
        )
    return FatalError(f"{what}: the server answered {code}: {said}", hint=hint)


def _misfit(what: str, exc: Exception) -> FatalError | RetryableError:
    """The error of what botocore says without a server."""
    if type(exc).__name__.endswith(
        ("ConnectionError", "TimeoutError", "IncompleteReadError", "StreamingError")
    ):
        return RetryableError(f"{what}: {exc}")
    hint = None
    if "Credential" in type(exc).__name__:
        hint = "give the connection a key, or the process one: AWS_ACCESS_KEY_ID, a profile, or the role of the machine"
    return FatalError(f"{what}: {exc}", hint=hint)
