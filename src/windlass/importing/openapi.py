"""An OpenAPI 3 document (https://spec.openapis.org/oas/v3.1.0): each GET whose answer has a list of objects is a copy.

OpenAPI says what parameters there are, and not what they mean. So pages are found by the names that APIs give them, and
what is only likely is noted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from windlass.errors import FatalError
from windlass.importing.documents import Tree
from windlass.importing.imported import Imported
from windlass.importing.names import name_of
from windlass.units import counted

__all__ = ["translate"]

_PAGES = ("page", "page_number", "pageNumber", "page[number]", "p")
_SIZES = (
    "per_page",
    "perPage",
    "page_size",
    "pageSize",
    "page[size]",
    "size",
    "limit",
    "count",
    "max_results",
)
_OFFSETS = ("offset", "skip", "start_at", "startAt", "start")
_CURSORS = (
    "cursor",
    "page_token",
    "pageToken",
    "next_token",
    "starting_after",
    "after",
    "continuation_token",
    "continue",
)
_LISTS = ("data", "items", "results", "records", "values", "entries", "rows", "content")
_NEXT = (
    "next",
    "next_cursor",
    "nextCursor",
    "next_page_token",
    "nextPageToken",
    "next_token",
    "cursor",
    "end_cursor",
    "continue",
)
_LINKS = ("next", "next_url", "nextUrl", "next_link", "nextLink", "@odata.nextLink", "next_page_url")
_METAS = ("", "meta", "metadata", "pagination", "paging", "links", "_links", "page_info", "pageInfo")
_LARGEST_PAGE = 100
_VARIABLE = re.compile(r"\{([^{}]+)\}")


class _Shape(NamedTuple):
    """Where the records of an answer are, and what else it has."""

    records: str
    record: Mapping[str, Any]
    outer: Mapping[str, Any]
    """The schema of the answer itself; an empty one where it is the list."""


def translate(tree: Tree, imported: Imported) -> None:
    """Fill in what the document says. Raises FatalError for one of another kind."""
    root = tree.root
    if not str(root.get("openapi", "")).startswith("3."):
        raise FatalError(
            "the file is not an OpenAPI 3 document: it has no `openapi: 3.…`",
            hint="one of Swagger 2 has to be converted first",
        )
    info = tree.at(root, "info")
    imported.description = str(info.get("title", "")).strip()
    _translate_server(tree, imported)
    _translate_security(tree, imported)
    writing = 0
    lists = dict[str, str]()  # the task of each path that gives a list
    paths = tree.at(root, "paths")
    for path in sorted(paths, key=lambda path: path.count("{")):  # parents come first
        item = tree.at(paths, path)
        writing += sum(method in item for method in ("post", "put", "patch", "delete"))
        if "get" in item:
            _translate_get(tree, imported, path, item, lists)
    if writing:
        imported.note("paths", f"{counted(writing, 'operation')} other than GET left out")


def _translate_server(tree: Tree, imported: Imported) -> None:
    servers = tree.at(tree.root).get("servers") or [{}]
    server = tree.at(servers[0])
    variables = tree.at(server, "variables")
    url = _VARIABLE.sub(
        lambda m: str(tree.at(variables, m[1]).get("default", m[0])), str(server.get("url", ""))
    )
    if url.startswith(("http://", "https://")) and "{" not in url:
        imported.connection["base_url"] = url.rstrip("/")
    else:
        imported.note(
            "servers", f"no whole address ({url or 'nothing'}); say `base_url`, or configure the connection"
        )
    if len(servers) > 1:
        imported.note("servers", f"the first of {len(servers)} was taken")


def _translate_security(tree: Tree, imported: Imported) -> None:
    schemes = tree.at(tree.root, "components", "securitySchemes")
    asked = tree.root.get("security") or [{name: []} for name in schemes]
    names = [name for requirement in asked for name in requirement]
    for name in dict.fromkeys(names):
        auth = _auth_of(tree, tree.at(schemes, name), names_scopes(asked, name))
        if auth is None:
            imported.note(f"securitySchemes.{name}", "this kind has no translation")
        elif "auth" in imported.connection:
            imported.note(f"securitySchemes.{name}", "another one was taken; a connection has one `auth`")
        else:
            imported.connection["auth"] = auth


def names_scopes(asked: list[dict[str, list[str]]], name: str) -> list[str]:
    """The scopes that are asked for with a scheme."""
    return [scope for requirement in asked for scope in requirement.get(name) or ()]


def _auth_of(tree: Tree, scheme: Mapping[str, Any], scopes: list[str]) -> dict[str, Any] | None:
    kind, way = scheme.get("type"), str(scheme.get("scheme", "")).lower()
    if kind == "http" and way in ("basic", "bearer"):
        return {"type": way}
    if kind == "apiKey":
        where = scheme.get("in", "header")
        return {"type": "api_key", "name": scheme.get("name"), **({} if where == "header" else {"in": where})}
    flow = tree.at(scheme, "flows", "clientCredentials")
    if kind == "oauth2" and flow.get("tokenUrl"):
        wanted = scopes or list(tree.at(flow, "scopes"))
        return {"type": "oauth2", "token_url": flow["tokenUrl"], **({"scopes": wanted} if wanted else {})}
    return None


def _translate_get(
    tree: Tree, imported: Imported, path: str, item: Mapping[str, Any], lists: dict[str, str]
) -> None:
    operation, where = tree.at(item, "get"), f"GET {path}"
    shape = _shape_of(tree, operation)
    if shape is None:
        return  # one object, or nothing: no list of records
    source: dict[str, Any] = {"path": path}
    parent = None
    if _VARIABLE.search(path) and (parent := _parent_of(imported, path, source, lists)) is None:
        imported.note(where, "nothing lists the values in its path; say them with `parent`")
        return
    parameters = [tree.at(p) for p in (*item.get("parameters", ()), *operation.get("parameters", ()))]
    query = {p["name"]: tree.at(p, "schema") for p in parameters if p.get("in") == "query"}
    paginate, size = _paginate_of(tree, query, shape, operation)
    if paginate:
        source["paginate"] = paginate
    said: dict[str, int | str] = {size: _size_of(query[size])} if size else {}
    said |= _required(imported, where, parameters, (*said, *_set_by(paginate)))
    if said:
        source["query"] = said
    if shape.records != "[]":
        source["records"] = shape.records
    if paginate is None:
        imported.note(
            where, "no way from page to page was found; an answer that says it is not all is an error"
        )
    task = imported.add(name_of(str(operation.get("operationId") or path)), source, parent)
    lists[path] = task
    if "id" in shape.record:
        imported.keys[task] = ["id"]


def _shape_of(tree: Tree, operation: Mapping[str, Any]) -> _Shape | None:
    """Where an answer has its list of objects; None where it has none."""
    answers = tree.at(operation, "responses")
    answer = tree.at(answers, "200" if "200" in answers else "default")
    content = tree.at(answer, "content")
    kind = next((kind for kind in content if "json" in kind), None)
    if kind is None:
        return None
    schema = tree.at(content, kind, "schema")
    if _is_list(tree, schema):
        return _Shape("[]", _properties(tree, tree.at(schema, "items")), {})
    outer = _properties(tree, schema)
    found = [name for name in outer if _is_list(tree, tree.at(outer, name))]
    found.sort(key=lambda name: _LISTS.index(name) if name in _LISTS else len(_LISTS))
    if (
        not found
        or (len(found) > 1 and found[0] not in _LISTS)
        or not re.fullmatch(r"[A-Za-z_]\w*", found[0])
    ):
        return None
    return _Shape(found[0], _properties(tree, tree.at(outer, found[0], "items")), outer)


def _is_list(tree: Tree, schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array" and bool(_properties(tree, tree.at(schema, "items")))


def _properties(tree: Tree, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of an object, those of all its parts."""
    found = dict(tree.at(schema, "properties"))
    for part in schema.get("allOf", ()):
        found |= _properties(tree, tree.at(part))
    return found


