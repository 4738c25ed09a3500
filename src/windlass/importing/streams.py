"""One stream of a low-code manifest on its way to a task."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from windlass.connectors.http.keys import is_path
from windlass.importing.authenticators import auths_of, chosen_by, secret_of
from windlass.importing.configuration import Configuration
from windlass.importing.handlers import errors_of
from windlass.importing.imported import Imported
from windlass.importing.names import name_of, open_name
from windlass.importing.paginators import WRITTEN, paginate_of
from windlass.importing.routers import Partitions, partitions_of
from windlass.importing.syncs import Sync, sync_of
from windlass.importing.templates import Moment, Place, is_template, path_of, pieces_of, value_of

__all__ = ["Stream", "base_of"]

_DECODERS = {"JsonDecoder": "json", "JsonlDecoder": "ndjson", "CsvDecoder": "csv", "XmlDecoder": "xml"}
_KNOWN = {
    "type",
    "name",
    "primary_key",
    "retriever",
    "incremental_sync",
    "schema_loader",
    "state_migrations",
    "transformations",
}
_KNOWN |= {
    "description",
    "stream_cursor_field",
    "path",
    "url_base",
    "http_method",
    "field_path",
    "cursor_field",
    "parent_key",
}
_SLICE = ("stream_partition", "stream_slice", "partition")
_STEP = re.compile(r"[A-Za-z_][\w:-]*", re.ASCII)

Stream_ = Mapping[str, Any]


def base_of(requester: Stream_) -> tuple[str, str]:
    """The address that requests begin with, and the path behind it."""
    base, path = (
        str(requester.get("url_base") or requester.get("url") or ""),
        str(requester.get("path") or ""),
    )
    if path.startswith(("http://", "https://")):
        base, path = "/".join(path.split("/")[:3]), "/".join(path.split("/")[3:])
    return base.strip().rstrip("/"), path


class Stream:
    """A stream whose references are followed, and what becomes of it."""

    def __init__(
        self,
        stream: Stream_,
        name: str,
        imported: Imported,
        configuration: Configuration,
        server: str,
        task_of: Callable[[Stream_], str | None],
    ) -> None:
        self._stream, self.name, self._imported, self._configuration = stream, name, imported, configuration
        self._server, self._task_of = server, task_of
        self._retriever: Stream_ = stream.get("retriever") or {}
        self._requester: Stream_ = self._retriever.get("requester") or {}
        self._selector: Stream_ = self._retriever.get("record_selector") or {}
        self._partitions = Partitions()
        self._sync = Sync()

    def translate(self) -> str | None:
        """Add the tasks, one for each of several parents. Returns the first; None where there is none, which is noted."""
        kind = self._retriever.get("type", "SimpleRetriever")
        if self._stream.get("type", "DeclarativeStream") != "DeclarativeStream" or kind != "SimpleRetriever":
            self._note(f"{self._stream.get('type')} with {kind} has no translation; the stream was left out")
            return None
        if not self._translate_connection():
            return None
        found = partitions_of(self._retriever, self._task_of, self._configuration, self._note)
        tasks = [self._add(partitions) for partitions in found]
        if tasks:
            self._note_rest()
        return next(filter(None, tasks), None)

    def _note(self, what: str) -> None:
        self._imported.note(self.name, what)

    def _add(self, partitions: Partitions) -> str | None:
        self._partitions = partitions
        self._sync = sync_of(self._stream.get("incremental_sync") or {}, self._said, self._note)
        if (source := self._source()) is None:
            return None
        suffix = f" {partitions.suffix}" if partitions.suffix else ""
        task = self._imported.add(name_of(self.name + suffix), source, partitions.task)
        key = self._stream.get("primary_key")
        keys = [key] if isinstance(key, str) else key if isinstance(key, list) else []
        keys = [one[0] if isinstance(one, list) and len(one) == 1 else one for one in keys]
        lost = {name for name, value in self._additions() if not isinstance(value, Place)}
        if keys and all(isinstance(one, str) and one and one not in lost for one in keys):
            self._imported.keys[task] = keys
        if self._sync.cursor:
            self._imported.cursors[task] = self._sync.cursor
        return task

    def _translate_connection(self) -> bool:
        """What all streams have to agree on. Returns whether they do."""
        connection, (base, _) = self._imported.connection, base_of(self._requester)
        found: dict[str, Any] = {}
        if is_template(self._server) or not self._server:
            self._imported.note("url_base", f"{base!r} depends on the configuration: say it in the address")
        else:
            found["base_url"] = self._server
        if self._server and not base.startswith(self._server):
            self._note(f"it is on another server, {base!r}, than other streams; it was left out")
            return False
        found |= self._auth()
        mine = {key: value for key, value in connection.items() if key not in ("type", "rate_limit")}
        if self._imported.sources and mine != found:
            self._note("it has another `auth` than the streams before it; it was left out")
            return False
        connection |= found
        return True

    def _auth(self) -> dict[str, Any]:
        authenticator = self._requester.get("authenticator") or {}
        if authenticator and authenticator.get("type") != "NoAuth":
            return auths_of(authenticator, self._imported)
        for key, place in (("request_headers", "header"), ("request_parameters", "query")):
            said = self._requester.get(key)
            for name, text in (said if isinstance(said, Mapping) else {}).items():
                if found := secret_of(str(name), text, place, self._configuration):
                    return {"auth": found}
        return {}

    def _source(self) -> dict[str, Any] | None:
        base, written = base_of(self._requester)
        path = base[len(self._server) :] + "/" + written.lstrip("/")
        if (said := self._said(path, in_path=True)) is None:
            self._note(f"the path {path!r} has a template that has no translation; the stream was left out")
            return None
        place, _, parameters = str(said).strip().partition("?")
        source: dict[str, Any] = {"path": re.sub("/+", "/", f"/{place}")}
        if str(self._requester.get("http_method", "GET")).upper() == "POST":
            source["method"] = "POST"
        source |= self._written(parameters)
        source |= self._answer()
        records = source.get("records", "[]")
        paginate, size = paginate_of(self._retriever.get("paginator") or {}, records, self._note)
        if paginate is not None:
            source["paginate"] = self._fitting(paginate, source)
        elif (
            "format" not in source and "[]." not in records
        ):  # there may be one only, which is a record there
            source["records"] = f"to_array({'@' if records == '[]' else records})"
        for place, values in (*size.items(), *self._partitions.sent.items()):
            where = "query" if place == "body" and "method" not in source else place
            source[where] = {**source.get(where, {}), **values}
        if self._sync.since:
            source["since"] = self._fitting(self._sync.since, source)
        self._leave_out_twice(source)
        source["headers"] = {name: str(value) for name, value in source.get("headers", {}).items()}
        parent = self._partitions.parent
        if parent or self._partitions.task is not None:
            source["parent"] = (
                {**parent, "fields": self._fields_of_parent()} if "values" not in parent else parent
            )
        source |= (
            self._added() | self._chosen() | errors_of(self._requester.get("error_handler") or {}, self._note)
        )
        return {key: value for key, value in source.items() if value not in ({}, None)}

    def _written(self, parameters: str) -> dict[str, Any]:
        """Query, headers and body."""
        found: dict[str, Any] = {}
        in_path = dict(pair.partition("=")[::2] for pair in parameters.split("&") if pair)
        body = self._requester.get("request_body") or {}
        as_form = body.get("type") == "RequestBodyUrlEncodedForm"
        for ours, theirs in (
            ("query", self._mapping("request_parameters")),
            ("headers", self._mapping("request_headers")),
            ("body", self._mapping("request_body_json") or ({} if as_form else body.get("value"))),
            ("form", self._mapping("request_body_data") or (body.get("value") if as_form else {})),
        ):
            if not isinstance(theirs, Mapping):
                if theirs:
                    self._note(f"`request_body` is {theirs!r}, which has no translation")
                continue
            said = {str(name): self._value(value, f"{ours}.{name}", ours) for name, value in theirs.items()}
            said = {name: value for name, value in said.items() if value is not None}
            flat = {name: value for name, value in said.items() if not isinstance(value, dict | list)}
            for name in said.keys() - flat.keys() if ours != "body" else ():
                self._note(f"`{ours}.{name}` is {said[name]!r}, which has no translation")
            found[ours] = said if ours == "body" else flat
        found["query"] = {**in_path, **found.get("query", {})}
        if "POST" not in str(self._requester.get("http_method")).upper() and (
            found.get("body") or found.get("form")
        ):
            self._note("a GET with a body has no translation; the body was left out")
            found = {key: value for key, value in found.items() if key not in ("body", "form")}
        return found

    def _mapping(self, key: str) -> Mapping[str, Any]:
        said = self._requester.get(key) or {}
        if isinstance(said, str) and re.fullmatch(r"[^{}=&]+=[^=&]*(&[^{}=&]+=[^=&]*)*", said.strip()):
            return dict(pair.partition("=")[::2] for pair in said.strip().split("&"))
        if not isinstance(said, Mapping):
            self._note(f"`{key}` is a text, which has no translation")
            return {}
        return said

    def _value(self, value: Any, where: str, part: str) -> Any:
        """What is said there, templates translated; None, which is noted, where one has no translation."""
        if isinstance(value, Mapping):
            return {key: self._value(inner, f"{where}.{key}", part) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value(inner, where, part) for inner in value]
        if not isinstance(value, str) or not is_template(value):
            return value
        if part in ("query", "headers", "form") and self._is_secret(value, where.partition(".")[2], part):
            return None
        if self._sync.take(value, where.partition(".")[2], part):
            return None
        if "next_page_token" in value and "if" not in value and self._is_token_of_page(where):
            return None
        said = self._said(value)
        if said is None and value_of(value) is not None:
            self._note(f"`{where}` is {value!r}, which has no translation")
        return said

    def _is_token_of_page(self, where: str) -> bool:
        option = (self._retriever.get("paginator") or {}).get("page_token_option") or {}
        return str(option.get("field_name")) == where.partition(".")[2]

    def _is_secret(self, value: str, name: str, part: str) -> bool:
        """Whether it is a secret, which belongs into the address; what says so already is `auth`."""
        places = [
            piece for piece in pieces_of(value) or () if isinstance(piece, Place) and piece.root == "config"
        ]
        auth = self._imported.connection.get("auth") or {}
        if auth.get("name", "Authorization" if auth else None) == name:
            return True
        if not any(self._configuration.is_secret(place) for place in places):
            return False
        way = f"say it in the address: ?{name}=…" if part == "query" else "it was left out"
        self._note(f"`{part}.{name}` is a secret; {way}")
        return True

    def _said(self, value: Any, *, in_path: bool = False) -> Any:
        """A value with templates as ours; None where one has no translation."""
        if not isinstance(value, str) or not is_template(value):
            return value
        pieces = pieces_of(value)
        if pieces is None:
            return None
        said = [self._piece(piece, in_path=in_path) for piece in pieces]
        if any(piece is None for piece in said):
            return None
        return said[0] if len(said) == 1 else "".join(map(str, said))

    def _piece(self, piece: object, *, in_path: bool = False) -> Any:
        if isinstance(piece, list):
            items = [self._piece(item) for item in piece]
            return None if None in items else items
        if isinstance(piece, Moment):
            return f"{{{{ data_interval_end.strftime('{piece.format}') }}}}"
        if not isinstance(piece, Place):
            return piece
        is_open = piece.path and not self._configuration.is_secret(piece, in_path=in_path)
        if piece.root == "config" and is_open:
            return self._configuration.parameter(piece, self.name)
        return self._partitions.named(piece) if piece.root in _SLICE else None

    def _answer(self) -> dict[str, Any]:
        """Its format, and where the records are."""
        decoder = self._retriever.get("decoder") or {}
        while decoder.get("type") == "GzipDecoder":
            decoder = decoder.get("decoder") or {}
        format_ = _DECODERS.get(str(decoder.get("type", "JsonDecoder")))
        if format_ is None:
            self._note(f"{decoder.get('type')} has no translation; see `format`")
        records = self._records() if format_ in ("json", "xml", None) else "[]"
        found = {"format": format_} if format_ not in ("json", None) else {}
        return found | ({"records": records} if records != "[]" else {})

    def _records(self) -> str:
        extractor = self._selector.get("extractor") or {}
        path = [
            str(self._said(step))
            for step in extractor.get("field_path") or extractor.get("field_pointer") or ()
        ]
        if extractor.get("type", "DpathExtractor") != "DpathExtractor":
            self._note(f"the extractor {extractor.get('type')} has no translation; say `records`")
        while path and path[-1] in ("*", ""):
            path.pop()
        if any(step != "*" and not _STEP.fullmatch(step) for step in path):
            self._note(f"`field_path` {path} has a step that has no translation; say `records`")
            return "[]"
        return ".".join(path).replace(".*", "[]").replace("*", "[]") or "[]"

    def _fitting(self, said: dict[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
        """Without a body there is nothing to put a page into."""
        if said.get("in") == "body" and source.get("method") != "POST":
            return {key: value for key, value in said.items() if key != "in"}
        return said

    def _leave_out_twice(self, source: dict[str, Any]) -> None:
        """What `paginate` and `since` set does not stand in the query, too."""
        for key in ("paginate", "since"):
            said = source.get(key, {})
            names = [said.get(name) for name in ("param", "limit_param", "until")]
            names += ["limit"] if said.get("type") == "offset" and "limit_param" not in said else []
            where = WRITTEN[said.get("in", "query")]
            if where in source:
                source[where] = {name: value for name, value in source[where].items() if name not in names}

    def _fields_of_parent(self) -> dict[str, str]:
        """What records get of their parent: its key, unless they have it themselves, and what is added."""
        schema = (self._stream.get("schema_loader") or {}).get("schema") or {}
        properties = schema.get("properties") if isinstance(schema, Mapping) else None
        own = set(properties or ()) - {name for name, _ in self._additions()}
        fields = {open_name(name): path for name, path in self._partitions.fields.items() if name not in own}
        return {name: path for name, path in fields.items() if is_path(path)} | {
            open_name(name): path
            for name, value in self._additions()
            if (path := self._of_parent(value)) is not None
        }

    def _of_parent(self, value: object) -> str | None:
        named = self._partitions.named(value) if isinstance(value, Place) and value.root in _SLICE else None
        found = re.fullmatch(r"\{parent\.(.+)\}", named or "")
        return found[1] if found and is_path(found[1]) else None

    def _additions(self) -> list[tuple[str, object]]:
        """The fields that are added to a record, and what they are."""
        found: list[tuple[str, object]] = []
        for each in self._stream.get("transformations") or ():
            if isinstance(each, Mapping) and each.get("type") == "AddFields":
                for field in each.get("fields") or ():
                    path = field.get("path") or []
                    found.append(
                        (".".join(map(str, path)), value_of(str(field.get("value")).strip().strip("\"'")))
                    )
        return found

    def _added(self) -> dict[str, Any]:
        """`fields`, where places of a record become fields of their own."""
        found: dict[str, str] = {}
        for name, value in self._additions():
            if self._of_parent(value) is not None and "." not in name:
                continue
            is_place = isinstance(value, Place) and value.root == "record" and value.path
            if is_place and value == Place("record", (name,)):
                continue
            if is_place and "." not in name and is_path(path := path_of(value)):  # type: ignore[arg-type]
                found[name] = path
            else:
                self._note(f"the field `{name}` that it adds has no translation")
        return {"fields": {"*": "@", **found}} if found else {}

    def _chosen(self) -> dict[str, str]:
        """Which of several ways to say who asks: a parameter of the pipeline says it."""
        key = chosen_by(self._requester.get("authenticator") or {})
        ways = self._imported.connection.get("auths")
        if key is None or ways is None:
            return {}
        param = open_name(name_of(key))
        self._imported.params[param] = next(iter(ways))
        said = f"is the parameter `{param}` of the pipeline: one of {', '.join(ways)}"
        self._imported.note("authenticator", f"`config.{key}` {said}")
        return {"auth": f"{{{{ params.{param} }}}}"}

    def _note_rest(self) -> None:
        condition = str((self._selector.get("record_filter") or {}).get("condition", ""))
        if condition and not re.search(r">=?\s*\(?\s*stream_(interval|slice)", condition):
            self._note(f"`record_filter` was left out, filter in SQL: {condition}")
        for each in self._stream.get("transformations") or ():
            if (kind := each.get("type") if isinstance(each, Mapping) else each) != "AddFields":
                said = each.get("field_pointers", "") if isinstance(each, Mapping) else ""
                self._note(f"`{kind}` was left out {said}".strip())
        for key in sorted(self._stream.keys() - _KNOWN):
            self._note(f"`{key}` was left out")
