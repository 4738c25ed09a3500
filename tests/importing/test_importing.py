"""What is made of OpenAPI documents and low-code manifests: pipelines that are valid, and a note of everything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Output
from tests.connectors.apis import Api, Asked, answer
from windlass.api.planning import compile
from windlass.errors import FatalError, UsageError
from windlass.importing.documents import Tree
from windlass.importing.imported import Imported
from windlass.importing.reading import import_file
from windlass.importing.writing import write_files

HERE = Path(__file__).parent
SHOP, CRM = HERE / "shop.openapi.yaml", HERE / "crm.airbyte.yaml"


def tasks_of(kind: str, file: Path, folder: Path, to: str | None) -> dict[str, Any]:
    """The copies of the pipeline, as it was written, which has to be valid."""
    assert write_files(import_file(kind, file, "api"), folder, to) == ["windlass.yaml", "pipelines/api.yaml"]
    compile(folder)
    tasks: dict[str, Any] = yaml.safe_load((folder / "pipelines" / "api.yaml").read_text())["tasks"]
    return tasks


def test_every_list_of_an_openapi_document_is_a_copy(tmp_path: Path) -> None:
    tasks = tasks_of("openapi", SHOP, tmp_path, "wh")
    said = {name: task["copy"]["from"] for name, task in tasks.items()}
    assert {name: source.get("paginate") for name, source in said.items()} == {
        "list_orders": {"type": "page_number", "param": "page", "start": 0},
        "customers": {"type": "cursor", "param": "cursor", "next": "meta.next_cursor"},
        "events": {"type": "json_link", "next": "meta.next"},
        "stock": {"type": "offset", "param": "offset", "limit_param": "limit", "limit": 500},
        "shops": None,
        "list_lines": {"type": "header_link"},
    }
    assert said["list_orders"]["records"] == "items"
    assert said["list_orders"]["query"] == {"per_page": 250}
    assert said["customers"]["query"] == {"limit": 20, "country": "{{ params.country }}"}
    assert tasks["list_lines"]["needs"] == ["list_orders"]
    assert said["list_lines"]["path"] == "/orders/{parent.id}/lines"
    assert said["list_lines"]["parent"] == {
        "connection": "wh",
        "table": "list_orders",
        "fields": {"orderId": "id"},
    }
    assert tasks["stock"]["copy"]["to"] == {
        "connection": "wh",
        "table": "stock",
        "mode": "merge",
        "key": ["id"],
    }
    project = yaml.safe_load((tmp_path / "windlass.yaml").read_text())
    assert project["connections"]["api"] == {
        "type": "http",
        "base_url": "https://eu.shop.example/api",
        "auth": {"type": "oauth2", "token_url": "https://id.shop.example/token", "scopes": ["read"]},
    }
    assert (
        "WINDLASS_CONN_API=https://CLIENT:SECRET@eu.shop.example/api"
        in (tmp_path / "windlass.yaml").read_text()
    )


def test_a_cursor_is_found_beside_the_list_of_a_kubernetes_api(tmp_path: Path) -> None:
    text = {"type": "string"}
    pods = {
        "properties": {
            "metadata": {"properties": {"continue": text}},
            "items": {"type": "array", "items": {"properties": {"name": text}}},
        }
    }
    operation = {
        "operationId": "pods",
        "parameters": [{"name": "continue", "in": "query", "schema": text}],
        "responses": {"200": {"content": {"application/json": {"schema": pods}}}},
    }
    document = {
        "openapi": "3.0.0",
        "servers": [{"url": "https://k.example.org"}],
        "paths": {"/pods": {"get": operation}},
    }
    file = tmp_path / "k.json"
    file.write_text(json.dumps(document))
    source = tasks_of("openapi", file, tmp_path, None)["pods"]["copy"]["from"]
    assert source["records"] == "items"
    assert source["paginate"] == {"type": "cursor", "param": "continue", "next": "metadata.continue"}


def test_every_stream_of_a_manifest_is_a_copy(tmp_path: Path) -> None:
    tasks = tasks_of("airbyte", CRM, tmp_path, "wh")
    said = {name: task["copy"]["from"] for name, task in tasks.items()}
    assert {name: source["paginate"] for name, source in said.items()} == {
        "deals": {"type": "offset", "param": "start", "limit_param": "limit", "limit": 200},
        "notes": {"type": "json_link", "next": "links.next"},
        "people": {"type": "cursor", "param": "after", "next": "[-1].id", "more": "more", "in": "body"},
        "tags": {"type": "page_number", "param": "p"},
        "users": {"type": "header_link"},
    }
    assert said["deals"]["records"] == "data"
    assert said["deals"]["query"] == {
        "sort": "updated",
        "team": "{{ params.team }}",
        "at": "{{ data_interval_end.strftime('%Y-%m-%dT%H:%M:%SZ') }}",
    }
    assert said["deals"]["since"] == {"param": "since", "format": "unix", "start": "{{ params.start_date }}"}
    assert said["deals"]["retry"] == {"attempts": 8}
    assert said["deals"]["errors"] == [
        *({"status": n, "action": "skip"} for n in (404, 410)),
        {"when": "busy", "action": "retry"},
    ]
    assert tasks["deals"]["copy"]["incremental"] == {"cursor": "updated", "lookback": "1d2h"}
    assert said["notes"]["path"] == "/deals/{parent.id}/notes"
    assert said["notes"]["parent"] == {"connection": "wh", "table": "deals", "fields": {"deal": "id"}}
    assert said["people"]["parent"] == {"values": ["lead", "customer"], "as": "kind"}
    assert (said["people"]["method"], said["people"]["body"]) == (
        "POST",
        {"q": {"kind": "{kind}"}, "size": 50},
    )
    assert said["tags"]["query"] == {"n": 100}
    project = yaml.safe_load((tmp_path / "windlass.yaml").read_text())
    assert project["connections"]["api"]["auths"] == {
        "key": {"type": "api_key", "name": "X-Key"},
        "login": {"type": "basic"},
    }
    assert {source["auth"] for source in said.values()} == {"{{ params.credentials_kind }}"}
    pipeline = compile(tmp_path)["api"]
    assert pipeline.task("deals").action.source.options["auth"] == "key"  # type: ignore[union-attr]


def test_what_has_no_translation_is_noted(tmp_path: Path) -> None:
    for kind, file, expected in (
        (
            "openapi",
            SHOP,
            (
                "servers: the first of 2 was taken",
                "GET /customers: 'country' has to be said",
                "GET /shops: no way from page to page was found",
                "GET /orders/{orderId}/lines: 'orderId' was taken for `id` of /orders",
                "GET /regions/{region}/shops: nothing lists the values in its path",
                "paths: 2 operations other than GET left out",
            ),
        ),
        (
            "airbyte",
            CRM,
            (
                "authenticator: `config.credentials_kind` is the parameter `credentials_kind` of the pipeline: one of",
                "deals: `config.team` is the parameter `team` of the pipeline",
                "deals: `RemoveFields` was left out [['secret']]",
                "notes: `record_filter` was left out, filter in SQL: {{ record.ok }}",
                "exports: DeclarativeStream with AsyncRetriever has no translation; the stream was left out",
                "elsewhere: it is on another server, 'https://{{ config.region }}.crm.example', than other streams",
            ),
        ),
    ):
        imported = import_file(kind, file, "api")
        for start in expected:
            assert any(note.startswith(start) for note in imported.notes), start
        folder = tmp_path / kind
        tasks_of(kind, file, folder, None)
        text = (folder / "pipelines" / "api.yaml").read_text()
        assert all(f"# {note}" in text for note in imported.notes)
        assert "incremental" not in text.partition("tasks:")[2]  # a file knows no cursor


@pytest.mark.parametrize(
    ("scheme", "auth"),
    [
        ({"type": "http", "scheme": "Basic"}, {"type": "basic"}),
        ({"type": "http", "scheme": "bearer"}, {"type": "bearer"}),
        ({"type": "http", "scheme": "digest"}, None),
        ({"type": "apiKey", "in": "header", "name": "X"}, {"type": "api_key", "name": "X"}),
        ({"type": "apiKey", "in": "cookie", "name": "c"}, {"type": "api_key", "name": "c", "in": "cookie"}),
        ({"type": "oauth2", "flows": {"implicit": {}}}, None),
        ({"type": "openIdConnect"}, None),
    ],
)
def test_who_asks_is_translated_from_openapi(
    tmp_path: Path, scheme: dict[str, Any], auth: dict[str, Any] | None
) -> None:
    document = yaml.safe_load(SHOP.read_text())
    document["security"], document["components"]["securitySchemes"] = [{"s": []}], {"s": scheme}
    file = tmp_path / "a.json"
    file.write_text(json.dumps(document))
    imported = import_file("openapi", file, "a")
    assert imported.connection.get("auth") == auth
    assert any(note.startswith("securitySchemes.s") for note in imported.notes) is (auth is None)
    write_files(imported, tmp_path, None)
    compile(tmp_path)


OPTION = {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "k"}
TOKEN = {"token_refresh_endpoint": "https://id/t", "client_id": "a", "client_secret": "b"}


@pytest.mark.parametrize(
    ("authenticator", "auth"),
    [
        ({"type": "NoAuth"}, None),
        ({"type": "BearerAuthenticator", "api_token": "x"}, {"type": "bearer"}),
        ({"type": "BasicHttpAuthenticator", "username": "x"}, {"type": "basic"}),
        ({"type": "ApiKeyAuthenticator", "header": "X"}, {"type": "api_key", "name": "X"}),
        (
            {"type": "ApiKeyAuthenticator", "inject_into": OPTION},
            {"type": "api_key", "name": "k", "in": "query"},
        ),
        (
            {"type": "OAuthAuthenticator", **TOKEN, "refresh_token": "c", "scopes": ["r"]},
            {
                "type": "oauth2",
                "token_url": "https://id/t",
                "client_auth": "body",
                "grant": "refresh_token",
                "scopes": ["r"],
            },
        ),
        (
            {"type": "OAuthAuthenticator", **TOKEN, "grant_type": "client_credentials"},
            {"type": "oauth2", "token_url": "https://id/t", "client_auth": "body"},
        ),
        (
            {
                "type": "SessionTokenAuthenticator",
                "login_requester": {"path": "session"},
                "session_token_path": ["data", "id"],
                "request_authentication": {
                    "type": "ApiKey",
                    "inject_into": {"inject_into": "header", "field_name": "X-S"},
                },
            },
            {"type": "session", "login": "/session", "token": "data.id", "name": "X-S", "prefix": ""},
        ),
        (
            {
                "type": "SessionTokenAuthenticator",
                "login_requester": {
                    "url_base": "https://id.example.org/",
                    "path": "login",
                    "request_body_json": {
                        "name": "{{ config.user }}",
                        "pass": "{{ config['pw'] }}",
                        "kind": "api",
                    },
                },
                "session_token_path": ["token"],
                "request_authentication": {"type": "Bearer"},
            },
            {
                "type": "session",
                "login": "https://id.example.org/login",
                "token": "token",
                "body": {"name": "{user}", "pass": "{password}", "kind": "api"},
            },
        ),
        (
            {
                "type": "SessionTokenAuthenticator",
                "login_requester": {"path": "login", "authenticator": {"type": "BasicHttpAuthenticator"}},
                "session_token_path": ["token"],
            },
            "noted",
        ),
        ({"type": "CustomAuthenticator"}, "noted"),
        ({"type": "JwtAuthenticator"}, "noted"),
    ],
)
def test_who_asks_is_translated_from_a_manifest(tmp_path: Path, authenticator: Any, auth: Any) -> None:
    document = yaml.safe_load(CRM.read_text())
    document["definitions"]["requester"]["authenticator"] = authenticator
    file = tmp_path / "a.yaml"
    file.write_text(yaml.safe_dump(document))
    imported = import_file("airbyte", file, "a")
    assert imported.connection.get("auth") == (None if auth == "noted" else auth)
    assert any(note.startswith("authenticator") for note in imported.notes) is (auth == "noted")
    write_files(imported, tmp_path, None)
    compile(tmp_path)


def test_what_is_no_such_document_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    for kind, document, says in (
        ("openapi", {"swagger": "2.0"}, "not an OpenAPI 3 document"),
        ("openapi", {"openapi": "3.0.0", "paths": {}}, "has no list of records"),
        (
            "openapi",
            {"openapi": "3.0.0", "paths": {"/a": {"get": {"$ref": "#/nowhere"}}}},
            "nothing at '#/nowhere'",
        ),
        ("openapi", [], "is not a mapping"),
        ("airbyte", {"name": "x"}, "is not a low-code manifest"),
        ("airbyte", {"type": "DeclarativeSource", "streams": []}, "has no list of records"),
    ):
        file.write_text(json.dumps(document))
        with pytest.raises(FatalError, match=says):
            import_file(kind, file, "a")
    file.write_text("{")
    with pytest.raises(FatalError, match="cannot be read as JSON"):
        import_file("openapi", file, "a")
    with pytest.raises(FatalError, match="leads to itself"):
        Tree({"a": {"$ref": "#/a"}}).at({"$ref": "#/a"})
    write_files(Imported("x", sources={"a": {"connection": "x", "path": "/a"}}), tmp_path, None)
    with pytest.raises(UsageError, match="is there already"):
        write_files(Imported("x"), tmp_path, None)


def test_what_was_imported_runs(
    tmp_path: Path, make_api: Callable[..., Api], windlass: Callable[..., Output]
) -> None:
    """Parents included, all of their pages."""

    def answering(asked: Asked) -> bytes:
        page = int(asked.query.get("page", 1))
        if "/lines" in asked.path:
            return answer(json.dumps([{"id": 10 * int(asked.path.split("/")[3])}]))
        return answer(json.dumps({"items": [{"id": page}] if page < 3 else []}))

    api = make_api(answering=answering)
    document = yaml.safe_load(SHOP.read_text())
    document["servers"] = [{"url": f"http://127.0.0.1:{api.port}/v1"}]
    document["paths"] = {path: item for path, item in document["paths"].items() if path.startswith("/orders")}
    (tmp_path / "Corner Shop.json").write_text(json.dumps(document))
    done = windlass("import", "openapi", "Corner Shop.json", "--json")
    assert done.json["files"] == ["windlass.yaml", "pipelines/corner_shop.yaml"]
    assert done.json["tasks"] == ["list_orders", "list_lines"]
    assert windlass("run", "corner_shop").code == 0
    lines = (tmp_path / "corner_shop" / "list_lines.ndjson").read_text().splitlines()
    assert [(int(line["orderId"]), line["id"]) for line in map(json.loads, lines)] == [
        (n, 10 * n) for n in range(3)
    ]
    told = windlass("import", "openapi", "Corner Shop.json", "--name", "again")
    assert told.stdout.startswith("made pipelines/again.yaml\n\nnot translated, or to be looked at:\n  ")
    assert "put this into windlass.yaml:\nconnections:\n  again:\n    type: http" in told.stdout