def _parent_of(imported: Imported, path: str, source: dict[str, Any], lists: Mapping[str, str]) -> str | None:
    """The task that loads the values in the path, as that of `/orders` does for `/orders/{orderId}/lines`."""
    names = _VARIABLE.findall(path)
    outer = path[: path.index("{")].rstrip("/")
    if len(names) > 1 or outer not in lists:
        return None
    own = re.sub(r"\W", "_", names[0])
    column = names[0] if names[0] in ("id", "slug", "key", "name", "uuid") else "id"
    source["path"] = path.replace(f"{{{names[0]}}}", f"{{parent.{column}}}")
    source["parent"] = {"fields": {own: column}}
    imported.note(f"GET {path}", f"{names[0]!r} was taken for `{column}` of {outer}")
    return lists[outer]


def _paginate_of(
    tree: Tree, query: Mapping[str, Any], shape: _Shape, operation: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, str | None]:
    """How pages follow each other, and the parameter that has their size."""
    size = next((name for name in _SIZES if name in query), None)
    link = _place_of(tree, shape.outer, _LINKS, uri=True)
    if "Link" in tree.at(operation, "responses", "200", "headers"):
        return {"type": "header_link"}, size
    if cursor := next((name for name in _CURSORS if name in query), None):
        if following := _place_of(tree, shape.outer, _NEXT):
            return {"type": "cursor", "param": cursor, "next": following}, size
        if "id" in shape.record and cursor in ("starting_after", "after"):
            last = "[-1].id" if shape.records == "[]" else f"{shape.records}[-1].id"
            return {"type": "cursor", "param": cursor, "next": last}, size
    if link:
        return {"type": "json_link", "next": link}, size
    if page := next((name for name in _PAGES if name in query), None):
        start = tree.at(query, page).get("default", 1)
        return {"type": "page_number", "param": page, **({} if start == 1 else {"start": start})}, size
    if (offset := next((name for name in _OFFSETS if name in query), None)) and size:
        limit = {"limit_param": size, "limit": _size_of(query[size])}
        return {"type": "offset", "param": offset, **limit}, None
    return None, None


