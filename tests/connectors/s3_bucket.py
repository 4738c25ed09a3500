"""A bucket of the server that `WINDLASS_TEST_S3` names, seen by botocore."""

from __future__ import annotations

from functools import cache
from typing import Any

from windlass.connections import Address

__all__ = ["S3Bucket", "client_of"]


@cache
def client_of(endpoint: str) -> Any:
    """A client of that server, which takes any key."""
    import botocore.session

    return botocore.session.Session().create_client(
        "s3",
        "us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="key",
        aws_secret_access_key="secret-of-s3",
    )


class S3Bucket:
    """Implements `Bucket`."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.name, self.client = name, client_of(endpoint)
        options = {"endpoint": endpoint, "region": "us-east-1"}
        self.address = Address("s3", name, user="key", password="secret-of-s3", options=options)
        self.client.create_bucket(Bucket=name)

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        data: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data

    def names(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def versions(self) -> dict[str, str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return {f["Key"]: f"{f['ETag']} {f['LastModified']}" for p in pages for f in p.get("Contents", ())}

    def environment(self) -> dict[str, str]:
        endpoint = self.address.options["endpoint"]
        return {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret-of-s3",
        }

    def uploads(self) -> int:
        return len(self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", ()))

    def empty(self) -> None:
        """Remove all that is in it."""
        for key in self.names():
            self.client.delete_object(Bucket=self.name, Key=key)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        self.empty()
        self.client.delete_bucket(Bucket=self.name)
