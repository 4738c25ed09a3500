"""The keys of an API: beside the type of its connection, in `from:` and in `dev:`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from windlass.connectors.files.options import Csv
from windlass.connectors.http.conditions import is_condition
from windlass.connectors.http.keys import is_path
from windlass.connectors.options import ConnectionOptions, DevServiceOptions, SourceOptions
from windlass.options import Duration, Many, Minimum, Options

__all__ = [
    "Auth",
    "Connection",
    "DevService",
    "ErrorRule",
    "LimitHeaders",
    "Paginate",
    "Parent",
    "RateLimit",
    "Retry",
    "Since",
    "Source",
]

_RECORDS = re.compile(r"\[\]|[A-Za-z_][\w:-]*(\.[A-Za-z_][\w:-]*)*(\[\])?")


class Auth(Options):
    """How a request says who asks. The secret is the password of the connection's address; it never stands in a file."""

    type: Literal["basic", "bearer", "api_key", "oauth2", "session", "aws_sigv4"]
    """`basic` sends user and password, `bearer` the password as a token, `api_key` the password by a `name` of the API's
    own; `oauth2` gets a token for the client (user) and its secret (password), `session` one by a login; `aws_sigv4` signs each request with the access key (user) and its secret (password)."""

    name: str | None = None
    """For `api_key`: the header, parameter or cookie that has the key. For `session`: the header that has the token,
    `Authorization` unless said."""

    in_: Literal["header", "query", "cookie"] = msgspec.field(default="header", name="in")
    """For `api_key`: where it is sent."""

    prefix: str | None = None
    """What stands before the key or token in a header, such as `"Token "`. Default: `Bearer ` before the token of a
    session, nothing before a key."""

    token_url: str | None = None
    """For `oauth2`: where tokens are given (RFC 6749); a path is one of the API's own server."""

    grant: Literal["client_credentials", "refresh_token"] = "client_credentials"
    """For `oauth2`: what a token is given for. The refresh token is the option of the address: `?refresh_token=…`."""

    scopes: Many[str] = ()
    """For `oauth2`: what the token shall be good for."""

    client_auth: Literal["basic", "body"] = "basic"
    """For `oauth2`: whether client and secret go as `Authorization: Basic`, or in the body."""

    login: str | None = None
    """For `session`: the path that a login is posted to."""

    body: dict[str, Any] = {}
    """For `session`: the login as JSON, with `"{user}"` and `"{password}"` for those of the address. Default:
    `{user: "{user}", password: "{password}"}`."""

    form: bool = False
    """For `session`: whether the login is sent as a form instead."""

    token: str | None = None
    """For `session`: where the answer to a login has the token (JMESPath). Default: its cookies are sent back."""

    region: str | None = None
    """For `aws_sigv4`: the region, such as `eu-central-1`."""

    service: str | None = None
    """For `aws_sigv4`: the service by its name in signatures, such as `execute-api`, `es` or `s3`."""

    def refusal(self) -> str | None:
        needed = {
            "api_key": ("name",),
            "oauth2": ("token_url",),
            "session": ("login",),
            "aws_sigv4": ("region", "service"),
        }
        for key in needed.get(self.type, ()):
            if getattr(self, key) is None:
                return f"`type: {self.type}` needs `{key}`"
        if self.token is not None and not is_path(self.token):
            return f"`token` is where the answer has it, such as data.token; got {self.token!r}"
        return self._out_of_place()

    def _out_of_place(self) -> str | None:
        """What is said for another type."""
        places = {
            "name": ("api_key", "session"),
            "in": ("api_key",),
            "prefix": ("api_key", "session"),
            **dict.fromkeys(("token_url", "grant", "scopes", "client_auth"), ("oauth2",)),
            **dict.fromkeys(("login", "body", "form", "token"), ("session",)),
            **dict.fromkeys(("region", "service"), ("aws_sigv4",)),
        }
        for field in msgspec.structs.fields(type(self)):
            types = places.get(field.encode_name)
            default = {"in_": "header", "grant": "client_credentials", "client_auth": "basic"}.get(field.name)
            said = getattr(self, field.name) not in (default, None, False, (), {})
            if types is not None and said and self.type not in types:
                return f"`{field.encode_name}` is for {' and '.join(types)}, and the type is {self.type}"
        return None


class LimitHeaders(Options):
    """The headers by which an answer says how much may still be asked."""

    remaining: str = "X-RateLimit-Remaining"
    """How many requests are left. At 0 nothing is asked until the reset."""

    reset: str = "X-RateLimit-Reset"
    """When there are some again: seconds from now, seconds since 1970, or a date."""


class RateLimit(Options):
    """How often an API lets itself be asked."""

    calls: Annotated[int, Minimum(1)] | None = None
    """So many requests, in any time of the length of `per`; also those that are asked again count."""

    per: Duration = 1.0
    """The length of that time."""

    headers: LimitHeaders | None = None
    """The headers that say what is left; `{}` for the usual ones."""

    def refusal(self) -> str | None:
        if self.calls is None and self.headers is None:
            return "needs `calls`, `headers` or both"
        return None


