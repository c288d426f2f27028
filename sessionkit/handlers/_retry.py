"""Attempts made again: urllib3's Retry says whether, the loop is ours.

An adapter's own retries would hide attempts from every handler, and could not renew a token
between two of them.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, ProtocolError
from urllib3.response import HTTPResponse
from urllib3.util import Retry

from sessionkit import _checks as checks
from sessionkit.errors import ConfigError, SessionKitError
from sessionkit.errors.tools import read_wait
from sessionkit.handlers._retry_conditions import TRANSIENT, classify

if TYPE_CHECKING:
    from sessionkit.chain._exchange import CallNext, Exchange
    from sessionkit.handlers._retry_conditions import Condition

_DRAFT_HEADER = "Idempotency-Key"


class Budget(Protocol):
    """What a handler needs of a budget of retries."""

    def try_withdraw(self) -> bool:
        """Take one retry; False where none is left."""
        ...

    def refund(self) -> None:
        """Return one: it helped."""
        ...


class _RetryDecision(NamedTuple):
    """The decision to try once more: what is left of the policy, and how many seconds to wait."""

    policy: Retry
    wait: float


class RetryHandler:
    """Send a call again that failed in a way that may pass.

    Tried again are, as far as the policy allows: calls that never reached the server (name not
    resolved, refused, connect time-out) whatever their method; calls that may have reached it
    (read time-out, connection lost, answer cut short) and answers with a status of the policy's
    list, where the method is idempotent (RFC 9110, section 9.2.2) or the call has an idempotency
    key. Never: a bad certificate, a failed renewal or anything else that sessionkit itself raises,
    and a body that cannot be sent whole again. After the last try the last answer or exception
    stands as it is.

    The wait is what the server asked for by ``Retry-After`` or by the reset of a spent
    ``RateLimit``, else the policy's backoff. Where it is longer than *max_wait*, or would
    outlast the call's deadline, nothing is waited for and the answer stands, so that the caller
    can see what the server asked.

    A call may carry its own ``retries=``, a number or a ``Retry``. A call that changes things is
    repeated where the server knows it again: ``idempotency_key=True`` sends a key of its own with
    each attempt, ``idempotency_key="..."`` that one, and a call that brings the header itself
    needs no option. Shared between threads: the counts belong to each call.

    Args:
        policy: Of urllib3: ``total``, ``connect``, ``read``, ``status``, ``other``,
            ``allowed_methods``, ``status_forcelist``, the backoff fields,
            ``respect_retry_after_header`` and ``retry_after_max`` hold; ``redirect`` and
            ``raise_on_status`` have no meaning here. A number is the most tries after the first.
            By default three more tries on 429, 502, 503 and 504, at once and then after 1 and 2
            seconds and up to half a second of jitter.
        max_wait: The longest single wait, in seconds. A backoff is shortened to it.
        when: A function of the exchange and its answer or exception, in place of the judgement
            above about what may pass; see :class:`RetryIf`. How often, and whether it is safe,
            stays with policy, method and key.
        budget: Shared by many calls, so that retries do not finish off a server that struggles:
            an object with ``try_withdraw()``, called before each further try, and ``refund()``,
            called after one that helped. Its ``deposit()``, where it has one, is called after each
            call that succeeds at once. :class:`RetryBudget` is one.
        idempotency_header: The header of the key (draft-ietf-httpapi-idempotency-key-header).
        always_send_key: Give every call that changes things a key: only for a server that heeds it.

    Raises:
        ConfigError: A policy or number that makes no sense.
    """

    options = frozenset({"idempotency_key", "retries"})

    __slots__ = (
        "_always_send_key",
        "_budget",
        "_idempotency_header",
        "_max_wait",
        "_policy",
        "_when",
    )

    def __init__(
        self,
        policy: Retry | int | None = None,
        *,
        max_wait: float = 60.0,
        when: Condition | None = None,
        budget: Budget | None = None,
        idempotency_header: str = _DRAFT_HEADER,
        always_send_key: bool = False,
    ) -> None:
        self._policy = _read_policy("policy", policy, _default_policy())
        self._max_wait = checks.seconds("max_wait", max_wait)
        self._when = when
        self._budget = budget
        self._idempotency_header = idempotency_header
        self._always_send_key = always_send_key

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        """Forward until the call succeeds, fails for good, or the policy is spent.

        Raises:
            requests.RequestException: As the last attempt raised it.
            ConfigError: The ``retries`` or the ``idempotency_key`` of the call make no sense.
        """
        policy = self._policy
        if "retries" in exchange.options:
            policy = _read_policy("retries", exchange.options["retries"], policy)
        if exchange.method.upper() not in Retry.DEFAULT_ALLOWED_METHODS:
            exchange = self._with_key(exchange)
            if exchange.header(self._idempotency_header):
                policy = policy.new(allowed_methods=None)
        # Unread, because the body of a refusal may be endless; it is dropped, not waited for.
        unread = exchange.streamed()
        first = True
        while True:
            try:
                response = call_next(unread)
                again = self._after_response(response, exchange, policy)
                if again is None:
                    return self._final(response, exchange, first=first)
            except requests.RequestException as error:
                again = self._after_error(error, exchange, policy)
                if again is None:
                    raise
            policy, wait = again
            first = False
            _pause(exchange, wait)

    def _with_key(self, exchange: Exchange) -> Exchange:
        """Give a call that changes things its idempotency key, where one is wanted."""
        if exchange.header(self._idempotency_header):
            return exchange
        key = exchange.option("idempotency_key")
        if key is None:
            key = self._always_send_key
        if key is True:
            key = _new_key(self._idempotency_header)
        if not key:
            return exchange
        if not isinstance(key, str):
            hint = "True for a new one, or a text of your own"
            raise ConfigError(f"idempotency_key={key!r} is no key", hint=hint)
        return exchange.with_headers({self._idempotency_header: key})

    def _final(
        self, response: requests.Response, exchange: Exchange, *, first: bool
    ) -> requests.Response:
        # Read here, so that an answer cut short is tried again too.
        if not exchange.stream:
            exchange.read(response)
        if self._budget is not None and _is_healthy(response.status_code):
            if not first:
                self._budget.refund()
            elif hasattr(self._budget, "deposit"):
                self._budget.deposit()
        return response

    def _after_response(
        self, response: requests.Response, exchange: Exchange, policy: Retry
    ) -> _RetryDecision | None:
        """Decide whether *response* is worth another try."""
        status = response.status_code
        headers = response.headers
        told = status >= HTTPStatus.MULTIPLE_CHOICES and "Retry-After" in headers
        if self._when is None:
            passing = policy.is_retry(exchange.method, status, told)
        else:
            passing = _is_allowed_method(exchange.method, policy) and self._when(exchange, response)
        if not (
            passing or self._conflicts_with_earlier_attempt(status, exchange)
        ) or not _can_send_again(exchange):
            return None
        answer = HTTPResponse(status=status, headers=headers)
        left = _increment(policy, exchange, response=answer)
        if left is None:
            return None
        wait = None
        if policy.respect_retry_after_header:
            wait = read_wait(status, headers, exchange.clock.time())
        if not wait:
            return self._if_time_left(left, self._backoff(left), exchange)
        # The field came with urllib3 2.6.
        wait = min(wait, getattr(policy, "retry_after_max", wait))
        return None if wait > self._max_wait else self._if_time_left(left, wait, exchange)

    def _conflicts_with_earlier_attempt(self, status: int, exchange: Exchange) -> bool:
        """Tell whether an earlier attempt, under the same key, may still be at work there."""
        again = status == HTTPStatus.CONFLICT and len(exchange.record.attempts) > 1
        return again and exchange.header(self._idempotency_header) is not None

    def _after_error(
        self, error: requests.RequestException, exchange: Exchange, policy: Retry
    ) -> _RetryDecision | None:
        """Decide whether the call that *error* ended is worth another try."""
        kind = classify(error)
        if self._when is not None and not isinstance(error, SessionKitError):
            kind = (kind or HTTPError) if self._when(exchange, error) else None
        if kind is None or not _can_send_again(exchange):
            return None
        if kind is ConnectTimeoutError and _has_response(exchange):
            kind = ProtocolError  # a redirect led here: the request before it did arrive
        if kind is not ConnectTimeoutError and not _is_allowed_method(exchange.method, policy):
            return None
        left = _increment(policy, exchange, error=kind(type(error).__name__))
        return None if left is None else self._if_time_left(left, self._backoff(left), exchange)

    def _backoff(self, policy: Retry) -> float:
        return min(policy.get_backoff_time(), self._max_wait)

    def _if_time_left(
        self, policy: Retry, wait: float, exchange: Exchange
    ) -> _RetryDecision | None:
        deadline = exchange.deadline
        if deadline is not None and exchange.clock.monotonic() + wait >= deadline:
            return None
        if self._budget is not None and not self._budget.try_withdraw():
            return None
        return _RetryDecision(policy, wait)

    def __repr__(self) -> str:
        policy = self._policy
        names = ("total", "connect", "read", "status", "other")
        limits = ((name, getattr(policy, name)) for name in names)
        shown = [f"{name}={limit}" for name, limit in limits if limit is not None]
        methods = policy.allowed_methods
        shown += [
            f"statuses={sorted(policy.status_forcelist)}",
            f"methods={'any' if not methods else sorted(methods)}",
            f"backoff={policy.backoff_factor} to {policy.backoff_max}",
            f"jitter={policy.backoff_jitter}",
            f"max_wait={self._max_wait}",
        ]
        if self._when is not None:
            shown.append(f"when={getattr(self._when, '__qualname__', self._when)}")
        if self._budget is not None:
            shown.append(f"budget={self._budget}")
        if self._always_send_key or self._idempotency_header != _DRAFT_HEADER:
            shown.append(f"idempotency_header={self._idempotency_header}")
            shown.append(f"always_send_key={self._always_send_key}")
        return f"RetryHandler({', '.join(shown)})"


def _default_policy() -> Retry:
    return Retry(total=3, backoff_factor=0.5, backoff_jitter=0.5, status_forcelist=TRANSIENT)


def _read_policy(name: str, value: object, base: Retry) -> Retry:
    """Return the policy that *value* stands for; a number takes its other fields from *base*."""
    if value is None:
        return base
    if isinstance(value, Retry):
        return value
    if value is False:
        return base.new(total=0)
    if isinstance(value, int) and value is not True and value >= 0:
        return base.new(total=value)
    message = f"{name}={value!r} says nothing about retries"
    raise ConfigError(message, hint="a whole number from 0, or a urllib3.util.Retry")


def _new_key(header: str) -> str:
    from uuid import uuid4

    key = str(uuid4())
    # The draft's own field is a structured one, whose text is quoted (RFC 9651, section 3.3.3).
    return f'"{key}"' if header.lower() == _DRAFT_HEADER.lower() else key


def _is_healthy(status: int) -> bool:
    """Tell whether an answer is one of a server that copes, be it a 404."""
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS


def _pause(exchange: Exchange, seconds: float) -> None:
    # The connection serves others while this call waits.
    exchange.discard_response()
    if seconds > 0:
        exchange.clock.sleep(seconds)


def _can_send_again(exchange: Exchange) -> bool:
    """Tell whether another attempt could be made at all."""
    return exchange.replayable


def _has_response(exchange: Exchange) -> bool:
    attempts = exchange.record.attempts
    return bool(attempts) and attempts[-1].status is not None


def _is_allowed_method(method: str, policy: Retry) -> bool:
    return not policy.allowed_methods or method.upper() in policy.allowed_methods


def _increment(
    policy: Retry,
    exchange: Exchange,
    *,
    response: HTTPResponse | None = None,
    error: HTTPError | None = None,
) -> Retry | None:
    """Count one failure off *policy*; None where nothing is left for it."""
    try:
        # urllib3 writes the URL into its log, so it gets the one with its secrets masked.
        return policy.increment(
            exchange.method, exchange.record.url, response=response, error=error
        )
    except HTTPError:
        return None
