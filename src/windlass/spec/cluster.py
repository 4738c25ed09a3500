"""What Kubernetes takes for names, labels and quantities: what its API server would refuse is said with its place, long before.

Source: "Object Names and IDs", "Labels and Selectors" and "Quantity" of the documentation of Kubernetes.
"""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

__all__ = ["LabelKey", "LabelValue", "Namespace", "ObjectName", "Quantity", "is_object_name"]

_SUBDOMAIN = r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_NAMESPACE = r"(?=.{1,63}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_WORD = r"(?=.{1,63}\Z)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_LABEL_KEY = rf"((?=[^/]{{1,253}}/)[a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?{_WORD}"
_QUANTITY = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?"


def is_object_name(text: str) -> bool:
    """Whether an object of Kubernetes, such as a Secret, can have that name."""
    return re.fullmatch(_SUBDOMAIN, text) is not None


def _fits(pattern: str, expected: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise PydanticCustomError("cluster", "expected {expected}", {"expected": expected})
        return value

    return AfterValidator(check)


_IN_ITS_WORDS = "of small letters, digits, '-' and '.', as Kubernetes has it"
ObjectName: TypeAlias = Annotated[str, _fits(_SUBDOMAIN, f"a name {_IN_ITS_WORDS}")]
Namespace: TypeAlias = Annotated[
    str, _fits(_NAMESPACE, "a namespace of at most 63 small letters, digits and '-'")
]
LabelKey: TypeAlias = Annotated[
    str, _fits(_LABEL_KEY, "a key such as team or example.com/team, of at most 63 characters after the '/'")
]
LabelValue: TypeAlias = Annotated[
    str, _fits(rf"({_WORD})?", "at most 63 letters, digits, '-', '_' and '.', as a label of Kubernetes has")
]
Quantity: TypeAlias = Annotated[str, _fits(_QUANTITY, "a quantity of Kubernetes such as 500m, 2 or 512Mi")]