class ErrorRule(Options):
    """What an answer means, whatever its status is otherwise taken for."""

    status: int | Literal["4xx", "5xx"] | None = None
    """The status of the answer. Default: any."""

    when: str | None = None
    """What its JSON says: a path, which is then neither null, false nor empty, or `path == value` or `path != value`, with
    the value as JSON, such as `error.code == "not_found"`."""

    action: Literal["skip", "fail", "retry"]
    """`skip` takes it for one without records, and the last; `fail` fails the task, `retry` asks again."""

    message: str | None = None
    """Where the answer says what is wrong, such as `error.message` (JMESPath), for the error."""

    def refusal(self) -> str | None:
        if self.status is None and self.when is None:
            return "needs `status`, `when` or both"
        if self.when is not None and not is_condition(self.when):
            return f"`when` is a path, `path == value` or `path != value`; got {self.when!r}"
        if self.message is not None and not is_path(self.message):
            return f"`message` is where an answer has it, such as error.message; got {self.message!r}"
        return None


class Connection(ConnectionOptions):
    """What holds for every request to an API: also for the files that are downloaded from it."""

    base_url: str | None = None
    """Where it is, if its address is configured nowhere and no dev service stands in: for one that needs no secret."""

    auth: Auth | None = None
    """How a request says who asks. Default: as `basic` does, if its address has a user or password."""

    rate_limit: RateLimit | None = None
    """How often it lets itself be asked."""

    def refusal(self) -> str | None:
        if self.base_url is None:
            return None
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return f"`base_url` is an http:// or https:// address; got {self.base_url!r}"
        if "@" in parts.netloc or parts.query or parts.fragment:
            return "`base_url` has neither user, password nor parameters; they belong into the address, which is configured"
        return None


class Paginate(Options):
    """How the pages of an API follow each other."""

    type: Literal["page_number", "offset", "cursor", "json_link", "header_link", "single_page"]
    """`page_number` counts pages and `offset` records, each until a page has none; `cursor` sends what the answer
    gives for the next page, `json_link` and `header_link` follow the link that it gives in its body or in its `Link`
    header; `single_page` is one answer, whatever it says of others."""

    in_: Literal["query", "body", "header"] = msgspec.field(default="query", name="in")
    """Where number, offset or cursor are sent. In a body, `param` leads to its place, such as `variables.after`."""

    param: str | None = None
    """The parameter that has the number (`page` unless said), the offset (`offset`), or the cursor."""

    start: Annotated[int, Minimum(0)] | None = None
    """The number of the first page, 1 unless said; or the first offset, 0."""

    limit_param: str = "limit"
    """For `offset`: the parameter that has how many records a page may have."""

    limit: Annotated[int, Minimum(1)] = 100
    """For `offset`: how many records a page may have."""

    next: str | None = None
    """For `cursor` and `json_link`: where the answer has it, such as `meta.next` or `data[-1].id` (JMESPath)."""

    more: str | None = None
    """Where the answer says whether there are other pages, such as `has_more` (JMESPath): false, null or nothing there
    ends them."""

    total: str | None = None
    """Where the answer says how many records there are in all (JMESPath). Fewer than that are an error."""

    max_pages: Annotated[int, Minimum(1)] = 1000
    """More pages than these are an error."""

    @property
    def reads_the_answer(self) -> bool:
        """Whether it needs something that is in an answer's JSON."""
        return any(key is not None for key in (self.next, self.more, self.total))

    @property
    def counted_by(self) -> str:
        """The parameter that tells pages apart."""
        return self.param or {"page_number": "page", "offset": "offset"}[self.type]

    @property
    def first(self) -> int:
        """The first number or offset."""
        return self.start if self.start is not None else int(self.type == "page_number")

    def refusal(self) -> str | None:
        counts = self.type in ("page_number", "offset")
        if self.type == "cursor" and (self.param is None or self.next is None):
            return (
                "`cursor` needs `param`, the parameter that it is sent as, and `next`, where an answer has it"
            )
        if self.type == "json_link" and self.next is None:
            return "`json_link` needs `next`, where an answer has the link to the next page"
        if self.next is not None and self.type not in ("cursor", "json_link"):
            return f"`next` is for `cursor` and `json_link`, and the type is {self.type}"
        if self.start is not None and not counts:
            return f"`start` is for what is counted, and the type is {self.type}"
        if self.param is not None and not counts and self.type != "cursor":
            return f"`param` is for what a request says, and the type is {self.type}"
        if self.in_ != "query" and not counts and self.type != "cursor":
            return f"`in` is for what a request says, and the type is {self.type}"
        for key in ("next", "more", "total"):
            if (path := getattr(self, key)) is not None and not is_path(path):
                return f"`{key}` is where an answer has it, such as meta.next or data[-1].id; got {path!r}"
        return None


