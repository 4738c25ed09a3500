"""Asks an API as often as it takes: with credentials, no more often than it lets itself be asked, and by its own rules.

What may be otherwise in a moment is asked for again, at the time that the server says or after a wait that doubles.
"""

from __future__ import annotations

import http
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import Message

from windlass import logs, pauses, web
from windlass.connectors.http.answers import Answer, Ask, contents_of, send
from windlass.connectors.http.auth import Credentials, NoCredentials
from windlass.connectors.http.conditions import holds
from windlass.connectors.http.keys import find, parse
from windlass.connectors.http.options import ErrorRule, Retry
from windlass.connectors.http.pace import NO_LIMIT, Pace
from windlass.errors import Code, FatalError, RetryableError
from windlass.web_session import Session

__all__ = ["Api"]

_FIRST_WAIT = 1.0
_SAID = 300
"""So many characters of what a server says of a refusal are shown."""


class Api:
    """What answers, and how it wants to be asked."""

    def __init__(
        self,
        retry: Retry,
        credentials: Credentials | None = None,
        pace: Pace = NO_LIMIT,
        rules: Sequence[ErrorRule] = (),
        session: Session | None = None,
    ) -> None:
        self._retry, self._pace, self._rules, self._session = retry, pace, rules, session
        self._credentials = credentials or NoCredentials()

    def answer(self, ask: Ask) -> Answer:
        """Raises RetryableError when all attempts are used up, FatalError for an answer that will be the same again."""
        attempt, renewed, waited = 1, False, 0.0
        while True:
            signed = self._credentials.applied(ask)
            waited += self._pace.wait(self._retry.max_wait)
            try:
                with self._rules_of_refusals(ask):
                    return self._judged(ask, send(signed, self._session, waited))
            except web.AnswerError as exc:
                if (
                    renewed
                    or exc.status != http.HTTPStatus.UNAUTHORIZED
                    or not self._credentials.renew(signed)
                ):
                    exc.hint = exc.hint or _said_by(exc.refusal)
                    raise
                renewed, waited = True, 0.0
            except _SkipError:
                return Answer(b"", Message(), known_length=True, skipped=True)
            except web.NotNowError as exc:
                waited = self._wait(exc, attempt)
                attempt += 1

    def _judged(self, ask: Ask, answer: Answer) -> Answer:
        self._pace.note(answer.headers)
        self._apply(ask, http.HTTPStatus.OK, answer.body)
        return answer

    @contextmanager
    def _rules_of_refusals(self, ask: Ask) -> Iterator[None]:
        """Look at an answer of another status as the rules and the limit do."""
        try:
            yield
        except (web.AnswerError, web.NotNowError) as exc:
            if (refusal := exc.refusal) is None:
                raise
            self._pace.note(refusal.headers)
            self._apply(ask, refusal.status, refusal.body)
            if isinstance(exc, web.NotNowError) or not self._pace.is_used_up(refusal.status):
                raise
            raise web.NotNowError(exc.message, code=Code.API_ANSWER) from exc

    def _apply(self, ask: Ask, status: int, body: bytes) -> None:
        """Do what the first rule that fits says."""
        found = next(_fitting(self._rules, status, contents_of(body)), None) if self._rules else None
        if found is None:
            return
        rule, content = found
        if rule.action == "skip":
            logs.info("answer_skipped", url=ask.url, status=status)
            raise _SkipError
        said = find(parse(rule.message), content) if rule.message is not None else None
        message = f"{ask.url} answered {status}" + (f": {said}" if said is not None else "")
        if rule.action == "fail":
            hint = "a rule in `errors` says that this is an error"
            raise FatalError(message, hint=hint, code=Code.API_ANSWER)
        raise web.NotNowError(message, code=Code.API_ANSWER)

    def _wait(self, exc: web.NotNowError, attempt: int) -> float:
        """Wait until the next attempt; how long that was, if pauses are taken. Raises RetryableError when there is none."""
        wait = _FIRST_WAIT * 2 ** (attempt - 1) if exc.wait is None else exc.wait
        longest = self._retry.max_wait
        if attempt == self._retry.attempts or (exc.wait is not None and exc.wait > longest):
            raise _given_up(exc, attempt, self._retry) from exc.__cause__
        seconds = min(wait, longest)
        logs.warning("asking_again", because=exc.message, seconds=seconds)
        if pauses.are_skipped():
            return 0.0
        (self._session.pause if self._session else time.sleep)(seconds)
        return seconds


def _said_by(refusal: web.Refusal) -> str | None:
    """What a server says of a refusal, in its own words; None for a page that is made for browsers, or nothing."""
    text = logs.mask(" ".join(refusal.body.decode(errors="replace").split()))
    return f"its server says: {text[:_SAID]}{'…' * (len(text) > _SAID)}" if text and text[0] != "<" else None


class _SkipError(Exception):
    """A rule says that an answer has no records."""


def _fitting(
    rules: Sequence[ErrorRule], status: int, contents: Sequence[object]
) -> Iterator[tuple[ErrorRule, object]]:
    """The rules that an answer fits, each with what it says there. One line of many may say that all is an error; that
    there are no records has to be said by each."""
    for rule in rules:
        if rule.status not in (None, status, f"{status // 100}xx"):
            continue
        fit = [content for content in contents if rule.when is None or holds(rule.when, content)]
        if fit and (rule.action != "skip" or len(fit) == len(contents)):
            yield rule, fit[0]


def _given_up(last: web.NotNowError, attempts: int, retry: Retry) -> RetryableError:
    times = "once" if attempts == 1 else f"{attempts} times"
    hint = f"it was asked for {times}"
    if last.wait is not None and last.wait > retry.max_wait:
        hint = (
            f"its server says to come back in {last.wait:g} s, and `retry.max_wait` is {retry.max_wait:g} s"
        )
    return RetryableError(last.message, hint=hint, code=Code.API_ANSWER)
