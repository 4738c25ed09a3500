"""The keys of an API in `from:`."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from windlass.connectors.files.options import Csv
from windlass.connectors.http.keys import is_path
from windlass.connectors.http.options.asking import Parent, Since
from windlass.connectors.http.options.limits import ErrorRule, RateLimit, Retry
from windlass.connectors.http.options.paging import Paginate
from windlass.connectors.options import SourceOptions
from windlass.options import Many

__all__ = ["Source"]

_WITH_PYTHON = ("python", "arguments", "auth", "retry", "rate_limit", "errors")
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_KEYS = r"[A-Za-z_][\w:-]*(\.[A-Za-z_][\w:-]*)*"
_RECORDS = re.compile(rf"(\[\]|{_KEYS}(\[\])?)|(\[\]|{_KEYS}\[\])(\.{_KEYS}\[\])*\.{_KEYS}(\[\])?")
_RECORD = re.compile(rf"\[(@|{_KEYS})\]|to_array\((@|{_KEYS})\)")


class Source(SourceOptions):
    """The records of an API, which answers requests with pages of them."""

    path: str = ""
    """The path of the request, behind the address of the connection."""

    python: str | None = None
    """Instead of a path: a function of the project that gets the records, as `module:function`. It is called with a client of
    the connection, and gives mappings or batches of Arrow."""

    arguments: dict[str, Any] = {}
    """With `python`: what else the function is called with."""

    method: Literal["GET", "POST"] = "GET"
    """The method of the request. `POST` is for what only reads, such as a search or GraphQL: it may be sent again."""

    query: dict[str, str | int | float | bool] = {}
    """The parameters of the request."""

    headers: dict[str, str] = {}
    """Headers of the request."""

    body: dict[str, Any] = {}
    """For `POST`: what is sent, as JSON."""

    form: dict[str, str | int | float | bool] = {}
    """For `POST`: what is sent, as a form instead."""

    paginate: Paginate | None = None
    """How the pages follow each other. Without it there is one answer, and one that tells of further pages is an error."""

    format: Literal["json", "ndjson", "csv", "xml"] = "json"
    """What an answer is. Of XML a record has the attributes of its element as `@name`, its children by their names, and
    its text as `#text` beside those; all values are text."""

    csv: Csv = Csv()
    """How CSV is written down."""

    records: str = "[]"
    """Where the list of records is in an answer: `[]`, the answer itself, or keys such as `data.items` (JMESPath); of XML the
    names of elements, such as `rss.channel.item`. In brackets it is one record: `[@]`, the answer itself, or `[data.quote]`.
    `to_array(data)` takes a list that is there, or the one record. Behind brackets stands what each item has: `list[].order`, or `shops[].orders[]` for the items of all these lists."""

    fields: dict[str, str] = {}
    """The fields of a record and where each is, such as `{temp: main.temp, sky: "weather[0].main"}` (JMESPath); what is not
    there is NULL. With `"*": "@"` they come to those that the record has, in place of one of the same name. Default: all, as they
    are."""

    since: Since | None = None
    """What the API is told of the last load, for it to send only what may be new."""

    parent: Parent | None = None
    """Other rows, for each of which there is a request, with their values in `{…}` of path, query, headers and body."""

    auth: str | None = None
    """Which of the `auths` of the connection says who asks; with a `parent` also by its value, such as `{shop.region}`. Default:
    its `auth`."""

    retry: Retry = Retry()
    """When a page is asked for again."""

    rate_limit: RateLimit | None = None
    """How often the API lets itself be asked, instead of what its connection says."""

    errors: Many[ErrorRule] = ()
    """What answers mean that are otherwise taken for something else; the first that fits counts."""

    @property
    def auth_is_of_parent(self) -> bool:
        """Whether a parent says who asks."""
        return self.parent is not None and self.auth is not None and f"{{{self.parent.as_}" in self.auth

    def refusal(self) -> str | None:
        if self.python is not None:
            return self._refused_with_python()
        if not self.path:
            return "needs `path` or `python`"
        if self.arguments:
            return "`arguments` are for `python`"
        return self._refused_request() or self._refused_records() or self._refused_answer()

    def _refused_with_python(self) -> str | None:
        if not _FUNCTION.fullmatch(str(self.python)):
            return f"`python` is a function as `module:function`, such as sources.crm:tickets; got {self.python!r}"
        for key in msgspec.to_builtins(self):  # which leaves out what is as it is anyway
            if key not in _WITH_PYTHON:
                return f"`{key}` does not go with `python`, whose function asks as it likes"
        return None

    def _refused_request(self) -> str | None:
        if (self.body or self.form) and self.method != "POST":
            return f"`{'body' if self.body else 'form'}` needs `method: POST`"
        if self.body and self.form:
            return "there is one of `body` and `form`"
        for key, placed in (("paginate", self.paginate), ("since", self.since)):
            if placed is not None and placed.in_ == "body" and self.method != "POST":
                return f"`{key}` with `in: body` needs `method: POST`"
        if "?" in self.path or "#" in self.path:
            return "`path` has no parameters; they belong into `query`"
        return None

    def _refused_records(self) -> str | None:
        if not (_RECORDS.fullmatch(self.records) or _RECORD.fullmatch(self.records)):
            return f"`records` is `[]` or the keys that lead to the list, such as data.items; got {self.records!r}"
        if self.format == "xml" and "[]." in self.records:
            return f"`records` of XML are names of elements, such as rss.channel.item; got {self.records!r}"
        if self.format == "xml" and _RECORD.fullmatch(self.records):
            return (
                f"`records` of XML are all elements of a name; one record, as in {self.records}, is for JSON"
            )
        if self.format == "csv" and self.fields:
            return "`fields` is for JSON and XML; `select` picks columns of CSV"
        for name, path in self.fields.items():
            if name == "*" and path != "@":
                return f'`fields` has all of a record as `"*": "@"`; got {path!r}'
            if name != "*" and not is_path(path):
                return f"`fields` has what leads to a value of the record, such as main.temp; got {path!r}"
        return None

    def _refused_answer(self) -> str | None:
        if self.format in ("csv", "ndjson") and self.records != "[]":
            return f"`records` is for JSON and XML; every record of an answer in {self.format} is one"
        if self.format == "xml" and self.records == "[]":
            return "`records` has to say which elements of XML are the records, such as rss.channel.item"
        if self.format != "json" and self.paginate is not None and self.paginate.reads_the_answer:
            return f"`paginate` has keys that look into JSON, and the format is {self.format}"
        if self.format == "csv" and self.since is not None and self.since.window is not None:
            return "`since` has a `window`; records of CSV are not told apart where windows overlap"
        if self.format == "csv" and self.parent is not None and self.parent.fields:
            return "`parent` has `fields`, which are not added to CSV"
        if self.format == "csv" and self.paginate is not None and self.paginate.type == "offset":
            return "`paginate` with `type: offset` counts records, which is not done for CSV"
        return self._said_twice()

    def _said_twice(self) -> str | None:
        written = {"query": self.query, "body": self.form or self.body, "header": self.headers}
        place = self.paginate.in_ if self.paginate else "query"
        set_by = [(name, place, "paginate") for name in self._paged_by()]
        told = (self.since.param, self.since.until) if self.since else ()
        set_by += [(name, self.since.in_, "since") for name in told if self.since and name is not None]
        for name, place, key in set_by:
            if name in written[place]:
                return f"`{'headers' if place == 'header' else place}` has {name!r}, which `{key}` sets"
        return None

    def _paged_by(self) -> tuple[str, ...]:
        """The parameters that `paginate` sets."""
        if self.paginate is None or self.paginate.type not in ("page_number", "offset", "cursor"):
            return ()
        limit = (self.paginate.limit_param,) if self.paginate.type == "offset" else ()
        return (self.paginate.counted_by, *limit)
