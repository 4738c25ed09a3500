"""What is wrong with a template."""

from __future__ import annotations

from collections.abc import Sequence

from windlass.errors import Code

__all__ = ["TemplateError"]


class TemplateError(Exception):
    """A template that cannot be evaluated; the message says why, `hint` what may have been meant, `others` what
    else is wrong with it.
    """

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        code: Code = Code.INVALID_TEMPLATE,
        others: Sequence[TemplateError] = (),
    ) -> None:
        super().__init__(message)
        self.hint, self.code, self.others = hint, code, tuple(others)
