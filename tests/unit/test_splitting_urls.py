from __future__ import annotations

from pathlib import Path

import pytest

import windlass
from windlass import web
from windlass.api.copy_ends import tells_format
from windlass.api.copying_many import names_many
from windlass.connections import Address, parse_address
from windlass.connectors.http.options.connection import Connection as Http
from windlass.connectors.sftp.options import Connection as Sftp
from windlass.connectors.stores.options import Connection as Store
from windlass.errors import Code, FatalError
from windlass.options import read_options
from windlass.registry import all_connectors
from windlass.splitting_urls import split_url

SCHEMES = sorted({s for c in all_connectors() if c.form not in (None, "file") for s in c.schemes})


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_address_of_any_connector_that_cannot_be_split_is_an_error_without_its_secret(scheme: str) -> None:
    for text in (
        f"{scheme}://me:canary[x@host/db?table=t",
        f"{scheme}://[canary/db.csv",
        f"{scheme}://canary]",
    ):
        for read in (lambda text: parse_address(text, "the test"), split_url):
            with pytest.raises(FatalError, match="cannot be read") as raised:
                read(text)
            assert raised.value.code == Code.UNREADABLE_ADDRESS
            assert "%5B" in str(raised.value.hint)
            assert "canary" not in str(raised.value)


def test_several_hosts_and_brackets_behind_the_host_are_none_of_that() -> None:
    assert split_url("mongodb://a:1,b:2/db?table=t").query == "table=t"
    assert tells_format("s3://bucket/[0-9]*.csv")


@pytest.mark.parametrize(
    ("kind", "key"), [(Http, "base_url"), (Sftp, "url"), (Store, "url")], ids=["http", "sftp", "store"]
)
def test_an_address_in_the_project_that_cannot_be_split_is_a_value_that_is_wrong(
    kind: type, key: str
) -> None:
    with pytest.raises(FatalError, match=rf"`{key}` is (an|the) .*address"):
        read_options(kind, {key: "https://[bad"})


@pytest.mark.parametrize(
    ("host", "host_told", "port", "database"),
    [
        ("api.test", "http://api.test", None, ""),
        ("https://api.test:8443/v1", "https://api.test", 8443, "v1"),
        ("api.test:8080", "http://api.test", 8080, ""),
        ("::1", "http://::1", None, ""),
        ("[::1]:8080", "http://::1", 8080, ""),
    ],
)
def test_airflows_host_may_be_a_whole_address(
    host: str, host_told: str, port: int | None, database: str
) -> None:
    found: Address = parse_address(f'{{"conn_type": "http", "host": "{host}"}}', "the test", "http")
    assert (f"{found.scheme}://{found.host}", found.port, found.database) == (host_told, port, database)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://[bad", "%5B"),
        ("http://host:99999/", "65535"),
        ("http://a..b/", "63 characters"),
        ("http:///path", "no host"),
        ("http://host/a b", "%20"),
        ("http://host/a\x00b", "%20"),
    ],
)
def test_a_request_to_what_is_no_address_is_not_sent_and_not_tried_again(url: str, hint: str) -> None:
    import urllib.request

    request = urllib.request.Request("http://host/")
    request.full_url = url
    with (
        pytest.raises(FatalError, match="the address of it cannot be used") as raised,
        web.answer_to(request, shown="it", code=Code.DOWNLOAD),
    ):
        raise AssertionError("nothing can answer")
    assert hint in str(raised.value.hint)


@pytest.mark.parametrize(
    "text", ["postgresql://me:canary[x@host/db?table=t", "https://[canary/a.csv", "sftp://[canary/a.csv"]
)
def test_copy_tells_what_is_no_address_and_asks_nobody(text: str, tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="cannot be read") as raised:
        windlass.copy(text, tmp_path / "out.csv")
    assert "canary" not in str(raised.value)


def test_copy_asks_no_server_which_tables_there_are_at_what_is_no_address(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="cannot be read"):
        names_many("postgresql://me:canary[x@host/db?table=t", tmp_path)
