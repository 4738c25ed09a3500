"""Signatures for AWS, against what botocore 1.x made of the same requests; the first is AWS's own example."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from windlass.connectors.http.aws import AwsKey, signed_headers

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    ("method", "url", "body", "service", "token", "names", "signature"),
    [
        (
            "GET",
            "https://example.amazonaws.com/",
            b"",
            "service",
            "",
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "GET",
            "https://example.amazonaws.com/a%20b/c:d/e?b=2&a=x%20y&a=%2F",
            b"",
            "execute-api",
            "",
            "host;x-amz-date",
            "6adfe75873c4389d9737ba2e0602189965eb27351c0aac141c0547b7b325bc6e",
        ),
        (
            "POST",
            "https://example.amazonaws.com:8443/search?flag=",
            b'{"q":1}',
            "es",
            "TOKEN/x+",
            "host;x-amz-date;x-amz-security-token",
            "a791a5832d802a3627eab9246488c7c491a9513950f7677c8a337b3a98ff05a3",
        ),
        (
            "GET",
            "https://bucket.s3.amazonaws.com/a%20b/c%2Bd?list-type=2&prefix=a%2Fb",
            b"",
            "s3",
            "",
            "host;x-amz-content-sha256;x-amz-date",
            "e8701463b1c1cff263578f58fc1dd486f9116ff4f5a12f3c532cab9aaea59cfe",
        ),
    ],
)
def test_a_request_is_signed_as_aws_does_it(
    method: str, url: str, body: bytes, service: str, token: str, names: str, signature: str
) -> None:
    key = AwsKey("AKIDEXAMPLE", SECRET, "us-east-1", service, token)
    headers = signed_headers(key, method, url, body, datetime(2015, 8, 30, 12, 36, tzinfo=UTC))
    scope = f"Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request"
    assert (
        headers["Authorization"] == f"AWS4-HMAC-SHA256 {scope}, SignedHeaders={names}, Signature={signature}"
    )
    assert headers.get("X-Amz-Security-Token", "") == token
