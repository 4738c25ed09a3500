"""What a manifest leaves to its configuration: parameters of the pipeline, and secrets, which never become those."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windlass.importing.documents import Tree
from windlass.importing.imported import Imported
from windlass.importing.names import name_of, open_name
from windlass.importing.templates import Place

__all__ = ["Configuration"]

_SECRET_WORDS = ("token", "secret", "password", "api_key", "apikey", "access_key")


class Configuration:
    """The keys of the configuration, as the manifest's own `spec` declares them."""

    def __init__(self, tree: Tree, imported: Imported) -> None:
        self._imported = imported
        specification = tree.at(tree.root, "spec", "connection_specification")
        self._declared = dict(_declared(specification if isinstance(specification, Mapping) else {}))

    def is_secret(self, place: Place, *, in_path: bool = False) -> bool:
        """Whether a key is said to be a secret, or is called like one. In a path are names, which many call secrets."""
        key = str(place.path[-1]).lower() if place.path else ""
        declared = self._declared.get(key, {})
        is_called_so = any(word in key for word in _SECRET_WORDS)
        if not declared or in_path:
            return is_called_so
        return bool(declared.get("airbyte_secret")) and (is_called_so or not key.endswith("id"))

    def values(self, place: Place) -> list[Any]:
        """The values of a key that is a list, as far as the manifest knows any."""
        declared = self._declared.get(str(place.path[-1]) if place.path else "", {})
        for key in ("default", "examples", "enum"):
            found = declared.get(key)
            found = found[0] if isinstance(found, list) and found and isinstance(found[0], list) else found
            if isinstance(found, list) and found and not any(isinstance(one, dict | list) for one in found):
                return found
        return []

    def parameter(self, place: Place, where: str) -> str:
        """The key as a parameter of the pipeline, in a template. Notes that it has to be said."""
        key = ".".join(map(str, place.path))
        name = open_name(name_of("_".join(map(str, place.path))))
        declared = self._declared.get(str(place.path[-1]), {}).get("default")
        default = place.default if place.default not in (None, [], {}) else declared
        if isinstance(default, list):
            default = ",".join(map(str, default))
        self._imported.params.setdefault(
            name, default if isinstance(default, str | int | float | bool) else ""
        )
        self._imported.note(where, f"`config.{key}` is the parameter `{name}` of the pipeline")
        return f"{{{{ params.{name} }}}}"


def _declared(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All keys that a JSON Schema declares, by their last names, those of choices included."""
    for name, inner in (schema.get("properties") or {}).items():
        if isinstance(inner, Mapping):
            yield name, inner
            yield from _declared(inner)
    for choice in schema.get("oneOf") or ():
        if isinstance(choice, Mapping):
            yield from _declared(choice)
