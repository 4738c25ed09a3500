"""A MongoDB and an S3 that run already: those that the variables of the tests name. Without one, its cases are left out.

`orders`, 200,000 documents: a number as _id, a number, text, a boolean; and the CSV file of the wide rows as an object.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Elsewhere", "Mongo", "Objects", "running_elsewhere"]

_AT_ONCE = 5_000
_PART = 16 << 20


@dataclass(frozen=True)
class Mongo:
    """A database with the collection `orders`."""

    uri: str
    rows: int


@dataclass(frozen=True)
class Objects:
    """A bucket of a server that takes any key."""

    endpoint: str
    bucket: str

    @property
    def variables(self) -> str:
        """What a command has to be told to find it."""
        keys = "AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1"
        return f"AWS_ENDPOINT_URL={self.endpoint} {keys}"

    def put(self, key: str, file: Path) -> None:
        client = _s3(self.endpoint)
        where = {"Bucket": self.bucket, "Key": key}
        where["UploadId"] = client.create_multipart_upload(**where)["UploadId"]
        parts = []
        with file.open("rb") as source:
            for number, piece in enumerate(iter(lambda: source.read(_PART), b""), 1):
                made = client.upload_part(**where, PartNumber=number, Body=piece)
                parts.append({"ETag": made["ETag"], "PartNumber": number})
        client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})

    def reset(self) -> None:
        """Without the object that is written, and what windlass remembers of it."""
        client = _s3(self.endpoint)
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            for found in page.get("Contents", ()):
                if found["Key"] != "wide.csv":
                    client.delete_object(Bucket=self.bucket, Key=found["Key"])


@dataclass(frozen=True)
class Elsewhere:
    """What there is."""

    mongo: Mongo | None
    objects: Objects | None


@contextmanager
def running_elsewhere(rows: int) -> Iterator[Elsewhere]:
    """With so many documents, and an empty bucket; they go in the end."""
    with ExitStack() as made:
        mongo, s3 = (os.environ.get(f"WINDLASS_TEST_{name}", "none") for name in ("MONGODB", "S3"))
        yield Elsewhere(
            None if mongo == "none" else made.enter_context(_documents(mongo, rows)),
            None if s3 == "none" else made.enter_context(_bucket(s3)),
        )


@contextmanager
def _documents(server: str, rows: int) -> Iterator[Mongo]:
    from pymongo import MongoClient

    name = f"windlass-bench-{os.getpid()}"
    client: MongoClient[dict[str, Any]] = MongoClient(server)
    try:
        for first in range(0, rows, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, rows))
            client[name]["orders"].insert_many(
                {"_id": n, "amount": n * 1.37, "note": f"note {n}", "flag": n % 2 == 0} for n in numbers
            )
        yield Mongo(f"{server.rstrip('/')}/{name}", rows)
    finally:
        client.drop_database(name)
        client.close()


@contextmanager
def _bucket(endpoint: str) -> Iterator[Objects]:
    objects = Objects(endpoint, f"windlass-bench-{os.getpid()}")
    client = _s3(endpoint)
    client.create_bucket(Bucket=objects.bucket)
    try:
        yield objects
    finally:
        objects.reset()
        client.delete_object(Bucket=objects.bucket, Key="wide.csv")
        client.delete_bucket(Bucket=objects.bucket)


def _s3(endpoint: str) -> Any:
    import botocore.session

    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    return botocore.session.Session().create_client("s3", "us-east-1", endpoint_url=endpoint, **keys)