class Retry(Options):
    """What happens when an answer does not come, breaks off, or has a status of 408, 425, 429, 500, 502, 503 or 504."""

    attempts: Annotated[int, Minimum(1)] = 5
    """How often a page is asked for."""

    max_wait: Duration = 600.0
    """The longest wait before an attempt. A `Retry-After` that asks for more ends the attempt of the task."""


class Parent(Options):
    """Other rows, for each of which there is a request: those of a connection, of a file, or `values`."""

    as_: str = msgspec.field(default="parent", name="as")
    """What a row is called in `{…}`, such as `issue` for `{issue.number}`; `{issue}` is a value by itself."""

    values: Many[Any] = ()
    """The rows, or single values."""

    connection: str | None = None
    """The connection that has them."""

    table: str | None = None
    """Its table."""

    query: str | None = None
    """A SELECT instead of a table."""

    path: str | None = None
    """A file, relative to the workspace; or the path of another API."""

    records: str | None = None
    """Where the other API has the list of them."""

    fields: dict[str, str] = {}
    """What each record gets of its parent: `{issue: number}` adds its `number` as `issue`."""

    concurrency: Annotated[int, Minimum(1)] = 1
    """For how many of them requests are made at once."""

    def refusal(self) -> str | None:
        if not re.fullmatch(r"[A-Za-z_]\w*", self.as_):
            return f"`as` is a name; got {self.as_!r}"
        if self.connection is None and (self.table or self.query or self.records):
            return "`table`, `query` and `records` need `connection`"
        if [bool(self.values), self.path is not None or self.connection is not None].count(True) != 1:
            return "needs one of `values`, `path` and `connection`"
        for path in self.fields.values():
            if path and not is_path(path):
                return f"`fields` has what leads to a value of the parent, such as author.id; got {path!r}"
        return None


class Since(Options):
    """What an API is told so that it sends only what may be new: with `incremental`, the highest value of the cursor that was
    loaded, less `lookback`."""

    param: str
    """The parameter that it is sent as."""

    in_: Literal["query", "body", "header"] = msgspec.field(default="query", name="in")
    """Where it is sent. In a body, `param` leads to its place, such as `variables.since`."""

    format: Literal["iso", "date", "unix", "unix_ms"] = "iso"
    """How a time is written: as `2024-02-29T12:00:00Z`, as `2024-02-29`, or in seconds or milliseconds since 1970; rounded
    down to whole seconds. Numbers and text are sent as they are."""

    start: str | int | float | None = None
    """What is sent as long as nothing was loaded. Default: nothing."""


class Source(SourceOptions):
    """The records of an API, which answers requests with pages of them."""

    path: str
    """The path of the request, behind the address of the connection."""

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
    names of elements, such as `rss.channel.item`."""

    since: Since | None = None
    """What the API is told of the last load, for it to send only what may be new."""

    parent: Parent | None = None
    """Other rows, for each of which there is a request, with their values in `{…}` of path, query, headers and body."""

    retry: Retry = Retry()
    """When a page is asked for again."""

    rate_limit: RateLimit | None = None
    """How often the API lets itself be asked, instead of what its connection says."""

    errors: Many[ErrorRule] = ()
    """What answers mean that are otherwise taken for something else; the first that fits counts."""

    def refusal(self) -> str | None:
        return self._refused_request() or self._refused_answer()

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

    def _refused_answer(self) -> str | None:
        if not _RECORDS.fullmatch(self.records):
            return f"`records` is `[]` or the keys that lead to the list, such as data.items; got {self.records!r}"
        if self.format in ("csv", "ndjson") and self.records != "[]":
            return f"`records` is for JSON and XML; every record of an answer in {self.format} is one"
        if self.format == "xml" and self.records == "[]":
            return "`records` has to say which elements of XML are the records, such as rss.channel.item"
        if self.format != "json" and self.paginate is not None and self.paginate.reads_the_answer:
            return f"`paginate` has keys that look into JSON, and the format is {self.format}"
        if self.format == "csv" and self.parent is not None and self.parent.fields:
            return "`parent` has `fields`, which are not added to CSV"
        if self.format == "csv" and self.paginate is not None and self.paginate.type == "offset":
            return "`paginate` with `type: offset` counts records, which is not done for CSV"
        return self._said_twice()

    def _said_twice(self) -> str | None:
        written = {"query": self.query, "body": self.form or self.body, "header": self.headers}
        place = self.paginate.in_ if self.paginate else "query"
        set_by = [(name, place, "paginate") for name in self._paged_by()]
        set_by += [(self.since.param, self.since.in_, "since")] if self.since else []
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


class DevService(DevServiceOptions):
    """A server of files that stands in for an API."""

    serve: str | None = None
    """The folder, relative to the project, whose files are served."""

    def lacks(self) -> str | None:
        return "nothing to serve" if self.serve is None else None
