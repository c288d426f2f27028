"""Retries: urllib3's Retry is the policy, the loop is ours.

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
from sessionkit.errors import ConfigError, SessionKitError, tools
from sessionkit.handlers._idempotency import DRAFT_HEADER, IdempotencyKeys
from sessionkit.handlers._retry_conditions import TRANSIENT, classify

if TYPE_CHECKING:
    from sessionkit.chain._exchange import CallNext, Exchange
    from sessionkit.handlers._retry_conditions import Condition


class Budget(Protocol):
    """A budget of retries, shared by many calls."""

    def try_withdraw(self) -> bool:
        """Take one retry from the budget; return False if none is left."""
        ...

    def refund(self) -> None:
        """Put one retry back, because it led to a success."""
        ...


class _RetryDecision(NamedTuple):
    """What is left of the policy for the next attempt, and the seconds to wait before it."""

    policy: Retry
    wait: float


class RetryHandler:
    """Retry calls that failed for a transient reason.

    As far as the policy allows:

    =====================================================  ====================================
    failure                                                retried for
    =====================================================  ====================================
    not sent: name not resolved, refused, connect timeout  every method
    maybe sent: read timeout, connection lost, body cut    idempotent methods, and with a key
    response of 429, 502, 503 or 504 (*policy*)            idempotent methods, and with a key
    409 to a retry under the same key                      every method: the first is under way
    bad certificate, AuthError, CircuitOpen, ...           none
    any, with a body that cannot be sent again             none
    =====================================================  ====================================

    Idempotent are GET, HEAD, OPTIONS, TRACE, PUT and DELETE (RFC 9110, section 9.2.2). After the
    last retry the last response or exception is returned or raised as it is.

    The wait is what the server asked for by ``Retry-After`` or by the reset of a spent
    ``RateLimit``, else the policy's backoff. If the server asks for more than *max_wait*, or a wait
    would outlast the call's deadline, the call ends at once with the last response.

    A call may carry its own ``retries=``, a number or a ``Retry``. A call that changes something is
    retried if it has an idempotency key: ``idempotency_key=True`` makes one for the call, the same
    in all its attempts, ``idempotency_key="..."`` is that one, and a call that carries the header
    itself needs no option. Shared between threads: the counts belong to each call.

    Args:
        policy: Of urllib3: ``total``, ``connect``, ``read``, ``status``, ``other``,
            ``allowed_methods``, ``status_forcelist``, the backoff fields,
            ``respect_retry_after_header`` and ``retry_after_max`` hold; ``redirect`` and
            ``raise_on_status`` have no meaning here. A number is the most retries. By default
            three retries on 429, 502, 503 and 504: at once, and then after 1 and 2 seconds and up
            to half a second of jitter.
        max_wait: The longest single wait, in seconds. A backoff is shortened to it.
        when: A function of the exchange and its response or exception that decides which failures
            are transient, in place of the table; see :class:`RetryIf`. How often, and for which
            methods, stays with policy and key.
        budget: Shared by many calls, so that retries do not overload a server in trouble: an object
            with ``try_withdraw()``, called before each retry, and ``refund()``, called after one
            that helped. Its ``deposit()``, if it has one, is called after each call that succeeds
            at once. :class:`RetryBudget` is one.
        idempotency_header: The header of the key (draft-ietf-httpapi-idempotency-key-header).
        always_send_key: Give every call that changes something a key; only for servers that read
            it.

    Raises:
        ConfigError: A policy or number that makes no sense.
    """

    options = frozenset({"idempotency_key", "retries"})

    __slots__ = ("_budget", "_keys", "_max_wait", "_policy", "_when")

    def __init__(
        self,
        policy: Retry | int | None = None,
        *,
        max_wait: float = 60.0,
        when: Condition | None = None,
        budget: Budget | None = None,
        idempotency_header: str = DRAFT_HEADER,
        always_send_key: bool = False,
    ) -> None:
        self._policy = _read_policy("policy", policy, _default_policy())
        self._max_wait = checks.seconds("max_wait", max_wait)
        self._when = when
        self._budget = budget
        self._keys = IdempotencyKeys(idempotency_header, always=always_send_key)

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        """Call the next handler until it succeeds, fails for good, or the policy is used up.

        Raises:
            requests.RequestException: As the last attempt raised it.
            ConfigError: The ``retries`` or the ``idempotency_key`` of the call make no sense.
        """
        policy = self._policy
        if "retries" in exchange.options:
            policy = _read_policy("retries", exchange.options["retries"], policy)
        if exchange.method.upper() not in Retry.DEFAULT_ALLOWED_METHODS:
            exchange = self._keys.with_key(exchange)
            if self._keys.has_key(exchange):
                policy = policy.new(allowed_methods=None)
        # Streamed, because the body of a failure may be endless; it is discarded, not waited for.
        streamed = exchange.streamed()
        first = True
        while True:
            try:
                response = call_next(streamed)
                decision = self._after_response(response, exchange, policy)
                if decision is None:
                    return self._final(response, exchange, first=first)
            except requests.RequestException as error:
                decision = self._after_error(error, exchange, policy)
                if decision is None:
                    raise
            policy, wait = decision
            first = False
            _pause(exchange, wait)

    def _final(
        self, response: requests.Response, exchange: Exchange, *, first: bool
    ) -> requests.Response:
        # Read here, so that a body that is cut short is retried too.
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
        """Decide whether *response* calls for a retry."""
        if not self._is_transient(response, exchange, policy) or not _can_send_again(exchange):
            return None
        status, headers = response.status_code, response.headers
        rest = _increment(policy, exchange, response=HTTPResponse(status=status, headers=headers))
        if rest is None:
            return None
        wait = None
        if policy.respect_retry_after_header:
            wait = tools.read_wait(status, headers, exchange.clock.time())
        if not wait:
            return self._if_time_left(rest, self._backoff(rest), exchange)
        # The field came with urllib3 2.6.
        wait = min(wait, getattr(policy, "retry_after_max", wait))
        return None if wait > self._max_wait else self._if_time_left(rest, wait, exchange)

    def _is_transient(self, response: requests.Response, exchange: Exchange, policy: Retry) -> bool:
        status = response.status_code
        # A conflict with an earlier attempt under the same key, which is still under way.
        again = status == HTTPStatus.CONFLICT and len(exchange.record.attempts) > 1
        if again and self._keys.has_key(exchange):
            return True
        if self._when is not None:
            return _is_allowed_method(exchange.method, policy) and self._when(exchange, response)
        asked = status >= HTTPStatus.MULTIPLE_CHOICES and "Retry-After" in response.headers
        return policy.is_retry(exchange.method, status, asked)

    def _after_error(
        self, error: requests.RequestException, exchange: Exchange, policy: Retry
    ) -> _RetryDecision | None:
        """Decide whether *error* calls for a retry."""
        kind = classify(error)
        if self._when is not None and not isinstance(error, SessionKitError):
            kind = (kind or HTTPError) if self._when(exchange, error) else None
        if kind is None or not _can_send_again(exchange):
            return None
        if kind is ConnectTimeoutError and _has_response(exchange):
            kind = ProtocolError  # a redirect led here, so an earlier request did arrive
        if kind is not ConnectTimeoutError and not _is_allowed_method(exchange.method, policy):
            return None
        rest = _increment(policy, exchange, error=kind(type(error).__name__))
        return None if rest is None else self._if_time_left(rest, self._backoff(rest), exchange)

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
        if keys := self._keys.settings():
            shown.append(keys)
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


def _is_healthy(status: int) -> bool:
    """Return whether *status* shows a server in working order; a 404 does."""
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS


def _pause(exchange: Exchange, seconds: float) -> None:
    # Other calls can use the connection while this one waits.
    exchange.discard_response()
    if seconds > 0:
        exchange.clock.sleep(seconds)


def _can_send_again(exchange: Exchange) -> bool:
    """Return whether another attempt is possible."""
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
    """Return *policy* after one more failure, or None if it is used up."""
    try:
        # urllib3 writes the URL into its log, so it gets the one with its secrets masked.
        return policy.increment(
            exchange.method, exchange.record.url, response=response, error=error
        )
    except HTTPError:
        return None
