"""What the parts of a low-code manifest become: each in a manifest of its own, which has to be a valid project."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Output
from tests.connectors.apis import Api, Asked, answer
from windlass.api.planning import compile
from windlass.errors import FatalError
from windlass.importing.imported import Imported
from windlass.importing.reading import import_file
from windlass.importing.writing import write_files

BASE = "https://api.example.org/v1"


def stream(name: str = "rows", **retriever: Any) -> dict[str, Any]:
    requester = {
        "type": "HttpRequester",
        "url_base": BASE,
        "path": f"/{name}",
        **retriever.pop("requester", {}),
    }
    said: dict[str, Any] = {
        key: retriever.pop(key)
        for key in ("incremental_sync", "transformations", "primary_key")
        if key in retriever
    }
    selector = {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["data"]}}
    return {
        "type": "DeclarativeStream",
        "name": name,
        "retriever": {
            "type": "SimpleRetriever",
            "requester": requester,
            "record_selector": selector,
            **retriever,
        },
        **said,
    }


def imported(folder: Path, *streams: dict[str, Any], **root: Any) -> Imported:
    """What comes of a manifest, which is written as a project, and has to be valid."""
    file = folder / "a.yaml"
    file.write_text(yaml.safe_dump({"type": "DeclarativeSource", "streams": list(streams), **root}))
    found = import_file("airbyte", file, "api")
    write_files(found, folder, "wh")
    compile(folder)
    return found


def source(folder: Path, **retriever: Any) -> tuple[dict[str, Any], list[str]]:
    found = imported(folder, stream(**retriever))
    return found.sources["rows"], found.notes


# --- references and parameters -----------------------------------------------------------------


def test_parameters_are_handed_down_to_all_that_lies_below(tmp_path: Path) -> None:
    """As fields that are missing there, and in templates; the nearest ones count."""
    definitions: dict[str, Any] = {
        "requester": {"type": "HttpRequester", "url_base": BASE},
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {"$ref": "#/definitions/requester"},
            "record_selector": {
                "extractor": {"field_path": ["{{ parameters.get('list') or parameters['name'] }}"]}
            },
        },
        "things": {
            "type": "DeclarativeStream",
            "$parameters": {"name": "things", "path": "/all/{{ parameters['name'] }}", "primary_key": "id"},
            "retriever": "#/definitions/retriever",
        },
        "old": {"$options": {"name": "old", "path": "old"}, "retriever": "*ref(definitions.retriever)"},
    }
    found = imported(tmp_path, {"$ref": "#/definitions/things"}, definitions["old"], definitions=definitions)
    assert found.sources["things"] == {
        "connection": "api",
        "path": "/all/things",
        "records": "to_array(things)",
    }
    assert found.keys == {"things": ["id"]}
    assert found.sources["old"] == {"connection": "api", "path": "/old", "records": "to_array(old)"}
    assert found.notes == []


def test_a_component_that_contains_itself_is_an_error(tmp_path: Path) -> None:
    loop = {"type": "DeclarativeStream", "name": "a", "retriever": {"inner": {"$ref": "#/definitions/loop"}}}
    with pytest.raises(FatalError, match="contains itself"):
        imported(tmp_path, {"$ref": "#/definitions/loop"}, definitions={"loop": loop})


# --- requests ----------------------------------------------------------------------------------

SPEC = {
    "connection_specification": {
        "properties": {
            "key": {"airbyte_secret": True},
            "account_id": {"airbyte_secret": True},
            "units": {"default": "metric"},
            "cities": {"type": "array", "examples": ["Lyon", "Paris"]},
        }
    }
}


@pytest.mark.parametrize(
    ("requester", "expected"),
    [
        ({"path": "a/{{ config['b']['c'] }}"}, {"path": "/a/{{ params.b_c }}"}),
        ({"path": "a?x=1&y={{ config.units }}"}, {"path": "/a", "query": {"x": "1", "y": "{{ params.units }}"}}),
        ({"path": "", "url_base": f"{BASE}/all"}, {"path": "/"}),
        ({"path": "{{ config['account_id'] }}/x"}, {"path": "/{{ params.account_id }}/x"}),
        ({"request_parameters": {"n": "{{ 500 }}", "b": "{{ True }}"}}, {"query": {"n": 500, "b": True}}),
        (
            {"request_parameters": {"u": "{{ config.get('unit', 'days') }}", "l": "{{ ','.join(config['l']) }}"}},
            {"query": {"u": "{{ params.unit }}", "l": "{{ params.l }}"}},
        ),
        (
            {"request_parameters": {"d": "{{ now_utc().strftime('%Y-%m-%d') }}"}},
            {"query": {"d": "{{ data_interval_end.strftime('%Y-%m-%d') }}"}},
        ),
        ({"request_parameters": "a=1&b=2"}, {"query": {"a": "1", "b": "2"}}),
        ({"request_headers": {"X-Version": 3}}, {"headers": {"X-Version": "3"}}),
        (
            {"http_method": "POST", "request_body": {"type": "RequestBodyJsonObject", "value": {"q": "x"}}},
            {"method": "POST", "body": {"q": "x"}},
        ),
        (
            {"http_method": "POST", "request_body_data": {"grant": "x"}},
            {"method": "POST", "form": {"grant": "x"}},
        ),
    ],
)  # fmt: skip
def test_requests_are_translated(tmp_path: Path, requester: dict[str, Any], expected: dict[str, Any]) -> None:
    found = imported(tmp_path, stream(requester=requester), spec=SPEC)
    said = found.sources["rows"]
    assert {key: said.get(key) for key in expected} == expected
    assert all("is the parameter" in note for note in found.notes)
    assert {"unit": "days", "units": "metric"}.items() >= {
        key: found.params[key] for key in ("unit", "units") if key in found.params
    }.items()


@pytest.mark.parametrize(
    ("requester", "auth"),
    [
        (
            {"request_headers": {"Authorization": "Token token={{ config['key'] }}"}},
            {"type": "api_key", "name": "Authorization", "prefix": "Token token="},
        ),
        ({"request_headers": {"Authorization": "Bearer {{ config.key }}"}}, {"type": "bearer"}),
        ({"request_parameters": {"k": "{{ config.key }}"}}, {"type": "api_key", "name": "k", "in": "query"}),
        (
            {
                "authenticator": {
                    "type": "ApiKeyAuthenticator",
                    "api_token": "Token {{ config.key }}",
                    "inject_into": {"type": "RequestOption", "inject_into": "header", "field_name": "X"},
                }
            },
            {"type": "api_key", "name": "X", "prefix": "Token "},
        ),
    ],
)
def test_a_secret_of_the_configuration_is_auth_and_never_a_parameter(
    tmp_path: Path, requester: dict[str, Any], auth: dict[str, Any]
) -> None:
    found = imported(tmp_path, stream(requester=requester), spec=SPEC)
    assert found.connection == {"type": "http", "base_url": BASE, "auth": auth}
    assert (found.params, found.notes) == ({}, [])
    assert not {"query", "headers"} & found.sources["rows"].keys()


def test_a_secret_in_a_path_has_no_translation(tmp_path: Path) -> None:
    found = imported(tmp_path, stream("a"), stream("b", requester={"path": "bot{{ config['bot_token'] }}/x"}))
    assert (list(found.sources), found.params) == (["a"], {})
    assert [note for note in found.notes if note.startswith("b: the path") and "left out" in note]


def test_streams_on_one_server_share_a_connection(tmp_path: Path) -> None:
    found = imported(
        tmp_path,
        stream("a"),
        stream("b", requester={"url_base": "https://api.example.org/v2/"}),
        stream("c", requester={"url_base": "https://other.example.org"}),
    )
    assert found.connection["base_url"] == "https://api.example.org"
    assert {name: said["path"] for name, said in found.sources.items()} == {"a": "/v1/a", "b": "/v2/b"}
    assert [note for note in found.notes if note.startswith("c: it is on another server")]


# --- pages and records -------------------------------------------------------------------------


def by_cursor(value: str, stop: str | None = None, *, follows: bool = False) -> dict[str, Any]:
    option = {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "c"}
    strategy = {
        "type": "CursorPagination",
        "cursor_value": value,
        **({"stop_condition": stop} if stop else {}),
    }
    return {
        "type": "DefaultPaginator",
        "page_token_option": {"type": "RequestPath"} if follows else option,
        "pagination_strategy": strategy,
    }


NEXT = {"type": "cursor", "param": "c", "next": "meta.next"}


@pytest.mark.parametrize(
    ("paginator", "expected"),
    [
        (by_cursor("{{ response.get('meta', {}).get('next') }}", "{{ response.meta.next is none }}"), NEXT),
        (by_cursor("{{ response.meta.next }}", "{{ 'next' not in response['meta'] }}"), NEXT),
        (by_cursor("{{ response.meta.next }}", "{{ not response.meta or response.meta.next == '' }}"), NEXT),
        (by_cursor("{{ response.meta.next if response.meta.next else None }}"), NEXT),
        (by_cursor("{{ response.meta.next }}", "{{ not response.more }}"), {**NEXT, "more": "more"}),
        (by_cursor("{{ response.meta.next }}", "{{ response.done }}"), {**NEXT, "more": "done != true"}),
        (by_cursor("{{ response.meta.next }}", "{{ response.s == 'x' }}"), {**NEXT, "more": 's != "x"'}),
        (by_cursor("{{ response.meta.next }}", "{{ last_page_size == 0 }}"), {**NEXT, "more": "data"}),
        (
            by_cursor("{{ response['@odata.nextLink'] }}", follows=True),
            {"type": "json_link", "next": '"@odata.nextLink"'},
        ),
        (
            by_cursor("https://api.example.org{{ response.next }}", follows=True),
            {"type": "json_link", "next": "next"},
        ),
        (by_cursor("{{ headers.get('Link', {}).get('next', {}).get('url') }}"), {"type": "header_link"}),
        (
            by_cursor("{{ response.page.number + 1 }}", "{{ response.page.last }}"),
            {"type": "page_number", "param": "c", "more": "page.last != true"},
        ),
    ],
)  # fmt: skip
def test_pages_are_translated(tmp_path: Path, paginator: dict[str, Any], expected: dict[str, Any]) -> None:
    said, notes = source(tmp_path, paginator=paginator)
    assert (said["paginate"], notes) == (expected, [])


@pytest.mark.parametrize(
    ("retriever", "expected"),
    [
        ({"field_path": ["list", "*", "order"]}, {"records": "list[].order"}),
        ({"field_path": []}, {"records": "to_array(@)"}),
        ({"field_path": ["*"]}, {"records": "to_array(@)"}),
        ({"field_path": ["a", "b"]}, {"records": "to_array(a.b)"}),
    ],
)
def test_the_place_of_records_is_translated(tmp_path: Path, retriever: Any, expected: dict[str, Any]) -> None:
    selector = {"extractor": {"type": "DpathExtractor", **retriever}}
    said, notes = source(tmp_path, record_selector=selector)
    assert (said, notes) == ({"connection": "api", "path": "/rows", **expected}, [])


@pytest.mark.parametrize(
    ("decoder", "expected"),
    [
        ({"type": "JsonlDecoder"}, {"format": "ndjson"}),
        ({"type": "GzipDecoder", "decoder": {"type": "CsvDecoder"}}, {"format": "csv"}),
        ({"type": "XmlDecoder"}, {"format": "xml", "records": "data"}),
        ({"type": "JsonDecoder"}, {"records": "to_array(data)"}),
    ],
)
def test_decoders_are_formats(tmp_path: Path, decoder: dict[str, Any], expected: dict[str, Any]) -> None:
    said, notes = source(tmp_path, decoder=decoder)
    assert (said, notes) == ({"connection": "api", "path": "/rows", **expected}, [])


def test_a_place_of_a_record_becomes_a_field(tmp_path: Path) -> None:
    fields = [
        {"path": ["updated"], "value": "{{ record['attributes']['updated'] }}"},
        {"path": ["now"], "value": "{{ now_utc() }}"},
    ]
    said, notes = source(
        tmp_path, primary_key=["now"], transformations=[{"type": "AddFields", "fields": fields}]
    )
    assert said["fields"] == {"*": "@", "updated": "attributes.updated"}
    assert notes == ["rows: the field `now` that it adds has no translation"]


# --- what is new, and what answers mean --------------------------------------------------------


def cursor(**said: Any) -> dict[str, Any]:
    return {
        "type": "DatetimeBasedCursor",
        "cursor_field": "at",
        "datetime_format": "%Y-%m-%dT%H:%M:%SZ",
        **said,
    }


def option(name: str, place: str = "request_parameter") -> dict[str, Any]:
    return {"type": "RequestOption", "inject_into": place, "field_name": name}


@pytest.mark.parametrize(
    ("sync", "query", "expected"),
    [
        (cursor(start_time_option=option("from"), start_datetime="2024-01-01"), {}, {"param": "from", "start": "2024-01-01"}),
        (
            cursor(start_time_option=option("from"), end_time_option=option("to"), step="P30D", start_datetime="2024-01-01"),
            {},
            {"param": "from", "until": "to", "window": "30d", "start": "2024-01-01"},
        ),
        (
            cursor(datetime_format="%d/%m/%Y", start_time_option=option("from", "header")),
            {},
            {"param": "from", "in": "header", "format": "%d/%m/%Y"},
        ),
        (cursor(), {"since": "{{ stream_interval['start_time'] }}"}, {"param": "since"}),
        (
            cursor(),
            {"q": "updated:>{{ stream_interval.start_time }}"},
            {"param": "q", "format": "updated:>%Y-%m-%dT%H:%M:%SZ"},
        ),
        (
            cursor(),
            {"a": "{{ format_datetime(stream_slice.start_time, '%Y%m%d') }}", "b": "{{ stream_slice.end_time }}"},
            {"param": "a", "until": "b", "format": "%Y%m%d"},
        ),
    ],
)  # fmt: skip
def test_cursors_are_translated(
    tmp_path: Path, sync: dict[str, Any], query: dict[str, str], expected: dict[str, Any]
) -> None:
    said, notes = source(
        tmp_path, incremental_sync=sync, primary_key="id", requester={"request_parameters": query}
    )
    assert (said["since"], notes) == (expected, [])
    assert "query" not in said


def test_what_answers_mean_is_translated_also_of_handlers_within_another(tmp_path: Path) -> None:
    filters = [
        {"action": "IGNORE", "http_codes": [404], "predicate": "{{ response.code == 'none' }}"},
        {"action": "RETRY", "predicate": "{{ 'busy' in response and response.busy.code == 7 }}"},
        {"action": "RATE_LIMITED", "http_codes": [429, 403]},
        {"action": "FAIL", "http_codes": [401]},
    ]
    handler = {
        "type": "CompositeErrorHandler",
        "error_handlers": [{"type": "DefaultErrorHandler", "max_retries": 3, "response_filters": filters}],
    }
    said, notes = source(tmp_path, requester={"error_handler": handler})
    assert said["errors"] == [
        {"status": 404, "when": 'code == "none"', "action": "skip"},
        {"when": "busy.code == 7", "action": "retry"},
        {"status": 403, "action": "retry"},
    ]
    assert (said["retry"], notes) == ({"attempts": 4}, [])


def test_a_budget_is_the_limit_of_the_connection(tmp_path: Path) -> None:
    policy = {"type": "MovingWindowCallRatePolicy", "rates": [{"limit": 10, "interval": "PT1M"}]}
    found = imported(tmp_path, stream(), api_budget={"type": "HTTPAPIBudget", "policies": [policy]})
    assert found.connection["rate_limit"] == {"calls": 10, "per": "60s"}


# --- parents -----------------------------------------------------------------------------------


def substream(*parents: tuple[dict[str, Any], str, str], **said: Any) -> dict[str, Any]:
    configs = [
        {"type": "ParentStreamConfig", "stream": parent, "parent_key": key, "partition_field": field, **said}
        for parent, key, field in parents
    ]
    return {"type": "SubstreamPartitionRouter", "parent_stream_configs": configs}


def test_parents_come_first_also_those_that_are_no_streams_themselves(tmp_path: Path) -> None:
    parent = stream("shops")
    child = stream(
        "lines",
        requester={"path": "/shops/{{ stream_partition['shop'] }}/{{ stream_slice.extra_fields['zone'] }}"},
        partition_router=substream((parent, "id", "shop"), extra_fields=[["zone"]]),
    )
    grandchild = stream(
        "parts",
        requester={"path": "/{{ stream_partition.parent_slice.shop }}/{{ stream_partition.line }}"},
        partition_router=substream((child, "key", "line"), request_option=option("l")),
    )
    found = imported(tmp_path, grandchild, child)
    assert list(found.sources) == ["shops", "lines", "parts"]
    assert found.parents == {"lines": "shops", "parts": "lines"}
    assert found.sources["lines"]["path"] == "/shops/{parent.id}/{parent.zone}"
    assert found.sources["parts"]["path"] == "/{parent.shop}/{parent.key}"
    assert found.sources["parts"]["query"] == {"l": "{parent.key}"}
    assert found.notes == []


def test_several_parents_are_several_tasks(tmp_path: Path) -> None:
    kinds = {
        "type": "ListPartitionRouter",
        "cursor_field": "kind",
        "values": ["x", "y"],
        "request_option": option("k"),
    }
    router = substream((stream("a"), "id", "owner"), (stream("b"), "id", "owner"))
    child = stream(
        requester={"path": "/{{ stream_partition.owner }}/{{ stream_partition.kind }}"},
        partition_router=[router, kinds],
    )
    found = imported(tmp_path, child)
    assert list(found.sources) == ["a", "b", "rows_of_a_x", "rows_of_a_y", "rows_of_b_x", "rows_of_b_y"]
    assert found.sources["rows_of_b_y"]["path"] == "/{parent.id}/y"
    assert found.sources["rows_of_b_y"]["query"] == {"k": "y"}


def test_values_of_the_configuration_are_said_or_stand_in_a_file(tmp_path: Path) -> None:
    def by(key: str) -> dict[str, Any]:
        router = {
            "type": "ListPartitionRouter",
            "cursor_field": "one",
            "values": f"{{{{ config['{key}'] }}}}",
        }
        return stream(key, partition_router={**router, "request_option": option("q")})

    found = imported(tmp_path, by("cities"), by("codes"), spec=SPEC)
    assert found.sources["cities"]["parent"] == {"values": ["Lyon", "Paris"], "as": "one"}
    assert found.sources["codes"]["parent"]["path"] == "one.csv"
    assert found.sources["codes"]["query"] == {"q": "{parent.one}"}
    assert len(found.notes) == 2


def test_a_field_that_records_have_themselves_is_not_taken_of_the_parent(tmp_path: Path) -> None:
    def of(schema: dict[str, Any], added: list[Any]) -> dict[str, Any]:
        child = stream(partition_router=substream((stream("a"), "id", "a_id")), transformations=added)
        child["schema_loader"] = {"type": "InlineSchemaLoader", "schema": {"$ref": "#/schemas/rows"}}
        folder = tmp_path / f"{len(schema)}{len(added)}"
        folder.mkdir()
        schemas = {"rows": {"properties": schema}}
        parent: dict[str, Any] = imported(folder, child, schemas=schemas).sources["rows"]["parent"]
        return parent["fields"]  # type: ignore[no-any-return]

    added = [{"type": "AddFields", "fields": [{"path": ["a_id"], "value": "{{ stream_partition.a_id }}"}]}]
    assert of({}, []) == {"a_id": "id"}
    assert of({"a_id": {}}, []) == {}
    assert of({"a_id": {}}, added) == {"a_id": "id"}


# --- the whole of it ---------------------------------------------------------------------------


def test_a_manifest_runs_against_its_api(
    tmp_path: Path, make_api: Callable[..., Api], windlass: Callable[..., Output]
) -> None:
    """Parents, pages by cursor, records within a list, windows and a secret: as the API of the manifest wants to be asked."""

    def answering(asked: Asked) -> bytes:
        if asked.headers.get("authorization") != "Token s3cret":
            return answer("{}", status="401 Unauthorized")
        if asked.path.startswith("/v1/shops?"):
            last = asked.query.get("c") == "2"
            more = {"done": last, "meta": {"next": None if last else "2"}}
            return answer(json.dumps({"list": [{"shop": {"id": 2 if last else 1}}], **more}))
        at = asked.query["from"] + "T12:00:00Z"
        return answer(
            json.dumps({"data": [{"id": f"{asked.path.split('/')[2]}-{asked.query['from']}", "at": at}]})
        )

    api = make_api(answering=answering)
    requester = {
        "url_base": f"http://127.0.0.1:{api.port}/v1",
        "request_headers": {"Authorization": "Token {{ config['key'] }}"},
    }
    shops = stream(
        "shops",
        requester={**requester, "request_parameters": {"n": 1}},
        record_selector={"extractor": {"type": "DpathExtractor", "field_path": ["list", "*", "shop"]}},
        paginator=by_cursor("{{ response.meta.next }}", "{{ response.done }}"),
        primary_key="id",
    )
    orders = stream(
        "orders",
        requester={**requester, "path": "/{{ stream_partition.shop }}/orders"},
        partition_router=substream((shops, "id", "shop")),
        incremental_sync=cursor(
            datetime_format="%Y-%m-%d",
            start_time_option=option("from"),
            end_time_option=option("to"),
            step="P10D",
            start_datetime="2024-01-01",
        ),
        primary_key="id",
    )
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump({"type": "DeclarativeSource", "streams": [orders, shops], "spec": SPEC}))
    assert windlass("import", "airbyte", "shop.yaml", "--name", "crm", "--to", "wh").code == 0
    assert not (tmp_path / "crm").exists()
    project = yaml.safe_load((tmp_path / "windlass.yaml").read_text())
    project["connections"]["wh"] = {"type": "sqlite"}
    (tmp_path / "windlass.yaml").write_text(yaml.safe_dump(project))
    environment = {
        "WINDLASS_CONN_CRM": f"http://:s3cret@127.0.0.1:{api.port}/v1",
        "WINDLASS_CONN_WH": f"sqlite:///{tmp_path}/wh.db",
    }
    done = windlass("run", "crm", "--logical-date", "2024-01-21", env=environment)
    assert done.code == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "wh.db")) as database:
        rows = database.execute("SELECT shop, id FROM orders ORDER BY id").fetchall()
    asked = ["2024-01-01", "2024-01-10", "2024-01-19"]
    assert rows == [(n, f"{n}-{day}") for n in (1, 2) for day in asked]
