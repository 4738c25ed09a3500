"""What is filled in where a manifest is read: `$(NAME)` by Kubernetes, `{{ }}` by Argo."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from windlass.errors import FatalError

__all__ = ["expanded", "substituted"]

_VARIABLE = re.compile(r"\$\$|\$\(([^()$]+)\)")
_TAG = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


def expanded(text: str, known: Mapping[str, str]) -> str:
    """Text with `$(NAME)` filled in. `$$` is a `$`, and a name that nobody knows stays.

    As in https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """
    return _VARIABLE.sub(lambda m: "$" if m[1] is None else known.get(m[1], m[0]), text)


def substituted(value: Any, known: Mapping[str, str]) -> Any:
    """JSON in whose texts the tags of Argo are filled in. Raises FatalError for one that is not known."""
    if isinstance(value, str):
        return _TAG.sub(lambda m: _known(m[1], known), value)
    if isinstance(value, list):
        return [substituted(item, known) for item in value]
    if isinstance(value, dict):
        return {key: substituted(item, known) for key, item in value.items()}
    return value


def _known(tag: str, known: Mapping[str, str]) -> str:
    if tag not in known:
        raise FatalError(f"a rehearsal does not know what {{{{{tag}}}}} is")
    return known[tag]
