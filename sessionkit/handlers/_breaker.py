"""A circuit breaker: calls to a server that keeps failing are refused for a while.

The three states are those of Michael Nygard's "Release It!". When a circuit opens and for how long
follows Envoy's outlier detection: after five failures in a row, for 30 s times how often it has
opened since the last success, 300 s at most. A count in a row means something with few calls too; a
failure rate over a window does not.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cachetools import LRUCache

from sessionkit import _checks as checks
from sessionkit._fork import PerProcess
from sessionkit._origins import origin_or_none
from sessionkit.errors import (
    CircuitOpen,
    ConnectFailed,
    ConnectionLost,
    IncompleteBody,
    SessionKitError,
    TimedOut,
    tools,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import requests

    from sessionkit._clock import Clock
    from sessionkit.chain._exchange import CallNext, Exchange

#: Failing origins that are remembered; beyond, the circuit of the one called least recently closes.
MAX_ORIGINS = 1_000
_FAILURES = (ConnectFailed, TimedOut, ConnectionLost, IncompleteBody)
_FAILURE_STATUSES = (500, 502, 503, 504)

State = Literal["closed", "open", "half-open"]


class _Settings(NamedTuple):
    failure_threshold: int
    recovery_timeout: float
    max_recovery_timeout: float
    half_open_max_calls: int


class _Circuit:
    """The failures of one origin since its last success."""

    __slots__ = ("failures", "half_open", "last_failure", "openings", "retry_at", "trials")

    def __init__(self) -> None:
        self.failures = 0
        self.last_failure = ""
        #: Moment from which the next trial is let through; None while closed.
        self.retry_at: float | None = None
        self.openings = 0
        self.half_open = False
        #: Trials let through since *retry_at*.
        self.trials = 0


class _Trial(NamedTuple):
    """A call that is let through an open circuit."""

    circuit: _Circuit
    opening: int


class _Refusal(NamedTuple):
    """Why a call is refused, and for how many seconds."""

    retry_after: float
    last_failure: str


class _Circuits:
    """The circuits of one process that have failures; all others are closed, and cost nothing.

    The lock is held within each method, never while a call is under way.
    """

    __slots__ = ("_by_origin", "_guard", "_settings")

    def __init__(self, settings: _Settings) -> None:
        self._guard = threading.Lock()
        self._settings = settings
        self._by_origin: LRUCache[str, _Circuit] = LRUCache(MAX_ORIGINS)

    def admit(self, origin: str, now: float) -> _Trial | _Refusal | None:
        """Return None if the circuit is closed, else the trial or the refusal of a call."""
        if origin not in self._by_origin:
            return None
        with self._guard:
            circuit = self._by_origin.get(origin)
            if circuit is None or circuit.retry_at is None:
                return None
            if now < circuit.retry_at:
                return _Refusal(circuit.retry_at - now, circuit.last_failure)
            circuit.half_open = True
            circuit.trials += 1
            if circuit.trials >= self._settings.half_open_max_calls:
                # If these hang, others are let through after another timeout.
                circuit.trials = 0
                circuit.retry_at = now + self._recovery_timeout(circuit)
            return _Trial(circuit, circuit.openings)

    def record_failure(
        self, origin: str, trial: _Trial | None, now: float, *, failure: str, retry_after: float
    ) -> None:
        """Count a failure; *retry_after* is what the server asked for, in seconds."""
        with self._guard:
            circuit = self._by_origin.get(origin)
            if trial is not None:
                if circuit is not trial.circuit or circuit.openings != trial.opening:
                    return  # another trial has decided, or the circuit was forgotten
            elif circuit is None:
                circuit = self._by_origin[origin] = _Circuit()
            elif circuit.retry_at is not None:
                return  # it began before the circuit opened
            circuit.failures += 1
            circuit.last_failure = failure
            if trial is not None or circuit.failures >= self._settings.failure_threshold:
                circuit.openings += 1
                circuit.half_open = False
                circuit.trials = 0
                circuit.retry_at = now + max(
                    self._recovery_timeout(circuit),
                    min(retry_after, self._settings.max_recovery_timeout),
                )

    def record_success(self, origin: str, trial: _Trial | None) -> None:
        """Close the circuit."""
        if origin not in self._by_origin:
            return
        with self._guard:
            circuit = self._by_origin.get(origin)
            tried = trial.circuit if trial else None
            # A call that began before the circuit opened says nothing about now.
            if circuit is not None and (circuit.retry_at is None or circuit is tried):
                del self._by_origin[origin]

    def release_trial(self, trial: _Trial, now: float) -> None:
        """Release the half-open slot of *trial* without a verdict."""
        with self._guard:
            circuit = trial.circuit
            if circuit.openings != trial.opening or circuit.retry_at is None:
                return
            if circuit.retry_at > now:
                circuit.trials = self._settings.half_open_max_calls
                circuit.retry_at = now
            circuit.trials -= 1

    def states(self, now: float) -> dict[str, State]:
        """Return the state of each origin that has failed since its last success."""
        with self._guard:
            return {origin: _state(circuit, now) for origin, circuit in self._by_origin.items()}

    def _recovery_timeout(self, circuit: _Circuit) -> float:
        _, first, max_timeout, _ = self._settings
        return min(first * circuit.openings, max_timeout)


def _state(circuit: _Circuit, now: float) -> State:
    if circuit.retry_at is None:
        return "closed"
    return "half-open" if circuit.half_open or now >= circuit.retry_at else "open"


class CircuitBreakerHandler:
    """Refuse calls to an origin that keeps failing, until a trial call succeeds.

    *Closed*, every call goes through. After *failure_threshold* failures in a row the circuit of
    that origin *opens*: calls are refused at once with :class:`~sessionkit.errors.CircuitOpen`, and
    nothing is sent. After *recovery_timeout* it is *half-open*: *half_open_max_calls* calls go
    through as trials, all others are still refused. A trial that succeeds closes the circuit; one
    that fails opens it again, for longer each time. Trials that hang are replaced after another
    recovery timeout.

    A failure is a fault of transport (no connection, a timeout, a connection lost) or a status of
    *statuses*; a ``Retry-After`` with it may lengthen the recovery timeout. Any other response is a
    success, a 404 too. Errors that sessionkit itself raises further in, responses from a cache, and
    failures at another origin that a redirect led to count neither way. A response counts by its
    head: a body that breaks off while ``retry`` or the caller reads it is not seen here.

    Place it inside ``retry``: each attempt counts, and retries stop when the circuit opens. Shared
    between threads, and between stacks that should know of each other's failures; no lock is held
    while a call is under way. A forked child starts with all circuits closed. Of more than 1,000
    failing origins the one called least recently is forgotten: its circuit is closed again.

    Args:
        failure_threshold: Failures in a row, until the circuit opens.
        recovery_timeout: Seconds until the first trial, times the number of openings since the
            last success.
        max_recovery_timeout: The longest of these times, in seconds.
        half_open_max_calls: Trials that may be under way at once.
        statuses: Counted as failures; add 429 where a server uses it for "overloaded".

    Raises:
        ConfigError: A number that makes no sense.
    """

    __slots__ = ("_circuits", "_clock", "_settings", "_statuses")

    def __init__(
        self,
        failure_threshold: int = 5,
        *,
        recovery_timeout: float = 30.0,
        max_recovery_timeout: float = 300.0,
        half_open_max_calls: int = 1,
        statuses: Iterable[int] = _FAILURE_STATUSES,
    ) -> None:
        self._settings = settings = _Settings(
            checks.count("failure_threshold", failure_threshold),
            checks.seconds("recovery_timeout", recovery_timeout),
            checks.seconds("max_recovery_timeout", max_recovery_timeout),
            checks.count("half_open_max_calls", half_open_max_calls),
        )
        self._statuses = frozenset(statuses)
        self._circuits = PerProcess(lambda _parents: _Circuits(settings))
        self._clock: Clock | None = None

    @property
    def states(self) -> Mapping[str, State]:
        """State of each origin that has failed since its last success; all others are closed."""
        clock = self._clock
        return self._circuits.get().states(clock.monotonic()) if clock else {}

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        """Refuse the call, or send it and count its outcome.

        Raises:
            CircuitOpen: The circuit is open; nothing was sent.
        """
        origin = exchange.target_origin()
        if origin is None:
            return call_next(exchange)
        self._clock = clock = exchange.clock
        circuits, record = self._circuits.get(), exchange.record
        trial = circuits.admit(origin, clock.monotonic())
        if isinstance(trial, _Refusal):
            raise _refusal(origin, exchange, trial)
        before, failure, retry_after = len(record.attempts), "", 0.0
        reached = False
        try:
            response = call_next(exchange)
            reached = len(record.attempts) > before and not record.from_cache
            if reached and self._is_failure(response, origin):
                failure = f"status {response.status_code}"
                retry_after = tools.read_retry_after(response.headers, clock.time()) or 0.0
            return response
        except Exception as error:
            failure = _failure_name(error, origin)
            raise
        finally:
            if failure:
                now = clock.monotonic()
                circuits.record_failure(
                    origin, trial, now, failure=failure, retry_after=retry_after
                )
            elif reached:
                circuits.record_success(origin, trial)
            elif trial is not None:
                circuits.release_trial(trial, clock.monotonic())

    def _is_failure(self, response: requests.Response, origin: str) -> bool:
        failed = response.status_code in self._statuses
        return failed and not _is_from_other_origin(response, origin)

    def __repr__(self) -> str:
        threshold, *times, calls = self._settings
        return (
            f"CircuitBreakerHandler({threshold}, recovery_timeout={times[0]:g}, "
            f"max_recovery_timeout={times[1]:g}, half_open_max_calls={calls}, "
            f"statuses={sorted(self._statuses)})"
        )


def _is_from_other_origin(message: Any, origin: str) -> bool:
    """Return whether a redirect led this response or request away from *origin*."""
    found = origin_or_none(getattr(message, "url", None))
    return found is not None and found != origin


def _failure_name(error: Exception, origin: str) -> str:
    """Return the name of a fault of transport at *origin*, or "" for any other error."""
    mapped = None if isinstance(error, SessionKitError) else tools.error_from_exception(error)
    if not isinstance(mapped, _FAILURES):
        return ""
    elsewhere = _is_from_other_origin(getattr(error, "request", None), origin)
    return "" if elsewhere else type(mapped).__name__


def _refusal(origin: str, exchange: Exchange, refused: _Refusal) -> CircuitOpen:
    attempts = exchange.record.attempts
    return CircuitOpen(
        f"the circuit of {origin} is open after failures, the last of them {refused.last_failure}",
        hint=f"the next call is let through in {refused.retry_after:.3g} s, as a trial",
        method=exchange.method,
        url=exchange.url,
        attempts=len(attempts),
        # An earlier attempt of this call may have arrived.
        sent="maybe" if attempts else "no",
        retry_after=refused.retry_after,
    )
