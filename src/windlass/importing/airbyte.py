"""A low-code manifest of Airbyte (https://docs.airbyte.com/platform/connector-development/config-based): each stream is a copy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from windlass.errors import FatalError
from windlass.importing.authenticators import auths_of, chosen_by
from windlass.importing.documents import Tree
from windlass.importing.imported import Imported
from windlass.importing.names import name_of
from windlass.importing.paginators import paginate_of
from windlass.importing.templates import config_key, is_template, parent_values

__all__ = ["translate"]

_FORMATS = {"%s": "unix", "%s_as_float": "unix", "%ms": "unix_ms", "%Y-%m-%d": "date"}
_PLACES = {"request_parameter": "query", "header": "header", "body_json": "body", "body_data": "body"}
_ACTIONS = {"IGNORE": "skip", "SUCCESS": "skip", "FAIL": "fail", "RETRY": "retry", "RATE_LIMITED": "retry"}
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_KNOWN = {"type", "name", "primary_key", "retriever", "incremental_sync", "schema_loader", "$parameters"}


def translate(tree: Tree, imported: Imported) -> None:
    """Fill in what the manifest says. Raises FatalError for a document of another kind."""
    if tree.root.get("type") != "DeclarativeSource" and "streams" not in tree.root:
        raise FatalError("the file is not a low-code manifest: it lacks `type: DeclarativeSource`")
    imported.description = str(tree.root.get("description", "")).strip()
    for stream in tree.root.get("streams") or ():
        _Stream(tree, imported, tree.at(stream)).translate()


class _Stream:
    """One stream on its way to a task."""

    def __init__(self, tree: Tree, imported: Imported, stream: Mapping[str, Any]) -> None:
        self._tree, self._imported, self._stream = tree, imported, stream
        self._parameters = {**tree.at(stream, "$parameters")}
        self.name = str(stream.get("name") or self._parameters.get("name") or "stream")
        self._retriever = tree.at(stream, "retriever")
        self._requester = tree.at(self._retriever, "requester")
        self._parents: dict[str, str] = {}
        self._parent_task: str | None = None

    def translate(self) -> None:
        """Add the task, or note why it cannot be."""
        kind = self._retriever.get("type", "SimpleRetriever")
        if self._stream.get("type", "DeclarativeStream") != "DeclarativeStream" or kind != "SimpleRetriever":
            self._note(f"{self._stream.get('type')} with {kind} has no translation; the stream was left out")
            return
        if not self._translate_connection():
            return
        source = self._source()
        if source is None:
            return
        task = self._imported.add(name_of(self.name), source, self._parent_task)
        self._note_rest()
        key = self._stream.get("primary_key")
        if isinstance(key, str) or (isinstance(key, list) and all(isinstance(k, str) for k in key)):
            self._imported.keys[task] = [key] if isinstance(key, str) else key
        if cursor := self._cursor():
            self._imported.cursors[task] = cursor

    def _note(self, what: str) -> None:
        self._imported.note(self.name, what)

    def _said(self, value: Any) -> Any:
        """A text with the parameters of the manifest in it, and those of the configuration as ours."""
        if not isinstance(value, str):
            return value
        for name, text in self._parameters.items():
            value = re.sub(
                rf"\{{\{{\s*parameters(?:\.{name}|\[['\"]{name}['\"]\])\s*\}}\}}", str(text), value
            )
        if key := config_key(value):
            self._imported.params.setdefault(name_of(key), "")
            self._note(f"`config.{key}` is the parameter `{name_of(key)}` of the pipeline")
            return f"{{{{ params.{name_of(key)} }}}}"
        return value

    def _translate_connection(self) -> bool:
        """What all streams have to agree on. Returns whether they do."""
        connection = self._imported.connection
        base = self._requester.get("url_base") or self._requester.get("url") or ""
        found: dict[str, Any] = {}
        if is_template(base) or not str(base).startswith(("http://", "https://")):
            self._imported.note("url_base", f"{base!r} depends on the configuration: say it in the address")
        else:
            found["base_url"] = str(base).rstrip("/")
        authenticator = self._tree.at(self._requester, "authenticator")
        found |= auths_of(self._tree, authenticator, self._imported) if authenticator else {}
        mine = {key: value for key, value in connection.items() if key != "type"}
        if self._imported.sources and mine != found:
            self._note("it has another address or `auth` than the streams before it; it was left out")
            return False
        connection |= found
        return True

    def _source(self) -> dict[str, Any] | None:
        parent = self._parent()
        if parent is None:
            return None
        path = parent_values(str(self._said(self._requester.get("path", ""))), self._parents)
        source: dict[str, Any] = {"path": "/" + path.lstrip("/")} | parent
        if is_template(source["path"]) and "params." not in source["path"]:
            self._note(f"the path {path!r} has a template that has no translation; the stream was left out")
            return None
        if str(self._requester.get("http_method", "GET")).upper() == "POST":
            source["method"] = "POST"
        for theirs, ours in (
            ("request_parameters", "query"),
            ("request_headers", "headers"),
            ("request_body_json", "body"),
            ("request_body_data", "form"),
        ):
            if said := self._mapping(theirs):
                source[ours] = said
        records = self._records()
        paginator = self._tree.at(self._retriever, "paginator")
        paginate, size = paginate_of(self._tree, paginator, records, self._note)
        source |= {"paginate": paginate} if paginate else {}
        for place, values in size.items():
            source[place] = {**source.get(place, {}), **values}
        source |= {"records": records} if records != "[]" else {}
        source |= self._chosen() | self._since() | self._errors()
        return source

    def _chosen(self) -> dict[str, str]:
        """Which of several ways to say who asks: a parameter of the pipeline says it."""
        key = chosen_by(self._tree.at(self._requester, "authenticator"))
        ways = self._imported.connection.get("auths")
        if key is None or ways is None:
            return {}
        param = name_of(key)
        self._imported.params[param] = next(iter(ways))
        said = f"is the parameter `{param}` of the pipeline: one of {', '.join(ways)}"
        self._imported.note("authenticator", f"`config.{key}` {said}")
        return {"auth": f"{{{{ params.{param} }}}}"}

    def _mapping(self, key: str) -> dict[str, Any]:
        said = self._tree.at(self._requester, key)
        if not isinstance(said, Mapping):
            self._note(f"`{key}` is a text, which has no translation")
            return {}
        return {
            name: text
            for name, value in said.items()
            if (text := self._value(value, f"{key}.{name}")) is not None
        }

    def _value(self, value: Any, where: str) -> Any:
        """What is said there, templates translated; None, which is noted, where one has no translation."""
        if isinstance(value, Mapping):
            return {key: self._value(inner, f"{where}.{key}") for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value(inner, where) for inner in value]
        text = parent_values(self._said(value), self._parents) if isinstance(value, str) else value
        if is_template(text) and not text.startswith("{{ params."):
            self._note(f"`{where}` is {value!r}, which has no translation")
            return None
        return text

    def _records(self) -> str:
        extractor = self._tree.at(self._retriever, "record_selector", "extractor")
        path = [str(self._said(step)) for step in extractor.get("field_path") or ()]
        if extractor.get("type", "DpathExtractor") != "DpathExtractor":
            self._note(f"the extractor {extractor.get('type')} has no translation")
        if path and path[-1] == "*":
            path.pop()
        if any(not re.fullmatch(r"[A-Za-z_]\w*", step) for step in path):
            self._note(f"`field_path` {path} has a step that has no translation; say `records`")
            return "[]"
        return ".".join(path) or "[]"

    def _parent(self) -> dict[str, Any] | None:
        """The rows for each of which there is a request; None where they have no translation."""
        routers = self._retriever.get("partition_router") or []
        routers = [self._tree.at(r) for r in (routers if isinstance(routers, list) else [routers])]
        if not routers:
            return {}
        configs = [self._tree.at(c) for c in routers[0].get("parent_stream_configs", ())]
        if len(routers) > 1 or len(configs) > 1:
            self._note("several partition routers or parents have no translation; the stream was left out")
            return None
        if routers[0].get("type") == "ListPartitionRouter":
            return self._list_of(routers[0])
        if routers[0].get("type") != "SubstreamPartitionRouter" or not configs:
            self._note(f"{routers[0].get('type')} has no translation; the stream was left out")
            return None
        return self._substream(configs[0])

    def _list_of(self, router: Mapping[str, Any]) -> dict[str, Any] | None:
        values, field = self._said(router.get("values")), str(router.get("cursor_field"))
        if not isinstance(values, list):
            self._note("its list of partitions comes from the configuration; say it with `parent`")
            return None
        name = name_of(field)
        self._parents[field] = name
        option = self._tree.at(router, "request_option")
        query = {"query": {option["field_name"]: f"{{{name}}}"}} if option else {}
        return {"parent": {"values": values, "as": name}} | query

    def _substream(self, config: Mapping[str, Any]) -> dict[str, Any] | None:
        other = self._tree.at(config, "stream")
        task = name_of(str(other.get("name") or self._tree.at(other, "$parameters").get("name")))
        if task not in self._imported.sources:
            self._note(f"its parent {task!r} is not a stream that comes before it; the stream was left out")
            return None
        key, field = str(config["parent_key"]), str(config["partition_field"])
        self._parents[field] = f"parent.{key}"
        self._parent_task = task
        return {"parent": {"fields": {field: key}}}

    def _sync(self) -> Mapping[str, Any]:
        sync: Mapping[str, Any] = self._tree.at(self._stream, "incremental_sync")
        return sync if sync.get("type", "DatetimeBasedCursor") == "DatetimeBasedCursor" else {}

    def _since(self) -> dict[str, Any]:
        sync = self._sync()
        option = self._tree.at(sync, "start_time_option")
        if not option or "field_name" not in option:
            return {}
        since = {"param": option["field_name"]}
        if (place := _PLACES.get(str(option.get("inject_into")), "query")) != "query":
            since["in"] = place
        if kind := _FORMATS.get(str(sync.get("datetime_format"))):
            since["format"] = kind
        start = sync.get("start_datetime")
        start = start.get("datetime") if isinstance(start, Mapping) else start
        if (
            start is not None
            and (said := self._said(start))
            and not (is_template(said) and "params." not in said)
        ):
            since["start"] = said
        for key in ("end_time_option", "step", "cursor_granularity"):
            if key in sync:
                self._note(
                    f"`incremental_sync.{key}` was left out: the API is told from when on, and no window"
                )
        return {"since": since}

    def _cursor(self) -> dict[str, Any]:
        sync = self._sync()
        if "cursor_field" not in sync:
            return {}
        lookback = _duration(str(self._said(sync.get("lookback_window") or "")))
        return {"cursor": sync["cursor_field"], **({"lookback": lookback} if lookback else {})}

    def _errors(self) -> dict[str, Any]:
        handler = self._tree.at(self._requester, "error_handler")
        rules = []
        for filtered in map(self._tree.at, handler.get("response_filters") or ()):
            action = _ACTIONS.get(str(filtered.get("action")))
            if action is None or "predicate" in filtered or "error_message_contains" in filtered:
                self._note("a filter of its error handler has no translation; see `errors`")
                continue
            rules += [{"status": int(code), "action": action} for code in filtered.get("http_codes") or ()]
        retries = handler.get("max_retries")
        retry = {"retry": {"attempts": retries + 1}} if isinstance(retries, int) else {}
        return retry | ({"errors": rules} if rules else {})

    def _note_rest(self) -> None:
        selector = self._tree.at(self._retriever, "record_selector")
        for key in ("record_filter", "schema_normalization"):
            if selector.get(key) not in (None, "None", "Default"):
                self._note(f"`{key}` was left out; filter or cast in SQL, or with `select`")
        for key in sorted(self._stream.keys() - _KNOWN):
            self._note(f"`{key}` was left out")
        kind = self._tree.at(self._stream, "incremental_sync").get("type")
        if kind not in (None, "DatetimeBasedCursor"):
            self._note(f"{kind} has no translation; the copy reads all records")


def _duration(iso: str) -> str | None:
    """A duration of ISO 8601 as ours; None where there is none."""
    found = _DURATION.fullmatch(iso)
    if not iso or found is None:
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    parts = ((weeks * 7 + days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or None
