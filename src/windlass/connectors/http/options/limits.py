"""The keys that say how often an API may be asked, and what its answers mean."""

from __future__ import annotations

from typing import Annotated, Literal

from windlass.connectors.http.conditions import is_condition
from windlass.connectors.http.keys import is_path
from windlass.options import Duration, Minimum, Options

__all__ = ["ErrorRule", "LimitHeaders", "RateLimit", "Retry"]


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


class Retry(Options):
    """What happens when an answer does not come, breaks off, or has a status of 408, 425, 429, 500, 502, 503 or 504."""

    attempts: Annotated[int, Minimum(1)] = 5
    """How often a page is asked for."""

    max_wait: Duration = 600.0
    """The longest wait before an attempt. A `Retry-After` that asks for more ends the attempt of the task."""