def _place_of(
    tree: Tree, outer: Mapping[str, Any], names: tuple[str, ...], *, uri: bool = False
) -> str | None:
    """Where an answer has one of these: by itself, or in an object that tells of the page."""
    for meta in _METAS:
        inside = _properties(tree, tree.at(outer, meta)) if meta else outer
        for name in names:
            schema = tree.at(inside, name)
            is_uri = schema.get("format") in ("uri", "url", "uri-reference") or name not in _NEXT
            if schema and is_uri == uri and re.fullmatch(r"[A-Za-z_@]\w*", name):
                return f"{meta}.{name}" if meta else name
    return None


def _size_of(schema: Mapping[str, Any]) -> int:
    """The largest page that may be asked for; some say no limit, and mean one."""
    return int(schema.get("maximum") or schema.get("default") or _LARGEST_PAGE)


def _set_by(paginate: Mapping[str, Any] | None) -> tuple[str, ...]:
    return (
        tuple(str(paginate[key]) for key in ("param", "limit_param") if key in paginate) if paginate else ()
    )


def _required(
    imported: Imported, where: str, parameters: list[Mapping[str, Any]], known: tuple[str, ...]
) -> dict[str, str]:
    """The parameters that have to be said, each as a parameter of the pipeline."""
    said = {}
    for parameter in parameters:
        name, schema = str(parameter.get("name")), parameter.get("schema", {})
        if parameter.get("in") != "query" or not parameter.get("required") or name in known:
            continue
        param = name_of(name)
        example = parameter.get("example", schema.get("example", schema.get("default", "")))
        imported.params.setdefault(param, example if isinstance(example, str | int | float) else "")
        said[name] = f"{{{{ params.{param} }}}}"
        imported.note(where, f"{name!r} has to be said: it is the parameter `{param}` of the pipeline")
    return said
