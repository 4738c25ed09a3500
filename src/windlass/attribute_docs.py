"""The docstrings under the attributes of a class: a field is documented where it is declared."""

from __future__ import annotations

import ast
import inspect
import textwrap

__all__ = ["attribute_docs"]


def attribute_docs(cls: type) -> dict[str, str]:
    """The string literals that follow annotated attributes in the source of a class, by attribute."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        attribute.target.id: inspect.cleandoc(doc.value.value)
        for attribute, doc in zip(body.body, body.body[1:], strict=False)
        if isinstance(attribute, ast.AnnAssign)
        and isinstance(attribute.target, ast.Name)
        and isinstance(doc, ast.Expr)
        and isinstance(doc.value, ast.Constant)
        and isinstance(doc.value.value, str)
    }
