"""The objects of an export, and what they name in one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from windlass.errors import FatalError

__all__ = ["Json", "Manifests"]

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Manifests:
    """Objects as a cluster would get them."""

    objects: tuple[Json, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Manifests:
        """Those in the text of files, each of which may have several."""
        found = (document for text in texts for document in yaml.safe_load_all(text))
        return cls(tuple(one for one in found if isinstance(one, dict) and "kind" in one))

    def one_of(self, *kinds: str) -> Json:
        """The object of one of these kinds; there has to be exactly one."""
        found = [one for one in self.objects if one["kind"] in kinds]
        if len(found) != 1:
            raise FatalError(f"expected one {' or '.join(kinds)} in the export, found {len(found)}")
        return found[0]

    def config_map(self, name: str) -> Mapping[str, str]:
        """The data of a ConfigMap. Raises FatalError where the export has none of that name."""
        for one in self.objects:
            if one["kind"] == "ConfigMap" and one["metadata"]["name"] == name:
                data: Mapping[str, str] = one.get("data", {})
                return data
        hint = "a rehearsal knows the files of the export and no others; leave the ConfigMap out for it"
        raise FatalError(f"ConfigMap {name!r} is not in the export", hint=hint)
